"""The page in the frame that Airflow shows it in, and what it starts through Airflow's API."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.values import actions, three_clusters

STARTED = "manual__2026-11-26T08:00:00+00:00"


@pytest.fixture
def frame(tab, server):
    """The page in its frame."""
    tab.goto(f"{server.url}/team/frame?dag_id=a+b&run_id=x%2By")
    return tab.frame_locator("iframe")


def test_a_link_leaves_the_frame(tab, frame, server):
    """From within a sandbox that forbids it."""
    frame.get_by_role("link", name="log of registry.k8s.io/image003:v1").first.click()
    log = "/team/dags/nightly/runs/scheduled__2/tasks/copy_image/mapped/3"
    tab.wait_for_url(f"{server.url}{log}")
    assert tab.title() == "Airflow"


def test_a_link_may_open_a_tab(tab, frame, server):
    """As browsers do with Control."""
    with tab.context.expect_page() as opened:
        frame.get_by_role("link", name="log of").first.click(modifiers=["Control"])
    opened.value.wait_for_url("**/mapped/*")
    assert tab.url.startswith(f"{server.url}/team/frame")


def test_it_is_dark_when_airflow_is(tab, frame):
    """And light again."""
    root = frame.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    tab.evaluate("document.documentElement.className = 'dark'")
    expect(root).to_have_attribute("data-theme", "dark")
    assert root.evaluate("x => getComputedStyle(x).colorScheme") == "dark"


def test_the_run_is_handed_on(frame, server):
    """As a tab of a run."""
    expect(frame.locator(".headline")).to_be_visible()
    assert server.asked == ["dag_id=a+b&run_id=x%2By"]


@pytest.mark.parametrize(
    ("button", "dry_run", "conf", "dag_id", "expected"),
    [
        ("Copy now", False, {"kops_version": "1.36.2"}, "nightly", {"kops_version": "1.36.2"}),
        ("Copy now", True, {"dry_run": True}, "nightly", {}),
        ("Check now", False, {"deep": True}, "look", {"deep": True}),
        ("Check now", True, {"deep": True}, "nightly", {"deep": True, "dry_run": True}),
    ],
)
def test_a_run_is_started(tab, server, button, dry_run, conf, dag_id, expected):
    """With the configuration of the last one, by the API, once."""
    server.values, server.conf = three_clusters(actions(dry_run=dry_run)), conf
    tab.goto(server.home)
    tab.get_by_role("button", name=f"{button} broken.example.com").dblclick()
    message = tab.locator("#message")
    expect(message).to_contain_text(f"{button} of broken.example.com: started {STARTED}.")
    href = message.get_by_role("link").get_attribute("href")
    assert href == f"../dags/{dag_id}/runs/manual__2026-11-26T08%3A00%3A00%2B00%3A00"
    body = {"logical_date": None, "conf": expected, "note": "Started from the kOps assets page"}
    assert server.posted == [(f"/api/v2/dags/{dag_id}/dagRuns", "application/json", body)]


def test_a_paused_dag(page, server):
    """Its run waits, and nobody should wonder why."""
    server.paused = True
    page.get_by_role("button", name="Copy now broken").click()
    expect(page.locator("#message")).to_contain_text("It waits, since the DAG is paused.")


def test_a_dag_without_dry_runs_copies_nothing(tab, server):
    """Its run would copy although somebody wanted to check."""
    server.values, server.params = three_clusters(actions(dry_run=True)), {}
    tab.goto(server.home)
    tab.get_by_role("button", name="Check now broken").click()
    expect(tab.locator("#message")).to_contain_text("nightly has no dry run. Run a DAG that checks")
    assert server.posted == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((403, {"detail": "Forbidden"}), "was not started: Forbidden"),
        ((409, {"detail": {"reason": "Unique constraint violation"}}), "Unique constraint"),
        ((422, {"detail": [{"msg": "Input should be valid"}]}), "Input should be valid"),
        ((502, None), "the server answered 502"),
    ],
)
def test_a_refusal_is_told(page, server, answer, words):
    """In Airflow's own words, if it has any."""
    server.refusal = answer
    page.get_by_role("button", name="Copy now broken").click()
    expect(page.locator("#message")).to_contain_text(words)


def test_who_may_not_start_runs(tab, server):
    """The buttons are there, say why, and do nothing."""
    server.values = three_clusters(actions(allowed=False))
    tab.goto(server.home)
    button = tab.get_by_role("button", name="Copy now broken.example.com")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "You may not start runs of nightly")
