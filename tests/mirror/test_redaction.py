"""What a user or a server wrote into a URL is in no message: no user info, no query."""

import pytest

from kops_assets_provider.exceptions import InvalidInputError, KopsAssetsError
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.remap import Locations
from kops_assets_provider.mirror.extras import with_files
from kops_assets_provider.mirror.hashes import fetch_sha
from kops_assets_provider.mirror.kops_command import KopsCommand
from kops_assets_provider.mirror.lists import list_cluster

URL = "http://bob:hunter2@127.0.0.1:9/x?X-Amz-Signature=hunter2"


def test_a_spec_that_is_a_url():
    """It is no path, and is shown without its secrets."""
    with pytest.raises(InvalidInputError) as caught:
        list_cluster(URL, "1.36.2")
    assert "hunter2" not in str(caught.value)


def test_an_extra_file_with_a_wrong_hash():
    """The file is named, its secrets are not."""
    with pytest.raises(InvalidInputError) as caught:
        with_files(ClusterAssets((), ()), {URL: "no hash"}, Locations())
    assert "127.0.0.1:9/x" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_hash_that_is_nowhere(file_server):
    """The URLs that were tried are named without their secrets."""
    url = f"http://bob:hunter2@{file_server.host}/x?X-Amz-Signature=hunter2"
    with pytest.raises(KopsAssetsError) as caught:
        fetch_sha(url, HttpClient(), first_wait_seconds=0)
    assert "hunter2" not in str(caught.value)


def test_a_url_in_what_kops_says(tmp_path):
    """kOps quotes the URLs that it could not read, signed ones too."""
    program = tmp_path / "kops"
    program.write_text(f"#!/bin/sh\necho 'Error: cannot read {URL}' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(KopsAssetsError) as caught:
        KopsCommand(str(program), {"PATH": "/usr/bin:/bin"}).version()
    assert "cannot read http://127.0.0.1:9/x" in str(caught.value)
    assert "hunter2" not in str(caught.value)
