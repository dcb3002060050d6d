"""
The page in Airflow's UI, under a real Airflow and in a real browser, after a run with one failure.

The record lies in S3: the API server reads it with the connection that the run has used.
"""

from __future__ import annotations

import json
import os
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.shared_airflow import add_dags, aws_default
from tests.support.airflow_api import AirflowApi, AirflowApiError
from tests.support.asset_lists import asset_list
from tests.support.chromium import start_chromium
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.oci_registry import OciRegistryServer
from tests.support.s3_server import S3Server

# A busy machine may take its time: nothing here measures it.
expect.set_options(timeout=60_000)
pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

CLUSTER = "prod.example.com"
UPSTREAM = "registry.k8s.io"
IMAGES = [
    *("kube-apiserver:v1.35.2", "kube-proxy:v1.35.2", "etcd:3.6.6-0", "pause:3.10.1"),
    *("coredns/coredns:v1.13.1", "kops/dns-controller:1.36.2"),
]
MISSING = "kops/kops-controller:1.36.2"
DAGS = """
# Airflow reads only files with this word in them.
from kops_assets_provider.dag_factory import kops_check_assets_dag, kops_copy_assets_dag

copy = kops_copy_assets_dag("mirror", **{options!r})
check = kops_check_assets_dag("look", **{options!r})
"""
ROUTES = ["", "static/page.css", "static/page.js", "mirrors"]


@dataclass
class Mirror:
    airflow: LocalAirflow
    source: OciRegistryServer
    run_id: str = ""

    def get(self, path, user=None):
        """Return status and body of what a user gets, or nobody."""
        url = f"{self.airflow.url}/kops-assets/{path}"
        headers = {"Authorization": f"Bearer {self.api(user).token()}"} if user else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def api(self, user):
        return AirflowApi(self.airflow.url, user, user)

    def shown(self, path="mirrors", user="admin"):
        status, body, _ = self.get(path, user)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="module")
def mirror(airflow, tmp_path_factory):
    """Run the DAG that copies, to its failure."""
    tmp = tmp_path_factory.mktemp("page")
    with ExitStack() as stack:
        source, target = (stack.enter_context(OciRegistryServer()) for _ in range(2))
        s3 = stack.enter_context(S3Server(["kops"]))
        for name in IMAGES:
            put_image(source, name, make_image(name))
        names = [(f"{UPSTREAM}/{x}", f"{target.host}/kops/{x}") for x in (*IMAGES, MISSING)]
        (tmp / "list.json").write_text(json.dumps(asset_list(CLUSTER, names)))
        options = {"asset_list": str(tmp / "list.json"), "record_url": "s3://kops/records"}
        options |= {"source_rewrites": {UPSTREAM: source.host}}
        delete_runs(airflow.api)
        add_dags(airflow, "page", DAGS.format(options=options))
        stack.enter_context(aws_default(airflow.api, **connection(s3)))
        found = Mirror(airflow, source)
        found.run_id = airflow.api.trigger("mirror")
        assert airflow.api.wait("mirror", found.run_id)["state"] == "failed"
        yield found


def connection(s3):
    extra = {"endpoint_url": s3.url, "region_name": "us-east-1"}
    return {"login": "key", "password": "secret", "extra": extra}


def delete_runs(api):
    """Let the page know nothing of what other files have run."""
    for run in api.request("GET", "/api/v2/dags/~/dagRuns?limit=100")["dag_runs"]:
        path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{quote(run['dag_run_id'])}"
        api.request("DELETE", path)


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_asks_for_permission(mirror, route):
    """Nobody gets nothing, and who may read gets all of it, under the policy."""
    assert mirror.get(route)[0] == 401
    for user in ("viewer", "op", "admin"):
        status, _, headers = mirror.get(route, user)
        assert status == 200
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")


@pytest.mark.parametrize(("user", "allowed"), [("viewer", False), ("op", True), ("admin", True)])
def test_who_may_start_runs(mirror, user, allowed):
    """Who may only look sees it, and Airflow refuses the run."""
    actions = mirror.shown(user=user)["clusters"][0]["actions"]
    assert {x["allowed"] for x in actions.values()} == {allowed}
    if not allowed:
        body = {"logical_date": None}
        with pytest.raises(AirflowApiError, match="403"):
            mirror.api(user).request("POST", "/api/v2/dags/mirror/dagRuns", body)


