"""
Uploading a blob: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push.

``POST …/blobs/uploads/?mount=<digest>&from=<repository>`` starts it: 201 says that the repository
has the blob now, 202 opens an upload session, so that one request does what a HEAD and a POST
would. A registry that knows no mounts answers 202, as the spec wants it. The bytes go in one PUT,
which all registries take. When it breaks off, the session may tell how much has arrived, and takes
the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    KopsAssetsError,
    NotFoundError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.client import Response
from kops_assets_provider.http.errors import place
from kops_assets_provider.http.hashing import started
from kops_assets_provider.http.urls import lead
from kops_assets_provider.oci.manifest import Descriptor
from kops_assets_provider.oci.ports import OpenBlob

_NO_MOUNTS = (400, 404, 405)  # what registries answer that were seen to refuse ``?mount=``
_EMPTY = {"Content-Length": "0"}
_CACHE = "if it is a pull-through cache, which refuses pushes, name its host in the option warm"
_RESUMES = 3
_WORTH_RESUMING = 8 << 20  # bytes; a smaller blob is sent again as a whole
_ARRIVED = re.compile(r"(?:bytes=)?0-(\d{1,18})", re.ASCII)
# Refusals of a PUT after which the upload is begun anew: a token or session that ended, or bytes
# that are not the next ones, since some that broke off were still on their way.
_GONE = (401, 416)


class _Send(Protocol):
    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: Iterator[bytes] | None = None,
        accept: tuple[int, ...] = (),
        reads: str | None = None,
    ) -> AbstractContextManager[Response]: ...


class _Session(NamedTuple):
    url: str
    offset: int = 0


class Uploads:
    """
    Uploads blobs to one repository.

    :param base: the repository's URL, ``https://registry.example.com/v2/<name>``.
    :param send: sends a request with what the registry wants to see of us.
    :param forget: drops what was learnt about that.
    """

    def __init__(self, base: str, send: _Send, forget: Callable[[], None]) -> None:
        self._uploads = f"{base}/blobs/uploads/"
        self._send = send
        self._forget = forget

    def start(self, blob: Descriptor, mount_from: str) -> _Session | None:
        """Return an upload session; None if the repository has the blob, or could mount it."""
        query = urlencode({"mount": blob.digest, "from": mount_from})
        url = f"{self._uploads}?{query}"
        send = partial(self._send, "POST", url, headers=_EMPTY, reads=mount_from)
        try:
            with send(accept=_NO_MOUNTS) as response:
                if response.status == 201:
                    return None
                if response.status not in _NO_MOUNTS:
                    return _Session(url=self._lead(url, response))
        except AccessDeniedError:
            # Reading the other repository may be what is denied; if not, that will be told.
            if self._uploads.endswith(f"/v2/{mount_from}/blobs/uploads/"):
                raise
        # The spec wants a session also from a registry that cannot mount; some refuse instead.
        return self.start_unmounted()

    def start_unmounted(self) -> _Session:
        """Return an upload session, whatever the registry may have of the blob."""
        try:
            with self._send("POST", self._uploads, headers=_EMPTY) as response:
                return _Session(url=self._lead(self._uploads, response))
        except RequestRejectedError as err:
            message = str(err).removeprefix(f"{Side.TARGET} ")
            raise RequestRejectedError(f"{message}; {_CACHE}", side=Side.TARGET) from err

    def finish(self, session: _Session, blob: Descriptor, open_blob: OpenBlob) -> None:
        """Send the bytes, and what is missing of them if the connection breaks."""
        for resumes in range(_RESUMES + 1):
            try:
                with open_blob(session.offset) as chunks:
                    self._put(session, blob, chunks)
            except ConnectionFailedError as err:
                resumed = self._resumed(session, blob) if err.side is Side.TARGET else None
                if resumed is None or resumes == _RESUMES:
                    self.cancel(session)
                    raise
                session = resumed
            except BaseException:
                self.cancel(session)
                raise
            else:
                return

    def cancel(self, session: _Session) -> None:
        """Ask the registry to forget a session: a courtesy, since some day it does so by itself."""
        with suppress(KopsAssetsError), self._send("DELETE", session.url):
            pass

    def _put(self, session: _Session, blob: Descriptor, chunks: Iterator[bytes]) -> None:
        separator = "&" if urlsplit(session.url).query else "?"
        url = f"{session.url}{separator}{urlencode({'digest': blob.digest})}"
        headers = {
            "Content-Length": str(blob.size - session.offset),
            "Content-Type": "application/octet-stream",
        }
        gone: tuple[int, ...] = _GONE
        if session.offset:
            headers["Content-Range"] = f"{session.offset}-{blob.size - 1}"
            gone = (400, *_GONE)
        # The request takes its token after this, so that waiting for the source costs it no life.
        chunks = started(chunks)
        try:
            with self._send("PUT", url, headers=headers, body=chunks, accept=gone) as response:
                status = response.status
        except NotFoundError as err:
            if "BLOB_UPLOAD_UNKNOWN" not in str(err):
                raise
            status = 404
        if status == 401:
            self._forget()
        if status == 416 and session.offset:
            # Some of what broke off was still on its way: the session is further than it told.
            told = "answered 416 to the rest of an upload"
            raise ConnectionFailedError(f"{place('PUT', url)} {told}", side=Side.TARGET)
        if status in (404, *gone):
            told = f"answered {status} to an upload that it had let us begin"
            raise ServerFailedError(f"{place('PUT', url)} {told}", side=Side.TARGET)

    def _resumed(self, session: _Session, blob: Descriptor) -> _Session | None:
        """Return where to go on; None if that is not known, or not worth it."""
        if blob.size < _WORTH_RESUMING:
            return None
        try:
            with self._send("GET", session.url, accept=(202, 204)) as response:
                arrived = _ARRIVED.fullmatch(response.headers.get("Range", ""))
                if not arrived or int(arrived[1]) + 1 >= blob.size or int(arrived[1]) == 0:
                    return None
                # The query of the Location changes with what has arrived.
                has_next = "Location" in response.headers
                url = self._lead(session.url, response) if has_next else session.url
                return _Session(url=url, offset=int(arrived[1]) + 1)
        except KopsAssetsError:
            return None

    @staticmethod
    def _lead(url: str, response: Response) -> str:
        """Return the upload session's URL, refusing one that leads astray."""
        location = response.headers.get("Location")
        try:
            if not location:
                raise ValueError("nowhere: it sent no Location")  # noqa: TRY301
            return lead(url, location)
        except ValueError as err:
            message = f"{place('POST', url)} wants the upload at {err}"
            raise UntrustedServerError(message, side=Side.TARGET) from err
