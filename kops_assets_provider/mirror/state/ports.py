"""What a state store is to those who read it."""

from __future__ import annotations

from typing import Protocol

from kops_assets_provider.regular_files import MAX_DOCUMENT

MAX_BYTES = MAX_DOCUMENT  # the largest spec that YAML is accepted from
PRIVATE = frozenset({"pki", "secrets"})  # folders with a cluster's keys and tokens


class StateStore(Protocol):
    """
    Documents below a place. Paths are relative to it, with ``/`` between their parts.

    Both methods raise InvalidInputError for a path that could lead out of it, AccessDeniedError,
    NotFoundError if the bucket itself is not there, and TransientError when it cannot answer now.
    Object stores deny access, too, to what is not there if whoever asks may not list: that is never
    taken for an absent document.
    """

    place: str
    """Where it is, for messages: ``s3://bucket/prefix``."""

    def read(self, path: str) -> bytes | None:
        """Return a document; None if there is none. One beyond ``MAX_BYTES`` is refused."""
        ...

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a folder, sorted; those of folders end with ``/``."""
        ...
