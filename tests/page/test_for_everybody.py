"""The page on a phone, in the dark, without a mouse, and for who hears it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

SIZES = {"wide": (1400, 900), "phone": (375, 800)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(page, size, scheme):
    """By axe's rules; and nothing is wider than the screen."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_a_mouse(page):
    """From the top by Tab: past the clusters to the filters, and from there to a log."""
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the assets")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#assets")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("image003 broken")
    expect(page.locator("table.assets tbody tr")).to_have_count(1)
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "log":
            return
    raise AssertionError("the log could not be reached")
