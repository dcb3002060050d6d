"""A real browser, and a page that it looks at."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.page.stand_in import StandIn
from tests.page.values import actions, three_clusters
from tests.support.chromium import start_chromium

# A busy machine may take its time: nothing here measures it.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright, start_chromium(playwright) as started:
        yield started


@pytest.fixture
def server():
    with StandIn(three_clusters(actions())) as running:
        yield running


@pytest.fixture
def tab(browser):
    """A page of the browser in which nothing may go wrong unnoticed."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda told: told.type == "error" and page.errors.append(told.text))
    yield page
    context.close()
    assert [x for x in page.errors if "the server responded with a status" not in x] == []


@pytest.fixture
def page(tab, server):
    """The page, loaded."""
    tab.goto(server.home)
    tab.wait_for_selector(".verdict .headline")
    return tab
