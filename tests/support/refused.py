"""A request that a server of ours refuses, before it is told in the words of its protocol."""

from __future__ import annotations

from collections.abc import Mapping


class RefusedError(Exception):
    """A request is refused: HTTP status, the protocol's code for it, a sentence."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
