"""The generated pages are what the docstrings and the table of options say now."""

from __future__ import annotations

import options_page
import pytest
import reference

pytestmark = pytest.mark.airflow


def test_the_public_api_is_up_to_date():
    """Otherwise run ``scripts/reference``, which writes it anew."""
    assert reference.PAGE.read_text() == reference.reference()


def test_the_page_of_options_is_up_to_date():
    """Otherwise run ``scripts/reference``."""
    assert options_page.PAGE.read_text() == options_page.options_page()


def entry_of(name):
    return reference.reference().partition(f"### `{name}`\n")[2].partition("\n### ")[0]


def test_functions_have_import_path_types_and_defaults():
    """As one would write the call."""
    assert """
kops_assets_provider.dag_params.options_from_variable(
    name: str,
    *,
    params: bool = False,
) -> CopyAssetsOptions
""" in entry_of("options_from_variable")


def test_operators_have_their_parameters_and_templates():
    """Also those of bases that the page does not have, with their text."""
    entry = entry_of("KopsCopyImageOperator")
    assert "class kops_assets_provider.operators.copy.KopsCopyImageOperator(" in entry
    assert "\n    digest: str | None = None,\n    asset: Mapping[str, Any] | None = None," in entry
    assert "Templates: `canonical`" in entry
    registries = entry_of("RegistriesOperator")
    assert "\n    aws_conn_id: str | None = 'aws_default'," in registries
    assert "\n- `aws_conn_id`: the Airflow connection" in registries


def test_every_parameter_of_an_operator_has_its_text():
    """A signature without one helps nobody."""
    for module in (*reference.PUBLIC["Operators"], *reference.PUBLIC["Readiness"]):
        for name, found in reference.public_names(module).items():
            if isinstance(found, type):
                own = [x.name for x in reference._parameters(found) if x.name != "kwargs"]
                assert [x for x in own if f"\n- `{x}`: " not in entry_of(name)] == []


def test_errors_have_their_bases_and_options_their_types():
    """What one may catch, and what one may pass."""
    line = "class kops_assets_provider.exceptions.InvalidInputError(PermanentError, ValueError)"
    assert line in entry_of("InvalidInputError")
    assert "\n    platforms: Sequence[str] | str | None\n" in entry_of("CopyAssetsOptions")


def test_the_command_has_its_flags():
    """Of each subcommand."""
    assert "- `--dry-run`: copy nothing" in entry_of("kops-assets copy")
