"""What Airflow is told of this package is valid, true and complete."""

import importlib
import inspect
import json
from importlib.metadata import distribution
from pathlib import Path

import jsonschema
import pytest

from kops_assets_provider.get_provider_info import get_provider_info
from tests.airflow_versions import known_hooks

INFO = get_provider_info()


def schema(name: str) -> dict:
    import airflow

    return json.loads((Path(airflow.__path__[0]) / name).read_text())


def test_the_provider_info_fits_airflows_schema():
    """Airflow validates it at every start."""
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_the_connection_form_fits_airflows_schema():
    """Its fields are checked by the schema of providers' own files alone."""
    connection_types = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    jsonschema.validate(INFO["connection-types"], connection_types)


def test_the_package_is_the_distribution():
    """Airflow refuses a provider whose name is not that of its distribution."""
    found = distribution("airflow-provider-kops-assets")
    assert INFO["package-name"] == found.name
    assert INFO["versions"] == [found.version]
    groups = {x.group for x in found.entry_points}
    assert {"apache_airflow_provider", "console_scripts"} <= groups


@pytest.mark.parametrize("kind", ["operators", "sensors", "hooks"])
def test_all_modules_are_declared(kind):
    """Each of them exists, and each public class in the folder is in one of them."""
    (entry,) = INFO[kind]
    suffix = kind[:-1].capitalize()
    found = {
        name
        for module in entry["python-modules"]
        for name, value in inspect.getmembers(importlib.import_module(module), inspect.isclass)
        if name.endswith(suffix) and value.__module__ == module and not name.startswith("_")
    }
    expected = {
        "operators": {
            "KopsGetAssetsOperator",
            "KopsPlanImagesOperator",
            "KopsPlanFilesOperator",
            "KopsCopyImageOperator",
            "KopsCopyFileOperator",
            "KopsCheckAssetsOperator",
            "KopsGetFleetAssetsOperator",
            "KopsReportOperator",
            "KopsFleetReportOperator",
        },
        "sensors": {"KopsAssetsReadySensor"},
        "hooks": {"OciRegistryHook", "S3FileRepositoryHook", "GCSFileRepositoryHook"},
    }
    assert found == expected[kind]


def test_all_links_are_declared():
    """Each class of a link that an operator has, and no other."""
    from kops_assets_provider.operators import copy

    operators = (copy.KopsCopyImageOperator, copy.KopsCopyFileOperator)
    links = {type(link) for operator in operators for link in operator.operator_extra_links}
    assert INFO["extra-links"] == sorted(f"{x.__module__}.{x.__name__}" for x in links)


@pytest.mark.airflow
def test_airflow_finds_the_connection_type():
    """The registry's hook is behind its connection type."""
    hook = known_hooks()["oci_registry"]
    assert hook.hook_class_name == "kops_assets_provider.hooks.oci_registry.OciRegistryHook"


@pytest.mark.parametrize(
    "name",
    [
        "get_assets.KopsGetAssetsOperator",
        "plan.KopsPlanImagesOperator",
        "plan.KopsPlanFilesOperator",
        "copy.KopsCopyImageOperator",
        "copy.KopsCopyFileOperator",
        "report.KopsReportOperator",
    ],
)
def test_template_fields_are_attributes_and_documented(name):
    """Every operator attribute has its parameter's name, or templating breaks."""
    module, _, cls_name = name.partition(".")
    cls = getattr(importlib.import_module(f"kops_assets_provider.operators.{module}"), cls_name)
    parameters = {
        x for c in cls.__mro__ for x in getattr(c.__init__, "__annotations__", {}) if x != "return"
    }
    docs = "".join(c.__doc__ or "" for c in cls.__mro__ if "kops_assets" in c.__module__)
    for field in cls.template_fields:
        assert field in parameters
        assert f":param {field}:" in docs
