"""Files over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kops_assets_provider.exceptions import Side
from kops_assets_provider.files.ports import SourceFile
from kops_assets_provider.http.client import HttpClient


class HttpFileSource:
    """A ``FileSource``: any server that answers GET."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    @contextmanager
    def open(self, url: str) -> Iterator[SourceFile]:
        """Open the file at ``url``; raises what ``HttpClient.request`` raises."""
        with self._http.request("GET", url, side=Side.SOURCE) as response:
            yield SourceFile(response.stream(), response.length)
