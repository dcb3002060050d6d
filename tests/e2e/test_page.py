"""
The page in Airflow's UI, under a real Airflow and in a real browser, after a run with one failure.

The record lies in S3: the API server reads it with the connection that the run has used.
"""

from __future__ import annotations

import json
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.error import HTTPError

import pytest

from kops_assets_provider.testing.airflow_api import AirflowApi
from kops_assets_provider.testing.asset_lists import asset_list
from kops_assets_provider.testing.images import make_image, put_image
from kops_assets_provider.testing.local_airflow import LocalAirflow
from kops_assets_provider.testing.oci_registry import OciRegistryServer
from kops_assets_provider.testing.s3_server import S3Server

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(400)]

CLUSTER = "prod.example.com"
IMAGES = ["good", "missing"]
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
def mirror(tmp_path_factory):
    """Run the DAG that copies, to its failure."""
    tmp = tmp_path_factory.mktemp("page")
    with ExitStack() as stack:
        source, target = (stack.enter_context(OciRegistryServer()) for _ in range(2))
        s3 = stack.enter_context(S3Server(["kops"]))
        put_image(source, "good:1", make_image("good"))
        names = [(f"{source.host}/{x}:1", f"{target.host}/kops/{x}:1") for x in IMAGES]
        (tmp / "list.json").write_text(json.dumps(asset_list(CLUSTER, names)))
        options = {"asset_list": str(tmp / "list.json"), "record_url": "s3://kops/records"}
        (tmp / "dags").mkdir()
        (tmp / "dags" / "mirror.py").write_text(DAGS.format(options=options))
        connection = {
            "conn_type": "aws",
            "login": "key",
            "password": "secret",
            "extra": {"endpoint_url": s3.url, "region_name": "us-east-1"},
        }
        env = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}
        airflow = stack.enter_context(LocalAirflow(tmp / "airflow", tmp / "dags", env=env))
        found = Mirror(airflow, source)
        found.run_id = airflow.api.trigger("mirror")
        assert airflow.api.wait("mirror", found.run_id)["state"] == "failed"
        yield found


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_asks_for_permission(mirror, route):
    """Nobody gets nothing, and who may read gets all of it, under the policy."""
    assert mirror.get(route)[0] == 401
    for user in ("viewer", "op", "admin"):
        status, _, headers = mirror.get(route, user)
        assert status == 200
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")


def test_what_is_shown(mirror):
    """The cluster, why it is not ready, and where the log is."""
    shown = mirror.shown()
    (cluster,) = shown["clusters"]
    print(json.dumps(shown, indent=1))
    assert (cluster["cluster"], cluster["status"], cluster["problems"]) == (
        CLUSTER,
        "not ready",
        1,
    )
    assert cluster["remark"] is None
