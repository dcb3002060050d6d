"""A state store at Google: what the emulator does not do as Google does."""

from __future__ import annotations

import pytest

from kops_assets_provider.exceptions import AccessDeniedError
from kops_assets_provider.mirror.places.state.gcs import GCSStateStore
from tests.support.file_server import FileServer
from tests.support.http_server import Fault


@pytest.fixture
def scripted():
    """A scripted server: unlike the emulator it answers 416 for a range of nothing."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    with FileServer({"/download/storage/v1/b/state/o/a/x": b""}) as server:
        options = {"api_endpoint": server.url}
        client = Client(project="test", credentials=AnonymousCredentials(), client_options=options)
        yield server, GCSStateStore(client, "state", "a")
        client.close()


def test_an_empty_object_at_google_is_read(scripted):
    """No range of it can be given, which is what limits what is read."""
    server, store = scripted
    assert store.read("x") == b""
    # Traced, as Airflow may have it, the client asks for the bucket, too.
    assert [r.status for r in server.requests if "/download/" in r.path] == [416]
    assert store.read("y") is None


def test_what_google_denies_may_not_be_there(scripted):
    """The error names both reasons."""
    server, store = scripted
    server.inject(Fault(path="/download/", status=403))
    with pytest.raises(AccessDeniedError, match=r"storage.objects.get, or there is no such object"):
        store.read("x")
