"""The DAGs of a fleet: one for each group of its file, made as asked for."""

import pytest

from kops_assets_provider.dag_factory import kops_copy_fleet_dags
from kops_assets_provider.exceptions import InvalidInputError

FLEET = """\
groups:
  production:
    schedule: "0 2 * * *"
    state_store: s3://kops-state-store
    kops_version: "1.36.2"
    copy_pool: mirror
    clusters: [prod-a.example.com, prod-b.example.com]
  staging:
    clusters:
      staging.example.com: {cluster_spec: /etc/kops/staging.yaml, kops_version: "1.35.2"}
"""


@pytest.fixture
def dags(tmp_path):
    def make(text=FLEET, **options):
        path = tmp_path / "fleet.yaml"
        path.write_text(text)
        return kops_copy_fleet_dags(path, **options)

    return make


def rendered(dag, task_id):
    """A task as it runs: Airflow resolves what the file says, and leaves it as it is."""
    task = dag.get_task(task_id)
    task.render_template_fields({"params": {}})
    return task


def test_each_group_is_a_dag(dags):
    """With the tasks of a DAG for one cluster, and one for each cluster's readiness."""
    production, staging = dags()
    assert [x.dag_id for x in (production, staging)] == [
        "kops_copy_assets_production",
        "kops_copy_assets_staging",
    ]
    assert (production.schedule, staging.schedule) == ("0 2 * * *", None)
    assert [x.task_id for x in production.leaves] == ["report"]
    publish = production.get_task("publish_readiness")
    assert publish.upstream_task_ids == {"copy_image", "copy_file"}
    assert publish.expand_input.value == {
        "cluster_name": ["prod-a.example.com", "prod-b.example.com"]
    }
    assert production.get_task("copy_image").partial_kwargs["pool"] == "mirror"


def test_what_holds_for_all_groups_is_an_argument(dags):
    """The file goes before it."""
    production, staging = dags(kops_version="1.34.0", dag_id_prefix="mirror_")
    assert staging.dag_id == "mirror_staging"
    found = [rendered(x, "get_assets").kops_version for x in (production, staging)]
    assert found == ["1.36.2", "1.34.0"]
    with pytest.raises(TypeError, match="unknown options kops_verison"):
        dags(kops_verison="1.34.0")


def test_a_cluster_s_own_options_go_before_the_group_s(dags):
    """One with a manifest of its own is not looked for in the group's state store."""
    text = FLEET.replace("[prod-a.example.com,", "{prod-a.example.com: {cluster_spec: /a},")
    (production, _) = dags(text.replace("prod-b.example.com]", "prod-b.example.com: }"))
    task = rendered(production, "get_assets")
    assert task.clusters == {"prod-a.example.com": {"cluster_spec": "/a"}, "prod-b.example.com": {}}
    requests = task.requests()
    own, other = (requests[f"prod-{x}.example.com"] for x in "ab")
    assert (own.cluster_spec, own.state_store) == ("/a", None)
    assert (other.cluster_spec, other.state_store) == (None, "s3://kops-state-store")
    assert [x.kops_versions for x in (own, other)] == [("1.36.2",)] * 2


def test_a_run_by_hand_may_be_a_dry_run(dags):
    """By a switch in its form, unless the file says it."""
    (production, _) = dags()
    assert production.params["dry_run"] is False
    assert "params" in production.get_task("plan_images").plan_only
    (production, _) = dags(FLEET.replace("copy_pool: mirror", "dry_run: true"))
    assert production.get_task("plan_files").plan_only.resolve({}) is True


def test_more_clusters_than_airflow_maps(dags, monkeypatch):
    """Told when the DAG file is parsed, with the setting."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "1")
    with pytest.raises(InvalidInputError, match=r"group production.*MAX_MAP_LENGTH\) is 1,.* 2"):
        dags()


@pytest.mark.parametrize("option", ["cluster_name", "kops_command", "output_url"])
def test_what_is_not_for_a_group(dags, option):
    """Neither in the file nor beside it."""
    with pytest.raises(InvalidInputError, match=f"unknown {option}"):
        dags(FLEET.replace("copy_pool", option))
    (production, _) = dags(**{option: "x"})
    with pytest.raises(InvalidInputError, match=f"{option}: not for a group"):
        rendered(production, "get_assets").requests()
