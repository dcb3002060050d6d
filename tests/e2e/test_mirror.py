"""
A cluster's assets from real servers to real servers, under a real scheduler.

From docker-registry and nginx to a second docker-registry, which wants a password, and SeaweedFS.
"""

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from kops_assets_provider.mirror.lists.get_list import list_cluster
from tests.e2e.shared_airflow import aws_default, kops_assets_variable
from tests.support.components import docker_registry, nginx, seaweedfs
from tests.support.images import make_image, push_image
from tests.support.local_airflow import LocalAirflow
from tests.support.reread import wrong_assets
from tests.support.upstream import PLATFORMS, Upstream

ROOT = Path(__file__).parent.parent.parent
SPEC = ROOT / "tests/support" / "demo.example.com.yaml"
DAG_ID = "kops_copy_assets_manual"
LOGIN = ("robot", "canary-registry-password")
KEYS = {"access_key": "AKIACANARYCANARY0001", "secret_key": "canary-s3-secret"}
LATE = "registry.k8s.io/pause:3.10.1"
# All that SeaweedFS is asked goes through nginx, which writes down what it was.
PROXY = """
client_max_body_size 0; proxy_request_buffering off; proxy_buffering off; proxy_http_version 1.1;
location / {{ proxy_pass {url}; proxy_set_header Host $http_host; }}
"""
WRITES = {"POST", "PUT", "PATCH", "DELETE"}

pytestmark = [pytest.mark.component, pytest.mark.airflow, pytest.mark.timeout(900)]


@dataclass
class World:
    """Everything that runs, and what should be at the end."""

    airflow: LocalAirflow
    source: object
    source_files: object
    target: object
    s3: object
    s3_log: object
    upstream: Upstream
    assets: dict
    records: Path

    def run(self, conf=None):
        """Run the DAG and wait; return the run's id."""
        run_id = self.airflow.api.trigger(DAG_ID, conf)
        return run_id, self.airflow.api.wait(DAG_ID, run_id, timeout=300)["state"]

    def states(self, run_id):
        """Count the task instances by name and state."""
        instances = self.airflow.api.task_instances(DAG_ID, run_id)
        return Counter((x["task_id"], x["state"]) for x in instances)

    def report(self, run_id):
        """Return the run's report."""
        return self.airflow.api.xcom(DAG_ID, run_id, "report", "report")

    def requests(self):
        """Return how many requests each server has seen so far, by method."""
        servers = {
            "source": self.source,
            "files": self.source_files,
            "target": self.target,
            "s3": self.s3_log,
        }
        return {
            name: Counter(x.method for x in server.requests()) for name, server in servers.items()
        }


@pytest.fixture(scope="module")
def world(airflow, tmp_path_factory):
    tmp = tmp_path_factory.mktemp("e2e")
    with ExitStack() as stack:
        start = stack.enter_context
        source = start(docker_registry(tmp / "source"))
        target = start(docker_registry(tmp / "target", credentials=LOGIN))
        (tmp / "files").mkdir()
        source_files = start(nginx(tmp / "files"))
        s3 = start(seaweedfs(tmp / "s3", anonymous_read=True, **KEYS))
        s3.client().create_bucket(Bucket="kops")
        s3_log = start(nginx(tmp / "files", server_directives=PROXY.format(url=s3.url)))

        spec = tmp / "cluster.yaml"
        text = SPEC.read_text().replace("registry.demo.example.com", target.host)
        spec.write_text(text.replace("https://files.demo.example.com", s3.url))
        assets = list_cluster(str(spec), "1.36.2", fetch_hashes=False).assets
        upstream = Upstream()
        upstream.add_images(
            [x.canonical for x in assets.images if x.canonical != LATE],
            source.host,
            partial(push_image, source.url),
        )
        upstream.add_files([x.canonical for x in assets.files], tmp / "files", source_files.url)
        upstream.write_shas(tmp / "shas.json")
        variable = {
            "cluster_spec": str(spec),
            "kops_version": "1.36.2",
            "sha_file": str(tmp / "shas.json"),
            "source_rewrites": upstream.rewrites,
            "file_targets": {f"{s3.url}/kops": "s3://kops"},
            "registry_conn_ids": {target.host: "mirror_registry"},
            "record_url": str(tmp / "records"),
        }
        aws = {
            "login": KEYS["access_key"],
            "password": KEYS["secret_key"],
            "extra": {"endpoint_url": s3_log.url, "region_name": "us-east-1"},
        }
        start(aws_default(airflow.api, **aws))
        start(kops_assets_variable(airflow.api, variable))
        airflow.api.add_connection(
            "mirror_registry", "oci_registry", host=target.host, login=LOGIN[0], password=LOGIN[1]
        )
        listed = json.loads(assets.to_json())
        for file in listed["files"]:
            file["sha"] = upstream.shas[file["canonical"]]
        yield World(
            airflow, source, source_files, target, s3, s3_log, upstream, listed, tmp / "records"
        )


