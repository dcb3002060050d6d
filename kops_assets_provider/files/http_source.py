"""Files over HTTP, taken up again where the server broke off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kops_assets_provider.exceptions import Side, SourceChangedError, TransientError
from kops_assets_provider.files.ports import SourceFile
from kops_assets_provider.http.client import HttpClient, Response
from kops_assets_provider.http.errors import place
from kops_assets_provider.http.hashing import without_first
from kops_assets_provider.http.retries import Retries

_CHUNK = 256 << 10  # bytes; several files are on their way, three chunks of each in memory
_PROGRESS = 1 << 20  # bytes between two failures that make the later one a first one
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", re.ASCII)


class HttpFileSource:
    """
    A ``FileSource``: any server that answers GET.

    When a connection breaks off in a body, the rest is asked for by ``Range``, under the condition
    that the file is still the same one (``If-Range``, RFC 9110, section 13.1.5). Of a server that
    tells no way to know, the file is begun anew by whoever tries the copy again.

    :param retries: how often a body may break off without getting on, and the waits between.
    """

    def __init__(self, http: HttpClient, retries: Retries | None = None) -> None:
        self._http = http
        self._retries = retries or Retries()

    @contextmanager
    def open(self, url: str) -> Iterator[SourceFile]:
        """
        Open the file at ``url``; raises what ``HttpClient.request`` raises.

        :raises SourceChangedError: it became another file meanwhile; while it is read.
        """
        with self._http.request("GET", url, side=Side.SOURCE) as response:
            body = _Body(url=url, size=response.length, validator=_validator(response.headers))
            yield SourceFile(chunks=self._unbroken(body, response.stream(_CHUNK)), size=body.size)

    def _unbroken(self, body: _Body, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the body, however often the server breaks off in it."""
        failures = began = position = 0
        while True:
            try:
                for chunk in chunks:
                    position += len(chunk)
                    yield chunk
            except SourceChangedError:
                raise
            except TransientError as err:
                # A server that gives a little each time is as broken as one that gives nothing.
                failures = 1 if position - began >= _PROGRESS else failures + 1
                began = position
                if not body.validator or failures >= self._retries.attempts:
                    raise
                self._retries.pause(failures, err)
                chunks = self._rest(body, position)
            else:
                return

    def _rest(self, body: _Body, position: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={position}-", "If-Range": body.validator}
        with self._http.request(
            "GET", body.url, side=Side.SOURCE, headers=headers, accept={416}
        ) as response:
            start = body.start_of(response)
            if start is None or start > position:
                where = f"{place('GET', body.url)}: the file was changed while it was read"
                raise SourceChangedError(f"{where}; it must be begun anew", side=Side.SOURCE)
            yield from without_first(response.stream(_CHUNK), position - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """
    What the first answer said of a file.

    :param size: in bytes, if the server says it.
    :param validator: a strong entity tag or a date; empty if the server says none.
    """

    url: str
    size: int | None
    validator: str

    def start_of(self, response: Response) -> int | None:
        """Return where in the same file the response's bytes begin; None if it is another file."""
        if response.status == 206:
            found = _RANGE.match(response.headers.get("Content-Range", ""))
            return int(found[1]) if found and self.size in (None, int(found[2])) else None
        # A server that knows no ranges sends all of it again, and some heed no condition either.
        same = _validator(response.headers) == self.validator and response.length == self.size
        return 0 if same and response.status == 200 else None


def _validator(headers: Mapping[str, str]) -> str:
    """Return what tells one version of a file from another, byte for byte; a weak tag does not."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")
