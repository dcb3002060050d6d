"""One table has all options; what is declared elsewhere, by convention, agrees with it."""

from __future__ import annotations

import argparse
import inspect
import re

import pytest

from kops_assets_provider.cli.arguments import flag_help
from kops_assets_provider.cli.entry_point import make_parser
from kops_assets_provider.dag_params import check_params, copy_params, options_from_variable
from kops_assets_provider.kops.catalog import known_releases
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.operators.check import KopsCheckAssetsOperator
from kops_assets_provider.operators.copy import KopsCopyFileOperator, KopsCopyImageOperator
from kops_assets_provider.operators.get_assets import KopsGetAssetsOperator
from kops_assets_provider.operators.get_fleet_assets import KopsGetFleetAssetsOperator
from kops_assets_provider.operators.plan import KopsPlanFilesOperator, KopsPlanImagesOperator
from kops_assets_provider.operators.report import KopsFleetReportOperator, KopsReportOperator
from kops_assets_provider.options import copy_options
from kops_assets_provider.options.option import Group
from kops_assets_provider.options.table import COPY_OPTIONS, LIST_OPTIONS, OPTIONS
from kops_assets_provider.task_groups.options import CopyAssetsOptions

CLOUDS = {"aws_conn_id", "gcp_conn_id"}
STORES = CLOUDS | {"file_targets", "bucket_owner", "s3_options", "gcs_options"}
PLACES = {"source_rewrites"}
IMAGES = CLOUDS | {x.name for x in COPY_OPTIONS if x.group is Group.IMAGES} - {"immutable_tags"}
IMAGES |= PLACES | {"on_drift"}
LIST = {x.name for x in LIST_OPTIONS}
PLANS = STORES | {"record_url", "plan_only"}
REPORTS = STORES | {"check_downloads", "plan_only"}
OPERATORS = {
    KopsGetAssetsOperator: LIST | STORES | PLACES,
    KopsGetFleetAssetsOperator: LIST | STORES | PLACES,
    KopsPlanImagesOperator: PLANS | IMAGES | {"immutable_tags"},
    KopsPlanFilesOperator: PLANS | PLACES | {"deep", "on_drift", "report_url"},
    KopsCopyImageOperator: IMAGES,
    KopsCopyFileOperator: STORES | PLACES | {"deep"},
    KopsCheckAssetsOperator: IMAGES
    | STORES
    | {"immutable_tags", "record_url", "deep", "check_downloads"},
    KopsReportOperator: REPORTS | {"record_url", "report_url"},
    KopsFleetReportOperator: REPORTS,
}
BY_PARAMETER = {x.parameter: x for x in OPTIONS.values()}
# Parameters with values that are no options: assets, and what tasks leave for each other.
OWN = {"assets", "clusters", "canonical", "download", "digest", "sha"}
CLASSES = sorted(
    {x for operator in OPERATORS for x in operator.__mro__ if "kops_assets" in x.__module__},
    key=lambda x: x.__name__,
)


def test_the_authors_of_dags_have_the_options_of_the_table():
    """The typed dictionary is for editors and type checkers."""
    assert CopyAssetsOptions.__annotations__.keys() == OPTIONS.keys()


def test_each_type_is_what_the_reader_takes():
    """A switch may be text, since it may be a template; so may everything that is one."""
    for name, annotation in CopyAssetsOptions.__annotations__.items():
        text = annotation.__forward_arg__
        option = OPTIONS[name]
        assert ("bool" in text) is option.is_switch
        assert ("Mapping" in text) is (option.form_type == "object")
        assert ("str" in re.split(r"[ |]+", text)) is (name != "on_readiness_change")
        assert ("Sequence" in text) or option.form_type != "array"


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda x: x.__name__)
def test_an_operator_has_its_options(operator):
    """Each of them is a template, and all others are its own."""
    fields = set(operator.template_fields)
    assert fields & BY_PARAMETER.keys() == OPERATORS[operator]
    assert fields - BY_PARAMETER.keys() <= OWN
    assert all(BY_PARAMETER[x].is_template for x in OPERATORS[operator])


def test_every_option_has_an_operator():
    """But for the pool, which Airflow itself has for all operators."""
    taken = set().union(*OPERATORS.values(), {"on_readiness_change", "copy_pool"})
    assert taken == BY_PARAMETER.keys()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda x: x.__name__)
