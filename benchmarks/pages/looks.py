"""Looks at the page in Chromium, and takes the time until it stands and until a filter answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.pages.world import World
from tests.support.chromium import start_chromium

ROWS = "#assets tbody tr"
SEARCH = "input[type=search]"
# The browser's own clock, from the start of the navigation to the frame that has the first row.
_FIRST_ROW = f"""
new MutationObserver((_, observer) => {{
  if (window.firstRow || !document.querySelector("{ROWS}")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => {{ window.firstRow = performance.now(); }}));
}}).observe(document, {{childList: true, subtree: true}});
"""
_WAIT = """
() => new Promise((done) => {
  const look = () => (window.firstRow ? done(window.firstRow) : setTimeout(look, 20));
  look();
})
"""
# From the input to the frame after it, in which its result is.
_FILTER = """
(field, text) => new Promise((done) => {
  const start = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})
"""


@dataclass(frozen=True, slots=True)
class Look:
    """
    One look at the page.

    :param first_row: seconds from the navigation until the first row stands.
    :param filtered: seconds from an input into the filter until its result stands.
    :param rows: assets that the page has, and ``size`` bytes that it was sent for them.
    """

    page: str
    round: int
    first_row: float
    filtered: float
    rows: int
    size: int


@contextmanager
def browsers() -> Iterator[Any]:
    """Run Chromium."""
    with sync_playwright() as playwright, start_chromium(playwright) as browser:
        yield browser


def look(browser: Any, world: World, group: str, number: int) -> Look:
    """Look once, with nothing in the browser's cache."""
    context = browser.new_context()
    try:
        context.add_cookies([_cookie(world)])
        page = context.new_page()
        page.add_init_script(_FIRST_ROW)
        with page.expect_response("**/mirrors*") as told:
            page.goto(world.address(group))
        first_row = page.evaluate(_WAIT) / 1000
        answer = told.value
        filtered = page.locator(SEARCH).first.evaluate(_FILTER, "image01") / 1000
        rows = len(answer.json()["assets"])
        return Look(group, number, first_row, filtered, rows, len(answer.body()))
    finally:
        context.close()


def _cookie(world: World) -> dict[str, str]:
    return {"name": "_token", "value": world.airflow.api.token(), "url": world.airflow.url}
