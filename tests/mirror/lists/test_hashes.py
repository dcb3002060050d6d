"""Hash files are looked for where kOps looks, over real HTTP."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable

import pytest

from kops_assets_provider.exceptions import PermanentError, TransientError
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.lists.hashes import FetchedSha, fetch_sha, fetch_shas
from tests.support.file_server import FileServer
from tests.support.messages import Fault

SHA = "0123456789abcdef" * 4
NODEUP = "https://artifacts.k8s.io/binaries/kops/1.36.2/linux/amd64/nodeup"
Fetch = Callable[[str], FetchedSha]


@pytest.fixture
def fetch(file_server: FileServer) -> Fetch:
    """Fetch a hash through the file server, which stands in for every host."""
    return functools.partial(
        fetch_sha,
        client=HttpClient(),
        rewrite=lambda url: file_server.url + "/" + url.partition("://")[2],
        first_wait_seconds=0.01,
    )


def paths(server: FileServer) -> list[str]:
    return [request.path for request in server.requests]


@pytest.mark.parametrize(
    "content", [SHA, f"{SHA}\n", f"  {SHA}  nodeup\n", f"{SHA} *a\n{'f' * 64} *b\n", SHA.upper()]
)
def test_first_field_is_the_hash(file_server: FileServer, fetch: Fetch, content: str) -> None:
    """A hash file may be as sha256sum writes it: the first field counts."""
    file_server.put("/h/a.sha256", content.encode())
    assert fetch("https://h/a").sha == SHA


def test_sha256sum_is_second(file_server: FileServer, fetch: Fetch) -> None:
    """Without a .sha256 file the .sha256sum file is read."""
    file_server.put("/h/a.sha256sum", SHA.encode())
    assert fetch("https://h/a").sha == SHA
    assert paths(file_server) == ["/h/a.sha256", "/h/a.sha256sum"]


def test_kops_binaries_are_on_github_too(file_server: FileServer, fetch: Fetch) -> None:
    """kOps' own binaries have a mirror, where their names are flattened."""
    mirror = "/github.com/kubernetes/kops/releases/download/v1.36.2/nodeup-linux-amd64"
    file_server.put(f"{mirror}.sha256", SHA.encode())
    assert fetch(NODEUP).sha == SHA
    assert paths(file_server)[-1] == f"{mirror}.sha256"


def test_a_query_stays_behind_the_name(file_server: FileServer, fetch: Fetch) -> None:
    """A signed URL's signature is no part of the file's name."""
    file_server.put("/h/tool.tgz.sha256", SHA.encode())
    assert fetch("https://h/tool.tgz?signature=x").sha == SHA
    assert file_server.requests[-1].query == "signature=x"


def test_where_a_hash_was_is_told(file_server: FileServer, fetch: Fetch) -> None:
    """The URL that it was read from comes with it."""
    file_server.put("/h/a.sha256sum", SHA.encode())
    assert fetch("https://h/a").url == f"{file_server.url}/h/a.sha256sum"


def test_an_endless_hash_file_is_refused(file_server: FileServer, fetch: Fetch) -> None:
    """A server that sends something huge instead is not listened to for long."""
    file_server.put("/h/a.sha256", b"0" * (1 << 20))
    with pytest.raises(PermanentError, match="more than 65536 bytes"):
        fetch("https://h/a")


def stand_in(server: FileServer) -> Callable[[str], str]:
    return lambda url: f"{server.url}/{url.partition('://')[2]}"


def test_many_are_fetched_at_once(file_server: FileServer) -> None:
    """Twenty files that each take a while take little longer than three of them."""
    urls = [f"https://h/{n}" for n in range(20)]
    for number in range(20):
        file_server.put(f"/h/{number}.sha256", f"{number:064x}".encode())
    file_server.inject(Fault(path="/h/", delay=0.5, times=None))
    began = time.monotonic()
    found = fetch_shas(urls, HttpClient(), rewrite=stand_in(file_server))
    assert time.monotonic() - began < 5
    assert [found[url].sha for url in urls] == [f"{n:064x}" for n in range(20)]


def test_what_may_pass_is_told_first(file_server: FileServer) -> None:
    """One hash that is nowhere does not hide that another one may be there later."""
    file_server.inject(Fault(path="/h/b", status=503, times=None))
    with pytest.raises(TransientError):
        fetch_shas(
            ["https://h/a", "https://h/b"],
            HttpClient(),
            rewrite=stand_in(file_server),
            first_wait_seconds=0.01,
        )


def test_no_hash_names_all_places(file_server: FileServer, fetch: Fetch) -> None:
    """When there is none, the error names every URL, and nobody is asked twice."""
    with pytest.raises(PermanentError) as caught:
        fetch(NODEUP)
    assert not isinstance(caught.value, TransientError)
    for path in paths(file_server):
        assert f"{file_server.url}{path}" in str(caught.value)
    assert len(paths(file_server)) == 4
    assert f"no hash for {NODEUP}" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"abc123", SHA.encode() + b"00", b"\xff" * 64])
def test_what_is_no_hash_is_refused(file_server: FileServer, fetch: Fetch, content: bytes) -> None:
    """A proxy's error page is no hash, even if it comes with status 200."""
    file_server.put("/h/a.sha256", content)
    with pytest.raises(PermanentError, match="does not begin with a SHA-256"):
        fetch("https://h/a")


def test_a_failing_server_is_asked_again(file_server: FileServer, fetch: Fetch) -> None:
    """Two failures are forgiven."""
    file_server.put("/h/a.sha256", SHA.encode())
    file_server.inject(Fault(path="/h/a", status=503, times=4))
    assert fetch("https://h/a").sha == SHA


def test_the_third_failure_is_the_last(file_server: FileServer, fetch: Fetch) -> None:
    """After three tries the error is transient, so that somebody may come back later."""
    file_server.inject(Fault(path="/h/a", status=503, times=None))
    with pytest.raises(TransientError):
        fetch("https://h/a")
    assert len(paths(file_server)) == 6


def test_refused_connections_are_transient() -> None:
    """A port where nobody listens may have a server later."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TransientError):
        fetch_sha(f"http://127.0.0.1:{port}/a", HttpClient(), first_wait_seconds=0.01)


def test_queries_stay_out_of_errors(fetch: Fetch, file_server: FileServer) -> None:
    """A rewritten URL may carry a secret in its query, which no message shows."""
    with pytest.raises(PermanentError) as caught:
        fetch_sha(
            "https://h/a", HttpClient(), rewrite=lambda _: f"{file_server.url}/x?token=secret"
        )
    assert "secret" not in str(caught.value)
