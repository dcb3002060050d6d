"""Writes docs/reference.md, from docstrings and the command's help, and docs/options.md."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import options_page

from kops_assets_provider.cli.entry_point import make_parser

PAGE = Path(__file__).parent.parent / "docs/reference.md"
MODULES = {
    "DAGs and task groups": (
        *("dag_factory", "dag_params", "task_groups.copy_assets", "task_groups.options"),
    ),
    "Operators": (
        *("operators.get_assets", "operators.get_fleet_assets", "operators.plan"),
        *("operators.copy", "operators.check", "operators.report", "operators.place_parameters"),
    ),
    "Readiness": ("airflow_assets", "sensors.ready"),
    "Hooks": ("hooks.oci_registry", "hooks.file_repository"),
    "Errors": ("exceptions",),
}
_HEAD = """\
# Reference

Made from the docstrings by `scripts/reference`; a test says when it is not up to date.
[The guide](guide/README.md) and the other pages tell what it is all for.
"""
_FIELD = re.compile(r"^:(param|raises) ([\w, ]+): ", re.MULTILINE)


def reference() -> str:
    """Return the page."""
    parts = [_HEAD]
    for title, names in MODULES.items():
        parts.append(f"## {title}\n")
        parts += [_entry(x, title) for name in names for x in _public(name)]
    page = "\n".join([*parts, "## The command\n", *_commands()])
    return re.sub(r"\n{3,}", "\n\n", page).rstrip() + "\n"


def _public(name: str) -> Iterator[Any]:
    """Yield what a module defines for users, in the order of its source."""
    module = importlib.import_module(f"kops_assets_provider.{name}")
    found = [
        x
        for name, x in vars(module).items()
        if (inspect.isclass(x) or inspect.isfunction(x)) and not name.startswith("_")
    ]
    own = [x for x in found if x.__module__ == module.__name__ and x.__doc__]
    yield from sorted(own, key=lambda x: inspect.getsourcelines(x)[1])


def _entry(found: Any, title: str) -> str:
    templated = getattr(found, "template_fields", ()) if title != "Errors" else ()
    text = _markdown(inspect.cleandoc(found.__doc__))
    names = ", ".join(f"`{x}`" for x in templated)
    more = f"\nTemplates: {names}.\n" if names else ""
    return f"### `{found.__name__}{_signature(found)}`\n\n{text}\n{more}"


def _signature(found: Any) -> str:
    """Return the names of a function's parameters; a class tells of its own in its docstring."""
    if inspect.isclass(found):
        return ""
    parameters = inspect.signature(found).parameters.values()
    return f"({', '.join(str(x).partition(':')[0].partition('=')[0].strip() for x in parameters)})"


def _markdown(text: str) -> str:
    """Return a docstring with its fields as a list."""
    text = re.sub(r":(?:class|func|data|meth):`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    parts = re.split(r"\n(?=:(?:param|raises) )", text)
    return "\n".join(map(_field, parts))


def _field(part: str) -> str:
    match = _FIELD.match(part)
    if match is None:
        return part.rstrip() + ("\n" if not part.startswith(":") else "")
    kind, name = match.groups()
    rest = part[match.end() :].rstrip()
    told, _, after = rest.partition("\n\n")
    label = f"`{name}`" if kind == "param" else f"raises `{name}`"
    item = f"- {label}: {' '.join(told.split())}"
    return f"{item}\n\n{after}\n" if after else item


def _commands() -> Iterator[str]:
    names = list(_subcommands(make_parser([])))
    for name, command in _subcommands(make_parser(names)).items():
        text = command.description
        yield f"### `kops-assets {name}`\n\n{text[0].upper()}{text[1:]}.\n"
        yield "\n".join(_option(x) for x in command._actions if x.dest != "help") + "\n"


def _option(action: Any) -> str:
    """Return an option as an item; argparse' own text is another one in each Python."""
    takes_value = action.nargs != 0
    values = "|".join(action.choices) if action.choices else action.metavar
    names = ", ".join(
        f"`{x}{f' {values}' if takes_value and values else ''}`" for x in action.option_strings
    )
    return f"- {names}" + (f": {action.help}" if action.help else "")


def _subcommands(parser: Any) -> dict[str, Any]:
    # argparse has no public way to them.
    (found,) = (x for x in parser._actions if isinstance(x.choices, dict))
    choices: dict[str, Any] = found.choices
    return choices


if __name__ == "__main__":
    PAGE.write_text(reference())
    options_page.PAGE.write_text(options_page.options_page())
