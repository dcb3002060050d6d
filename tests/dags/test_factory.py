"""DAGs and task groups are made as asked for, and a typo is an error at once."""

import jinja2
import pytest

from kops_assets_provider.dag_factory import kops_copy_assets_dag
from kops_assets_provider.dag_params import dry_run_param, options_from_variable
from kops_assets_provider.options.readers import as_flag
from kops_assets_provider.task_groups.copy_assets import kops_copy_assets_task_group

OPTIONS = {"cluster_spec": "c.yaml", "kops_version": "1.36.2"}


def test_a_misspelt_option_is_an_error():
    """Silently ignored, it would copy with the wrong credentials or to the wrong place."""
    with pytest.raises(TypeError, match=r"file_target; there are .*file_targets"):
        kops_copy_assets_dag("x", **OPTIONS, file_target={})


def test_two_groups_live_in_one_dag():
    """Each report reads what its own group's tasks left."""
    from airflow.sdk import DAG

    with DAG("two", schedule=None) as dag:
        first = kops_copy_assets_task_group("first", **OPTIONS)
        second = kops_copy_assets_task_group("second", **OPTIONS)
        first >> second
    report = dag.get_task("second.report")
    assert report.get_assets_task_id == "second.get_assets"
    assert report.plan_task_ids == ["second.plan_images", "second.plan_files"]
    assert report.copy_task_ids == ["second.copy_image", "second.copy_file"]
    assert report.upstream_task_ids == {"second.copy_image", "second.copy_file"}
    assert dag.get_task("second.get_assets").upstream_task_ids == {"first.report"}


def test_the_report_is_the_only_leaf():
    """A run is judged by its leaves: it is green exactly when the mirror is whole."""
    dag = kops_copy_assets_dag("x", **OPTIONS)
    assert [x.task_id for x in dag.leaves] == ["report"]
    assert dag.get_task("report").retries == 0


@pytest.mark.parametrize("task_id", ["get_assets", "plan_files", "copy_image"])
def test_retries_are_ours_unless_the_user_says_otherwise(task_id):
    """By the default arguments of the DAG, as for any other; a report is never tried again."""
    from airflow.sdk import DAG

    ours = kops_copy_assets_dag("x", **OPTIONS)
    options = {"default_args": {"retries": 7}}
    theirs = kops_copy_assets_dag("y", dag_options=options, **OPTIONS)
    with DAG("z", schedule=None, default_args={"retries": 1}) as dag:
        kops_copy_assets_task_group("group", **OPTIONS)
    found = [x.get_task(task_id) for x in (ours, theirs)] + [dag.get_task(f"group.{task_id}")]
    assert [x.retries for x in found] == [4, 7, 1]
    assert {x.retry_delay.total_seconds() for x in found} == {15}
    assert {x.get_task("report").retries for x in (ours, theirs)} == {0}


def test_nothing_is_asked_while_a_file_is_parsed():
    """Options from a Variable are templates; there is no such Variable here."""
    options = options_from_variable("no_such_variable", params=True)
    dag = kops_copy_assets_dag("x", **options)
    assert "no_such_variable" in dag.get_task("get_assets").cluster_spec


@pytest.mark.parametrize(
    ("option", "form", "variable", "expected"),
    [
        ("any_kubernetes_version", None, True, "True"),
        ("any_kubernetes_version", False, True, "False"),
        ("any_kubernetes_version", None, None, "None"),
        ("extended", False, True, "False"),
        ("extended", None, True, "True"),
        ("kops_version", None, "1.36.2", '"1.36.2"'),
        ("kops_version", "", "1.36.2", '"1.36.2"'),
        ("kops_version", "1.35.2", "1.36.2", '"1.35.2"'),
        ("kubernetes_version", None, ["1.35.0", "1.36.0"], '["1.35.0", "1.36.0"]'),
        ("file_targets", {}, {"https://a": "s3://b"}, '{"https://a": "s3://b"}'),
        ("file_targets", {"https://c": "/d"}, {"https://a": "s3://b"}, '{"https://c": "/d"}'),
    ],
)
def test_what_the_form_says_goes_before_the_variable(option, form, variable, expected):
    """An empty field is no answer (the UI shows an unset mapping as ``{}``); off is one."""
    template = options_from_variable("v", params=True)[option]
    rendered = jinja2.Template(template).render(
        var={"json": {"v": {option: variable}}}, params={option: form}
    )
    assert rendered == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, {"cluster_spec": "c.yaml", "state_store": "None", "asset_list": "None"}),
        (
            {"state_store": "s3://x"},
            {"cluster_spec": "None", "state_store": "s3://x", "asset_list": "None"},
        ),
        (
            {"asset_list": "/l.json"},
            {"cluster_spec": "None", "state_store": "None", "asset_list": "/l.json"},
        ),
    ],
)
def test_a_source_in_the_form_replaces_the_variables(form, expected):
    """Whoever names another source of the list does not mean both."""
    options = options_from_variable("v", params=True)
    rendered = {
        x: jinja2.Template(options[x]).render(
            var={"json": {"v": {"cluster_spec": "c.yaml"}}}, params=form
        )
        for x in expected
    }
    assert rendered == expected


def rendered(dag, **form):
    """Return whether the plan of images is a dry run, as Airflow renders it for a run."""
    params = {**{name: dag.params[name] for name in dag.params}, **form}
    template = dag.get_task("plan_images").plan_only
    return as_flag("plan_only", jinja2.Template(template).render(params=params))


def test_any_run_by_hand_may_be_a_dry_run():
    """By the form of a DAG, whoever made it; unless the code says what is a dry run."""
    dag = kops_copy_assets_dag("x", **OPTIONS)
    assert rendered(dag) is False
    assert rendered(dag, dry_run=True) is True
    assert "dry_run" not in kops_copy_assets_dag("y", **OPTIONS, dry_run=False).params
    variable = options_from_variable("kops_assets")
    nightly = kops_copy_assets_dag(
        "z", dag_options={"params": {"dry_run": dry_run_param(None)}}, **variable
    )
    assert "params.get('dry_run')" in nightly.get_task("plan_images").plan_only
