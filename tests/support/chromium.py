"""A Chromium that speaks to nobody but the pages that it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.processes import find_program

_ARGUMENTS = (
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--disable-gpu", "--disable-quic", "--disable-sync", "--no-first-run"),
)


@contextmanager
def start_chromium(playwright: Any) -> Iterator[Any]:
    """
    Run the installed Chromium without a window; give Playwright's ``Browser``.

    :param playwright: what ``playwright.sync_api.sync_playwright()`` gives.
    :raises MissingComponentError: Chromium is not installed.
    """
    browser = playwright.chromium.launch(
        executable_path=str(find_program("chromium")),
        args=list(_ARGUMENTS),
        # The sandbox needs rights that a container's root has not.
        chromium_sandbox=False,
    )
    try:
        yield browser
    finally:
        browser.close()
