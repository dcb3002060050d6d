"""
A resumable session of Google Cloud Storage, which makes an object visible when it is finished.

https://docs.cloud.google.com/storage/docs/performing-resumable-uploads

The bytes go in two requests: all but the end of them first, which shows nothing to anybody, and the
end together with the CRC32C of the whole, which Google then compares with what it has got. The hash
is known to be right by then. The session's URL carries its own right to write.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    KopsAssetsError,
    RequestRejectedError,
    ServerFailedError,
    Side,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.http.client import HttpClient, Response

_BLOCK = 256 << 10  # bytes; what comes before the end is a multiple of it
_ENDED = {404, 410, 499}  # there is no such session any more; the last is of a cancelled one


class UploadSession:
    """
    An open session.

    :param http: sends the bytes.
    :param url: of the session. Whoever has it may write.
    :param endpoint: the URL of the server that named ``url``.
    :param place: the object, for messages.
    """

    def __init__(self, http: HttpClient, url: str, endpoint: str, place: str) -> None:
        self._http = http
        self._url = url
        self._endpoint = endpoint
        self._place = place

    def send(self, content: Content) -> bool:
        """
        Send the bytes and finish; return False if another writer was first.

        :raises ChecksumMismatchError: the source has other bytes, or Google got others.
        """
        try:
            return self._send(content)
        except BaseException:
            self._cancel()
            raise

    def _send(self, content: Content) -> bool:
        size = content.size
        begin = max(0, size - 1) // _BLOCK * _BLOCK
        reader = _Reader(content)
        if begin:
            headers = {"Content-Range": f"bytes 0-{begin - 1}/{size}"}
            with self._put(reader.take(begin), begin, headers, {308, 412}) as response:
                if response.status == 412:
                    return False
                self._check_received(response, begin)
        # Not before the end is read: then all is known to be right.
        end = b"".join(reader.take(size - begin))
        reader.finish()
        span = f"bytes {begin}-{size - 1}/{size}" if size else "bytes */0"
        headers = {"Content-Range": span, "X-Goog-Hash": f"crc32c={reader.crc32c()}"}
        with self._put([end], len(end), headers, {308, 400, 412}) as response:
            return self._is_stored(response, content)

    @contextmanager
    def _put(
        self, body: Iterable[bytes], length: int, headers: Mapping[str, str], accept: set[int]
    ) -> Iterator[Response]:
        with self._http.request(
            "PUT",
            self._url,
            side=Side.TARGET,
            headers={"Content-Length": str(length), **headers},
            body=body,
            accept=accept | _ENDED,
            led_by=self._endpoint,
        ) as response:
            if response.status in _ENDED:
                # Google loses sessions, and wants the upload to be begun anew then.
                message = f"{self._place}: the session has ended ({response.status})"
                raise ServerFailedError(message, side=Side.TARGET)
            yield response

    def _check_received(self, response: Response, begin: int) -> None:
        received = response.headers.get("Range", "none")
        if (response.status, received) != (308, f"bytes=0-{begin - 1}"):
            message = f"{self._place}: the session answered {response.status}, it has {received} of"
            raise ServerFailedError(f"{message} the first {begin} bytes", side=Side.TARGET)

    def _is_stored(self, response: Response, content: Content) -> bool:
        if response.status == 308:
            message = f"{self._place}: the session ended without all {content.size} bytes"
            raise ServerFailedError(message, side=Side.TARGET)
        if response.status == 400:
            told = response.read().decode(errors="replace").lower()
            if "crc32c" in told or "checksum" in told:
                what = f"{self._place}: expected sha256 {content.sha}, which was sent, but other"
                message = f"{what} bytes arrived; nothing was stored"
                raise ChecksumMismatchError(message, side=Side.TARGET)
            message = f"{self._place}: Google Cloud Storage refused the end of the object (400)"
            raise RequestRejectedError(message, side=Side.TARGET)
        return response.status != 412

    def _cancel(self) -> None:
        """Drop what was sent. If that fails as well: nobody sees it, and it is gone in a week."""
        with (
            suppress(KopsAssetsError),
            self._http.request(
                "DELETE",
                self._url,
                side=Side.TARGET,
                accept=_ENDED,
                led_by=self._endpoint,
            ),
        ):
            pass


class _Reader:
    """Content in pieces of given sizes, whose CRC32C is computed on the way."""

    def __init__(self, content: Content) -> None:
        import google_crc32c

        self._chunks = iter(content)
        self._rest = b""
        self._crc: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]  # Google's

    def take(self, count: int) -> Iterator[bytes]:
        """Yield the next ``count`` bytes."""
        while count:
            chunk = self._rest or next(self._chunks)
            piece, self._rest = chunk[:count], chunk[count:]
            count -= len(piece)
            self._crc.update(piece)
            yield piece

    def finish(self) -> None:
        """Read on to the end, where the content raises if it is not what it should be."""
        for _ in self._chunks:
            pass

    def crc32c(self) -> str:
        """Return the checksum of all that was taken, in Google's form."""
        return base64.b64encode(self._crc.digest()).decode()