def test_defaults_of_operators_are_those_of_the_table(cls):
    """So that an option that is left out means the same in a DAG and in a Variable."""
    parameters = inspect.signature(vars(cls).get("__init__", lambda: None)).parameters
    for name, parameter in parameters.items():
        if name in BY_PARAMETER:
            assert parameter.default == BY_PARAMETER[name].default, name


def parameter_docs(cls):
    """Return what a docstring has of each parameter, in one line."""
    found = re.split(r"\n:param (\w+): ", inspect.cleandoc(vars(cls).get("__doc__") or ""))
    texts = (x.partition("\n\n")[0].replace("``", "`") for x in found[2::2])
    return dict(zip(found[1::2], (" ".join(x.split()) for x in texts), strict=True))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda x: x.__name__)
def test_docstrings_begin_with_the_help(cls):
    """Then they say what only this operator does with it."""
    for name, text in parameter_docs(cls).items():
        if (cls.__name__, name) == ("KopsReportOperator", "cluster_name"):
            continue  # it chooses a cluster of the list, and does not say which one to list
        if name in BY_PARAMETER:
            assert text.startswith(BY_PARAMETER[name].help), name
            assert text.endswith("(templated)") is BY_PARAMETER[name].is_template
        else:
            assert name not in OPTIONS


def test_docstrings_have_all_options():
    """Some class of an operator has each of them."""
    documented = set().union(*map(parameter_docs, CLASSES))
    assert BY_PARAMETER.keys() - documented == {"copy_pool"}


def test_help_is_a_sentence():
    """It begins in lower case, as in docstrings and in the command, unless with a name."""
    for option in OPTIONS.values():
        assert re.match(r"[a-z]|URLs |Airflow's ", option.help), option.name
        flag = option.flag.help if option.flag else ""
        for text in filter(None, (option.help, option.dag_help, flag)):
            assert text.endswith(".")
            assert text.count("`") % 2 == 0
            assert "%" not in text, "argparse would take it for a format"


def test_what_a_variable_may_have():
    """All that a template can be; and the default is what its operator has."""
    templates = {x.name for x in OPTIONS.values() if x.is_template}
    assert options_from_variable("v").keys() == templates
    assert OPTIONS.keys() - templates == {"on_readiness_change", "copy_pool"}


def test_the_form_is_made_of_the_table():
    """An unset field is null, and each says what the docs say."""
    form = copy_params()
    assert form.keys() == {x.name for x in OPTIONS.values() if x.form is not None}
    # What runs on a worker, or where its documents go, is not for those who may start a run.
    assert not form.keys() & {"kops_command", "sha_file", "output_url", "record_url", "report_url"}
    assert not form.keys() & {"aws_conn_id", "gcp_conn_id"}
    for name, field in form.items():
        assert field.value is None
        assert field.schema["type"] == ["null", OPTIONS[name].form_type]
        assert field.schema["section"] == OPTIONS[name].group
        assert field.description.lower() == OPTIONS[name].help.replace("`", "").lower()
    assert form["kops_version"].schema["examples"] == list(known_releases())
    assert check_params().keys() == form.keys() - {"dry_run"}


def test_a_policy_is_one_of_the_engines():
    """Another word could not be obeyed."""
    assert copy_options.ON_DRIFT.choices == tuple(OnDrift)


def flags_of(command):
    subcommands = make_parser([command])._actions[-1].choices
    return {x.dest: x for x in subcommands[command]._actions}


@pytest.mark.parametrize("command", ["list", "check", "copy"])
def test_the_commands_flags_are_those_of_the_table(command):
    """Its own are the few that a DAG has no use for."""
    actions = flags_of(command)
    expected = {x.name for x in OPTIONS.values() if x.flag}
    if command == "list":
        expected &= LIST | PLACES
    if command == "check":
        expected -= {"dry_run"}
    own = {"no_fetch_hashes", "hosts", "verbose"} if command == "list" else {"jobs", "quiet"}
    assert actions.keys() - {"help", "output", *own} == expected
    for name in expected:
        option, action = OPTIONS[name], actions[name]
        assert action.help == flag_help(option, option.flag)
        assert action.help.startswith(option.help.replace("`", "").removesuffix("."))
        assert option.flag.name == action.option_strings[0]
        assert isinstance(action, argparse._AppendAction) is option.flag.repeats


def test_only_some_options_differ_from_cluster_to_cluster():
    """Those of its list; where it goes, and how, holds for the group."""
    assert {x.name for x in OPTIONS.values() if not x.in_fleet_file} == {
        "cluster_name",
        "kops_command",
        "output_url",
        "on_readiness_change",
    }
