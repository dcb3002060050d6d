"""What a state store is to those who read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.regular_files import MAX_DOCUMENT

Page = TypeVar("Page")

MAX_BYTES = MAX_DOCUMENT  # the largest spec that YAML is accepted from
MAX_PAGES = 100  # of a listing, a thousand names each: no cluster has so many instance groups
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
        """
        Return the names right below a folder, sorted; those of folders end with ``/``.

        More than ``MAX_PAGES`` pages of them are refused.
        """
        ...


def first_pages(pages: Iterable[Page], where: str) -> Iterator[Page]:
    """Yield the pages of a listing; raises InvalidInputError if there are too many."""
    for number, page in enumerate(pages):
        if number == MAX_PAGES:
            raise InvalidInputError(where, [f"its listing has more than {MAX_PAGES} pages"])
        yield page