@pytest.fixture(scope="module")
def first_run(world):
    """The first run, in which one image does not exist upstream yet."""
    run_id, state = world.run()
    return run_id, state, world.states(run_id), world.report(run_id)


def test_the_cluster_is_of_a_real_size(world):
    """At least 30 images and 14 files."""
    assert len(world.assets["images"]) >= 30
    assert len(world.assets["files"]) >= 14


def test_a_missing_image_fails_the_run_and_nothing_else(world, first_run):
    """Its neighbours finish; it is not retried; the report says what is missing and why."""
    _, state, states, report = first_run
    assert state == "failed"
    assert states == {
        ("get_assets", "success"): 1,
        ("plan_images", "success"): 1,
        ("plan_files", "success"): 1,
        ("copy_image", "success"): len(world.assets["images"]) - 1,
        ("copy_image", "failed"): 1,
        ("copy_file", "success"): len(world.assets["files"]),
        ("report", "failed"): 1,
    }
    (missing,) = (x for x in report["assets"] if x["state"] == "failed")
    assert missing["canonical"] == LATE
    assert missing["error"]["type"] == "NotFoundError"


def test_every_copy_bears_its_name_and_leads_to_both_sides(world, first_run):
    """The failed one too: labels in the grid, links in its details, and advice beside the task."""
    run_id = first_run[0]
    instances = world.airflow.api.task_instances(DAG_ID, run_id)
    labels = {x["task_id"]: set() for x in instances}
    for instance in instances:
        labels[instance["task_id"]].add(instance["rendered_map_index"])
    for task_id, kind in (("copy_image", "images"), ("copy_file", "files")):
        assert labels[task_id] == {x["canonical"] for x in world.assets[kind]}
        assert links(world, run_id, next(x for x in instances if x["task_id"] == task_id))
    failed = next(x for x in instances if (x["task_id"], x["state"]) == FAILED_COPY)
    target = next(x["download"] for x in world.assets["images"] if x["canonical"] == LATE)
    repository, _, tag = target.removeprefix(f"{world.target.host}/").rpartition(":")
    assert links(world, run_id, failed) == {
        "Source": "https://registry.k8s.io/v2/pause/manifests/3.10.1",
        "Target": f"http://{world.target.host}/v2/{repository}/manifests/{tag}",
    }
    task = world.airflow.api.request("GET", f"/api/v2/dags/{DAG_ID}/tasks/copy_image")
    assert "**It fails**" in task["doc_md"]


def links(world, run_id, instance):
    """Return the extra links of a task instance, none of them empty."""
    path = f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/{instance['task_id']}"
    found = world.airflow.api.request("GET", f"{path}/links?map_index={instance['map_index']}")
    assert all(found["extra_links"].values())
    return found["extra_links"]


def test_clearing_the_failed_copy_makes_the_run_green(world, first_run):
    """Only that mapped task and the report run again, and then everything is in the mirror."""
    run_id = first_run[0]
    api = world.airflow.api
    world.upstream.add_images([LATE], world.source.host, partial(push_image, world.source.url))
    failed = next(
        x for x in api.task_instances(DAG_ID, run_id) if (x["task_id"], x["state"]) == FAILED_COPY
    )
    assert failed["rendered_map_index"] == LATE
    assert failed["try_number"] == 1
    cleared = api.clear(DAG_ID, run_id, [["copy_image", failed["map_index"]]], only_failed=False)
    assert {(x["task_id"], x["map_index"]) for x in cleared} == {
        ("copy_image", failed["map_index"]),
        ("report", -1),
    }
    assert api.wait(DAG_ID, run_id, timeout=300)["state"] == "success"
    assert world.report(run_id)["counts"] == {
        "copied": len(world.assets["images"]) + len(world.assets["files"])
    }
    assert wrong_assets(world.assets, world.upstream.digests, LOGIN) == []


FAILED_COPY = ("copy_image", "failed")