def test_the_api_server_reads_the_record(mirror):
    """From S3, by the connection that the run has used: only the record knows its runs."""
    (cluster,) = mirror.shown()["clusters"]
    assert cluster["remark"] is None
    assert [x[1] for x in cluster["history"]] == [False]
    assert (cluster["cluster"], cluster["status"], cluster["problems"]) == (
        CLUSTER,
        "not ready",
        1,
    )


@pytest.fixture(scope="module")
def tab(mirror):
    """Airflow in a real browser, logged in by its form."""
    with sync_playwright() as playwright, start_chromium(playwright) as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(mirror.airflow.url)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill("admin")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{mirror.airflow.url}/")
        yield page


def take_picture(tab, name):
    """Keep what is seen for the documentation, if somebody asks for it."""
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=Path(folder) / f"{name}.png")


def open_page(tab):
    """Go to the page as a user does; return its frame."""
    tab.get_by_role("button", name="Browse").click()
    tab.get_by_role("menuitem", name="kOps assets").click()
    return tab.frame_locator("iframe[title='kOps assets']")


def open_run(tab, mirror, run_id):
    """Go to the tab of a run; return its frame."""
    tab.goto(f"{mirror.airflow.url}/dags/mirror/runs/{quote(run_id)}")
    tab.get_by_role("link", name="kOps assets").click()
    return tab.frame_locator("iframe[title='kOps assets']")


def clear_what_is_shown(tab):
    """Clear a task with its downstream, as Airflow's dialog has it by default."""
    tab.get_by_role("button", name="clear").first.click()
    # What would be cleared is asked for first.
    with tab.expect_response(lambda x: '"dry_run":false' in (x.request.post_data or "")):
        tab.get_by_role("dialog").get_by_role("button", name="Confirm").click()


def test_from_a_failure_to_ready(tab, mirror):
    """The page says what is missing; its log is a click away; cleared there, it is copied."""
    frame = open_page(tab)
    expect(frame.locator(".headline")).to_have_text("✗The cluster is not ready")
    expect(frame.locator(".problems")).to_contain_text("MANIFEST_UNKNOWN")
    take_picture(tab, "page")
    frame.get_by_role("link", name=f"log of {UPSTREAM}/{MISSING}").first.click()
    expect(tab.get_by_text("answered 404 MANIFEST_UNKNOWN").first).to_be_visible()
    put_image(mirror.source, MISSING, make_image(MISSING))
    clear_what_is_shown(tab)
    assert mirror.airflow.api.wait("mirror", mirror.run_id)["state"] == "success"
    frame = open_page(tab)
    expect(frame.locator(".headline")).to_have_text("✓The cluster is ready")
    frame.locator("summary", has_text="1 asset").click()
    expect(frame.locator("details li").first).to_have_text(f"mended image {UPSTREAM}/{MISSING}")
    take_picture(tab, "page-ready")


def test_the_tab_of_a_run(tab, mirror):
    """Beside its tasks: what this run found."""
    frame = open_run(tab, mirror, mirror.run_id)
    expect(frame.locator("#title")).to_have_text("kOps assets of this run")
    expect(frame.locator("table.assets tbody tr")).to_have_count(len(IMAGES) + 1)
    take_picture(tab, "page-run")


@pytest.mark.parametrize(("button", "conf"), [("Copy now", {}), ("Check now", {"dry_run": True})])
def test_a_run_is_started_from_the_page(tab, mirror, button, conf):
    """By Airflow's API; no DAG has checked yet, so a dry run does."""
    tab.goto(mirror.airflow.url)
    frame = open_page(tab)
    frame.get_by_role("button", name=f"{button} {CLUSTER}").click()
    link = frame.locator("#message").get_by_role("link")
    run_id = link.inner_text()
    link.click()
    tab.wait_for_url(f"**/dags/mirror/runs/{quote(run_id)}**")
    run = mirror.airflow.api.wait("mirror", run_id)
    assert (run["state"], run["conf"]) == ("success", conf)
    frame = open_run(tab, mirror, run_id)
    expect(frame.locator(".headline")).to_have_text("✓The cluster is ready")


def test_it_is_dark_where_airflow_is(tab, mirror):
    """Airflow's own switch, and on a phone."""
    tab.goto(mirror.airflow.url)
    tab.evaluate("localStorage.setItem('theme', 'dark')")
    tab.reload()
    frame = open_page(tab)
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    expect(frame.locator(".headline")).to_be_visible()
    take_picture(tab, "page-dark")
