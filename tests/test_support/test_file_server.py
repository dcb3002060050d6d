"""GET and HEAD of files: the same rules for our fake and for nginx."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import trustme

from tests.support.components import nginx
from tests.support.file_server import FileServer

CONTENT = bytes(range(256)) * 4096


def call(method, url, **headers):
    """Return status, headers and body; keywords are headers with underscores."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    target = urlsplit(url)
    with closing(http.client.HTTPConnection(target.netloc, timeout=10)) as connection:
        connection.request(method, target.path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


class FileConformance:
    """Subclasses give a fixture ``url``: of a server that has ``CONTENT`` at ``/dir/file``."""

    def test_get_and_head(self, url):
        """GET sends the file; HEAD tells the same without a body."""
        status, headers, body = call("GET", f"{url}/dir/file")
        assert (status, body) == (200, CONTENT)
        assert headers["Content-Length"] == str(len(CONTENT))
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["Content-Type"] == "application/octet-stream"
        status, head, body = call("HEAD", f"{url}/dir/file")
        assert (status, body) == (200, b"")
        assert (head["Content-Length"], head["ETag"]) == (
            headers["Content-Length"],
            headers["ETag"],
        )

    def test_encoded_path(self, url):
        """A path means the same when it is percent-encoded."""
        assert call("GET", f"{url}/%64ir/file")[2] == CONTENT

    @pytest.mark.parametrize("path", ["/dir/other", "/dir/file/more", "/../file", "/%2e%2e/file"])
    def test_no_such_file(self, url, path):
        """What is not there, or would be outside, is refused."""
        assert call("GET", url + path)[0] in {400, 404}

    def test_other_methods(self, url):
        """Files are not written: 405."""
        assert call("PUT", f"{url}/dir/file")[0] == 405

    @pytest.mark.parametrize(
        ("requested", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=100-199", 100, 200),
            ("bytes=1000000-", 1_000_000, len(CONTENT)),
            ("bytes=-10", len(CONTENT) - 10, len(CONTENT)),
            ("bytes=1048570-9999999", 1_048_570, len(CONTENT)),
        ],
    )
    def test_range(self, url, requested, start, end):
        """A range is 206, with just these bytes, and tells where they are from."""
        status, headers, body = call("GET", f"{url}/dir/file", Range=requested)
        assert (status, body) == (206, CONTENT[start:end])
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
        assert headers["Content-Length"] == str(end - start)

    def test_range_beyond_the_end(self, url):
        """A range that begins after the end is 416, and tells the size."""
        status, headers, _ = call("GET", f"{url}/dir/file", Range=f"bytes={len(CONTENT)}-")
        assert (status, headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")

    def test_range_in_another_unit(self, url):
        """A range that is not understood is ignored."""
        assert call("GET", f"{url}/dir/file", Range="lines=1-2")[0] in {200, 416}

    def test_if_range(self, url):
        """The range of a version that is no longer there becomes the whole file."""
        etag = call("HEAD", f"{url}/dir/file")[1]["ETag"]
        status, _, body = call("GET", f"{url}/dir/file", Range="bytes=5-", If_Range=etag)
        assert (status, body) == (206, CONTENT[5:])
        status, _, body = call("GET", f"{url}/dir/file", Range="bytes=5-", If_Range='"old"')
        assert (status, body) == (200, CONTENT)

    def test_if_none_match(self, url):
        """A file that the client has already is 304."""
        etag = call("HEAD", f"{url}/dir/file")[1]["ETag"]
        assert call("GET", f"{url}/dir/file", If_None_Match=etag)[0] == 304
        assert call("GET", f"{url}/dir/file", If_None_Match='"other"')[0] == 200


class TestFileServerFromMemory(FileConformance):
    """Our fake, with its content in memory."""

    @pytest.fixture
    def url(self):
        with FileServer({"/dir/file": CONTENT}) as server:
            yield server.url


@pytest.fixture
def directory(tmp_path):
    """A directory with one file, and one beside it that nobody may see."""
    (tmp_path / "served" / "dir").mkdir(parents=True)
    (tmp_path / "served" / "dir" / "file").write_bytes(CONTENT)
    (tmp_path / "file").write_bytes(b"outside")
    return tmp_path / "served"


class TestFileServerFromDirectory(FileConformance):
    """Our fake, with its content in a directory."""

    @pytest.fixture
    def url(self, directory):
        with FileServer(directory) as server:
            yield server.url


@pytest.mark.component
class TestNginx(FileConformance):
    """The real one."""

    @pytest.fixture
    def url(self, directory):
        with nginx(directory) as server:
            yield server.url


def test_redirects_and_headers(file_server):
    """A path can lead elsewhere, and can have headers that lie."""
    file_server.put("/a.tgz", b"not gzip")
    file_server.redirects["/old"] = "https://example.com/new?x=1"
    file_server.headers["/a.tgz"] = {"Content-Encoding": "gzip"}
    status, headers, _ = call("GET", f"{file_server.url}/old")
    assert (status, headers["Location"]) == (302, "https://example.com/new?x=1")
    _, headers, body = call("GET", f"{file_server.url}/a.tgz")
    assert (headers["Content-Encoding"], body) == ("gzip", b"not gzip")


def test_changed_file_has_another_etag(file_server, directory):
    """Content that changes between two requests can be told by its ETag."""
    for server in (file_server, FileServer(directory)):
        if server is not file_server:
            server.start()
        server.put("/f", b"one")
        before = call("HEAD", f"{server.url}/f")[1]["ETag"]
        server.put("/f", b"two")
        assert call("HEAD", f"{server.url}/f")[1]["ETag"] != before
        server.stop()


def test_from_a_shell(directory):
    """The module runs as a program, tells its URL, and ends on SIGINT."""
    command = [sys.executable, "-m", "tests.support.file_server", directory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert call("GET", f"{url}/dir/file")[2] == CONTENT
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.component
def test_nginx_speaks_tls_and_logs(directory, tmp_path):
    """nginx takes a certificate, and its access log can be read back."""
    authority = trustme.CA()
    pem = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    with nginx(directory, certificate=pem) as server:
        assert server.url.startswith("https://")
    with nginx(directory, server_directives="limit_rate 10m;") as server:
        call("GET", f"{server.url}/dir/file", Range="bytes=0-4")
        (request,) = server.requests()
        assert (request.path, request.status, request.sent_bytes) == ("/dir/file", 206, 5)
