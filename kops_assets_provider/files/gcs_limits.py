"""
Limits for the requests that Google's client sends by itself.

It waits for silence alone, so a server that sends a byte a minute keeps it for years, and it reads
answers of any length into memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from requests import ConnectionError as RequestsConnectionError
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError

from kops_assets_provider.http.address_checks import Rules, pool_classes

STALL_SECONDS = 60.0
_MAX_ANSWER = 16 << 20  # bytes of JSON; a page of 1000 objects has one or two million
_RANGE = re.compile(r"bytes=(\d+)-(\d+)", re.ASCII)


def limit_requests(client: Any) -> None:
    """Hold a ``google.cloud.storage.Client`` to our limits; other adapters than usual stay."""
    session = client._http
    for prefix in ("https://", "http://"):
        if type(session.get_adapter(prefix)) is HTTPAdapter:
            session.mount(prefix, _LimitedAdapter())


class _LimitedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _limit_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        _limit_pools(manager)
        return manager

    def send(self, request: Any, stream: bool = False, **kwargs: Any) -> Any:  # type: ignore[override]
        response = super().send(request, stream=stream, **kwargs)
        if stream:
            _limit_download(response, request.headers.get("Range", ""))
            return response
        try:
            body = response.raw.read(_MAX_ANSWER + 1, decode_content=True)
        except HTTPError as err:
            raise RequestsConnectionError(err, request=request) from err
        if len(body) > _MAX_ANSWER:
            response.close()
            raise RequestsConnectionError("the answer is too long", request=request)
        # Where requests itself keeps what it has read.
        response._content, response._content_consumed = body, True
        return response


def _limit_pools(manager: Any) -> None:
    # The user names the endpoint, so it may be on this machine.
    rules = Rules(stall_seconds=STALL_SECONDS, inside=True, opened=lambda _: None)
    manager.pool_classes_by_scheme = pool_classes(rules)


def _limit_download(response: Any, asked: str) -> None:
    """Let a download raise as soon as it has more bytes than its range."""
    if found := _RANGE.fullmatch(asked):
        most = int(found[2]) - int(found[1]) + 1
        response.raw.stream = partial(_within, response.raw.stream, most)


def _within(stream: Any, most: int, *args: Any, **kwargs: Any) -> Iterator[bytes]:
    for chunk in stream(*args, **kwargs):
        most -= len(chunk)
        if most < 0:
            raise ProtocolError("more bytes than were asked for")
        yield chunk
