"""DAGs and task groups are made as asked for, and a typo is an error at once."""

import pytest

from kops_assets_provider.dag_factory import kops_copy_assets_dag, options_from_variable
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


def test_nothing_is_asked_while_a_file_is_parsed():
    """Options from a Variable are templates; there is no such Variable here."""
    options = options_from_variable("no_such_variable", params=True)
    dag = kops_copy_assets_dag("x", **options)
    assert "no_such_variable" in dag.get_task("get_assets").cluster_spec


@pytest.mark.parametrize(
    ("form", "variable", "expected"),
    [
        (None, {"any_kubernetes_version": True}, "True"),
        (False, {"any_kubernetes_version": True}, "False"),
        (None, {}, "False"),
    ],
)
def test_false_is_an_answer(form, variable, expected):
    """A form's False goes before the Variable's True; an empty field does not."""
    import jinja2

    template = options_from_variable("v", params=True)["any_kubernetes_version"]
    rendered = jinja2.Template(template).render(
        var={"json": {"v": variable}}, params={"any_kubernetes_version": form}
    )
    assert rendered == expected