def test_secrets_are_nowhere(world, first_run):
    """Not in a log, in XCom, in a rendered template, in the record or in a process' arguments."""
    del first_run
    secrets = [LOGIN[1], KEYS["secret_key"], "X-Amz-Signature="]
    home = world.airflow.home
    texts = [x.read_text(errors="replace") for x in (home / "logs").rglob("*.log")]
    texts += [x.read_text() for x in world.records.rglob("*.json")]
    texts += [x.read_bytes().decode("latin-1") for x in home.glob("airflow.db*")]
    texts += [x.read_text(errors="replace") for x in Path("/proc").glob("[0-9]*/cmdline")]
    assert len(texts) > len(world.assets["images"])
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_second_run_writes_nothing(world, first_run):
    """Two HEADs an image, one a file and a listing for all side-cars, and no write on any side."""
    del first_run
    before = world.requests()
    run_id, state = world.run()
    assert state == "success"
    states = world.states(run_id)
    assert (states["copy_image", "skipped"], states["copy_file", "skipped"]) == (1, 1)
    new = {name: counts - before[name] for name, counts in world.requests().items()}
    images, files = len(world.assets["images"]), len(world.assets["files"])
    assert new["source"] == {"HEAD": images}
    assert new["target"]["HEAD"] >= images
    assert new["files"] == {}
    assert new["s3"] == {"HEAD": files, "GET": 1}
    assert not any(new[name][method] for name in new for method in WRITES)


def test_exactly_what_was_damaged_is_copied_again(world, first_run):
    """One image deleted, one object overwritten by other bytes of the same length."""
    del first_run
    image, file = world.assets["images"][3], world.assets["files"][5]
    delete_image(world, image["download"])
    key = file["download"].removeprefix(f"{world.s3.url}/kops/")
    s3 = world.s3.client()
    size = s3.head_object(Bucket="kops", Key=key)["ContentLength"]
    s3.put_object(Bucket="kops", Key=key, Body=b"x" * size)
    assert len(wrong_assets(world.assets, world.upstream.digests, LOGIN)) == 2

    run_id, state = world.run()
    assert state == "success"
    copied = [x["canonical"] for x in world.report(run_id)["assets"] if x["state"] == "copied"]
    assert copied == [image["canonical"], file["canonical"]]
    assert world.states(run_id)["copy_image", "success"] == 1
    assert world.states(run_id)["copy_file", "success"] == 1
    assert wrong_assets(world.assets, world.upstream.digests, LOGIN) == []


def test_the_record_tells_the_whole_story(world, first_run):
    """What is there, since when, and which run copied it."""
    del first_run
    (path,) = world.records.rglob("*.json")
    record = json.loads(path.read_text())
    assert path.name == "demo.example.com.json"
    assert len(record["assets"]) == len(world.assets["images"]) + len(world.assets["files"])
    assert {x["state"] for x in record["assets"]} <= {"copied", "present"}
    assert all(x["copied_by"] and x["verified_at"] and x["target"] for x in record["assets"])


def test_the_connection_can_be_tested_from_the_ui(world):
    """A right password, a wrong one, and a host that is none."""
    results = {}
    for password in (LOGIN[1], "wrong"):
        body = {
            "connection_id": "x",
            "conn_type": "oci_registry",
            "host": world.target.host,
            "login": LOGIN[0],
            "password": password,
        }
        results[password] = world.airflow.api.request("POST", "/api/v2/connections/test", body)
    assert results[LOGIN[1]]["status"] is True
    assert results["wrong"]["status"] is False
    assert "401" in results["wrong"]["message"]


def test_what_one_image_costs_on_the_wire(world, first_run, tmp_path):
    """3 + 2P + 3B, and 1 + P more, since the plan asks first; counted on the real registries."""
    del first_run
    # Taken from the log of the first copy of this image: see the closing note's figures.
    image = world.assets["images"][0]
    made = make_image(image["canonical"], platforms=PLATFORMS, layers=3, size=64_000)
    repository = image["download"].partition("/")[2].rpartition(":")[0]
    seen = [x for x in world.target.requests() if f"/v2/{repository}/" in x.path and x.status < 400]
    blobs, manifests = len(made.blobs), len(made.manifests)
    assert Counter(x.method for x in seen if x.method in WRITES) == {
        "POST": blobs,
        "PUT": blobs + manifests,
    }


def delete_image(world, download):
    """Delete an image at the target as an owner would: by digest."""
    import base64
    import urllib.request

    name, _, tag = download.rpartition(":")
    base = f"http://{world.target.host}/v2/{name.partition('/')[2]}/manifests"
    login = base64.b64encode(":".join(LOGIN).encode()).decode()
    headers = {
        "Authorization": f"Basic {login}",
        "Accept": "application/vnd.oci.image.index.v1+json",
    }
    with urllib.request.urlopen(urllib.request.Request(f"{base}/{tag}", headers=headers)) as answer:
        digest = answer.headers["Docker-Content-Digest"]
    request = urllib.request.Request(f"{base}/{digest}", headers=headers, method="DELETE")
    urllib.request.urlopen(request).close()
