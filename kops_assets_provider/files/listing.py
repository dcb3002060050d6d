"""Find many objects in a bucket that may have many more."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from kops_assets_provider.files.ports import StoredFile

_SPARE_PAGES = 100  # that bring nothing that is wanted; what is left is asked for by itself

Page = tuple[dict[str, StoredFile], bool]


def find_in_pages(
    paths: Collection[str], page: Callable[[str, str], Page]
) -> dict[str, StoredFile]:
    """
    Return those of ``paths`` that are found, asking for as few pages as possible.

    Stores list in the order of the names' bytes. So a page is begun right before the next name that
    is wanted, and what lies between is skipped, however much else there is in the bucket. Of a
    store that lists in another order, or gives page after page without them, some are left out.

    :param page: asked for the objects that begin with a prefix, from a start on; gives some, and
        whether these are all.
    """
    wanted = sorted(paths, key=str.encode)
    prefix = os.path.commonprefix(wanted)  # noqa: RUF071  # character by character, indeed
    start = ""
    found: dict[str, StoredFile] = {}
    # A hostile store has always one more page before the next name that is wanted.
    for _ in range(len(wanted) + _SPARE_PAGES):
        if not wanted:
            break
        start = max(start, wanted[0][:-1], key=str.encode)
        objects, is_last = page(prefix, start)
        found |= {path: objects[path] for path in wanted if path in objects}
        last = max(objects, key=str.encode, default="")
        # The second is a store that takes no start, and would give this page for ever.
        if is_last or last.encode() <= start.encode():
            break
        start = last
        wanted = [path for path in wanted if path.encode() > last.encode()]
    return found
