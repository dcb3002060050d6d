"""Options that a DAG takes from an Airflow Variable, and from the form of a run by hand."""

from __future__ import annotations

from typing import Any, cast

from airflow.sdk import Param

from kops_assets_provider.options.copy_options import DRY_RUN
from kops_assets_provider.options.list_options import KOPS_VERSION, SOURCES
from kops_assets_provider.options.option import Option
from kops_assets_provider.options.table import OPTIONS
from kops_assets_provider.task_groups.options import CopyAssetsOptions

__all__ = ["check_params", "copy_params", "dry_run_param", "options_from_variable"]

# Each task reads the DAG file first, so what only its work needs is imported where it is done.


def options_from_variable(name: str, *, params: bool = False) -> CopyAssetsOptions:
    """
    Return templates that read all options from an Airflow Variable, a JSON object.

    The Variable is read when tasks run, never while a DAG file is parsed. Its values are data: they
    are not rendered.

    :param name: the Variable's key.
    :param params: let the run's params override the Variable, as far as ``copy_params`` declares
        them. ``dry_run`` always overrides it.
    """
    # A run's conf may have any key; only what the form offers may come from there.
    options = {
        x.name: _template(name, x, x is DRY_RUN or (params and x.form is not None))
        for x in OPTIONS.values()
        if x.is_template
    }
    return cast("CopyAssetsOptions", options)


def _template(variable: str, option: Option[Any], params: bool) -> str:
    found = f"var.json.get({variable!r}, {{}}).get({option.name!r}, {option.default!r})"
    if params:
        own = f"params.get({option.name!r})"
        # An empty field of the form means the Variable's value; a switch that is off means off.
        is_set = f"{own} is not none" if option.is_switch else own
        # Who says one source of the list in the form does not mean the Variable's other one.
        others = [f"params.get({x.name!r})" for x in SOURCES if option in SOURCES and x != option]
        unsaid = f"none if {' or '.join(others)} else {found}" if others else found
        found = f"({own} if {is_set} else {unsaid})"
    # What is not text must survive being rendered to text.
    return f"{{{{ {found} | tojson }}}}" if option.is_structure else f"{{{{ {found} }}}}"


def dry_run_param(default: bool | None = False, **options: Any) -> Param:
    """Return the param of the trigger form that switches a dry run on."""
    return _param(DRY_RUN, default, **options)


def check_params() -> dict[str, Param]:
    """Return the params of a check's trigger form: those of ``copy_params``, without a dry run."""
    return {name: x for name, x in copy_params().items() if name != DRY_RUN.name}


def copy_params() -> dict[str, Param]:
    """Return the params of a copy's trigger form; a field left empty means the Variable's value."""
    from kops_assets_provider.kops.catalog import known_releases

    more = {KOPS_VERSION.name: {"examples": list(known_releases())}}
    return {
        x.name: _param(x, None, section=str(x.group), **more.get(x.name, {}))
        for x in OPTIONS.values()
        if x.form is not None
    }


def _param(option: Option[Any], default: Any, **more: Any) -> Param:
    text = option.help.replace("`", "")
    own: dict[str, Any] = {
        "type": ["null", option.form_type],
        "description": f"{text[0].upper()}{text[1:]}",
        **(option.form or {}),
        **more,
    }
    return Param(default, **own)
