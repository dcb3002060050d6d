"""
A file server in this process: GET and HEAD with ETag, ranges and redirects.

From a shell: ``python -m tests.support.file_server --port 8080 DIR``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from tests.support.command_line import run_server, server_arguments
from tests.support.content import content_response
from tests.support.http_server import HttpServer
from tests.support.messages import Request, Response


class FileServer(HttpServer):
    """
    A fake file repository.

    :param files: a directory, or the content by path (``/a/b``); the mapping may change meanwhile.
    :param redirects: where else to look, by path: answered by 302.
    :param headers: further headers, by path: ``{"/a.tgz": {"Content-Encoding": "gzip"}}`` plays the
        server that tells clients to unpack what they came for.
    :param options: port, certificate, key and access_log, see :class:`HttpServer`.
    """

    def __init__(
        self,
        files: MutableMapping[str, bytes] | Path | None = None,
        *,
        redirects: Mapping[str, str] | None = None,
        headers: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.files: MutableMapping[str, bytes] | Path = {} if files is None else files
        self.redirects = dict(redirects or {})
        self.headers = dict(headers or {})

    def put(self, path: str, data: bytes) -> None:
        """Add a file, or change it: ``put("/a/b", b"...")``."""
        if isinstance(self.files, Path):
            file = self.files / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        else:
            self.files[path] = data

    def answer(self, request: Request) -> Response:
        """Serve a file, redirect, or refuse."""
        if request.method not in {"GET", "HEAD"}:
            return Response(405, {"Allow": "GET, HEAD"})
        if request.path in self.redirects:
            return Response(302, {"Location": self.redirects[request.path]})
        content = self._find(request.path)
        if content is None:
            return Response(404, {"Content-Type": "text/plain"}, b"not found\n")
        headers = {"Content-Type": "application/octet-stream", **self.headers.get(request.path, {})}
        return content_response(request, content, _etag(content), headers)

    def _find(self, path: str) -> bytes | Path | None:
        if not isinstance(self.files, Path):
            return self.files.get(path)
        top = self.files.resolve()
        file = (top / path.lstrip("/")).resolve()
        return file if file.is_relative_to(top) and file.is_file() else None


def _etag(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    status = content.stat()
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


def main() -> None:
    """Serve a directory until SIGTERM or Ctrl-C."""
    parser = server_arguments("A file server for tests and demonstrations, on 127.0.0.1.")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    run_server(
        FileServer(arguments.directory, port=arguments.port, access_log=arguments.access_log)
    )


if __name__ == "__main__":
    main()
