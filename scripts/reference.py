"""Write docs/api.md, from docstrings, signatures and the command's help, and docs/options.md."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, is_typeddict

import options_page

from kops_assets_provider.cli.entry_point import make_parser

PACKAGE = "kops_assets_provider"
PAGE = Path(__file__).parent.parent / "docs/api.md"
PUBLIC = {
    "DAGs and task groups": (
        "dag_factory",
        "dag_params",
        "task_groups.copy_assets",
        "task_groups.options",
    ),
    "Operators": (
        "operators.get_assets",
        "operators.get_fleet_assets",
        "operators.plan",
        "operators.copy",
        "operators.check",
        "operators.report",
        "operators.place_parameters",
    ),
    "Readiness": ("airflow_assets", "sensors.ready"),
    "Hooks": ("hooks.oci_registry", "hooks.file_repository"),
    "Errors": ("exceptions",),
    "The command": ("cli",),
}
"""The public modules, by the sections of the page; each states its public names in ``__all__``."""
_HEAD = """\
# Public API

The names on this page, their import paths, parameters and defaults, [the options](options.md), the
command's flags and exit statuses, and the XCom keys named here are stable: a change that breaks a
DAG, a script or a subclass of an error comes only with a new major version and an entry in the
changelog.
All other modules, names, attributes and methods are internal and may change in any release, except
the methods that Airflow's base classes define, such as `execute`, `poke` and `get_conn`.

`scripts/reference` writes this page from the docstrings, and a test fails if it is out of date.
[The guide](guide/README.md) shows how to use these names.
"""
_FIELD = re.compile(r"^:(param|raises) ([\w, ]+): ", re.MULTILINE)


def reference() -> str:
    """Return the page."""
    parts = [_HEAD]
    for title, names in PUBLIC.items():
        parts.append(f"## {title}\n")
        parts += [_entry(x) for name in names for x in public_names(name).values()]
    page = "\n".join([*parts, *_commands()])
    return re.sub(r"\n{3,}", "\n\n", page).rstrip() + "\n"


def public_names(module: str) -> dict[str, Any]:
    """Return what a public module has in ``__all__``, in the order of its source."""
    found = importlib.import_module(f"{PACKAGE}.{module}")
    own = {name: getattr(found, name) for name in found.__all__}
    return dict(sorted(own.items(), key=lambda x: inspect.getsourcelines(x[1])[1]))


def _entry(found: Any) -> str:
    names = ", ".join(f"`{x}`" for x in dict.fromkeys(getattr(found, "template_fields", ())))
    more = f"\nTemplates: {names}.\n" if names else ""
    code = f"```python\n{_signature(found)}\n```"
    return f"### `{found.__name__}`\n\n{code}\n\n{_text(found)}\n{more}"


def _signature(found: Any) -> str:
    """Return the import path with types and defaults."""
    path = f"{found.__module__}.{found.__name__}"
    if not inspect.isclass(found):
        signature = inspect.signature(found)
        parameters = signature.parameters.values()
        return f"{_call(path, list(parameters))} -> {signature.return_annotation}"
    bases = ", ".join(x.__name__ for x in found.__bases__ if not x.__name__.startswith("_"))
    if issubclass(found, Exception | str):
        return f"class {path}({bases})"
    if is_typeddict(found):
        fields = (f"\n    {name}: {kind}" for name, kind in _types(found).items())
        return (
            f"class {path}(TypedDict, total={getattr(found, '__total__', True)}):{''.join(fields)}"
        )
    return f"class {_call(path, _parameters(found))}"


def _types(found: type) -> dict[str, str]:
    return {k: getattr(v, "__forward_arg__", str(v)) for k, v in found.__annotations__.items()}


def _call(path: str, parameters: list[inspect.Parameter]) -> str:
    """Return a signature as code; ``inspect`` formats it in another way in each Python."""
    keywords = [x for x in parameters if x.kind is x.KEYWORD_ONLY]
    others = [x for x in parameters if x not in keywords and x.kind is not x.VAR_KEYWORD]
    rest = [x for x in parameters if x.kind is x.VAR_KEYWORD]
    star = ["*"] if keywords else []
    shown = [*map(_parameter, others), *star, *map(_parameter, keywords)]
    return _lines(f"{path}(", [*shown, *(f"**{_parameter(x)}" for x in rest)])


def _lines(start: str, items: list[str]) -> str:
    return "".join([start, *(f"\n    {x}," for x in items), "\n" if items else "", ")"])


def _parameter(parameter: inspect.Parameter) -> str:
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {parameter.annotation}{default}"


def _internal_bases(found: type) -> Iterator[type]:
    """Yield a class and its bases that the page does not have, which add to its parameters."""
    yield found
    for base in found.__bases__:
        if base.__module__.startswith(f"{PACKAGE}.") and base.__name__.startswith("_"):
            yield from _internal_bases(base)


def _parameters(found: type) -> list[inspect.Parameter]:
    """Return what a class takes besides the parameters of its public bases."""
    known: dict[str, inspect.Parameter] = {}
    rest: dict[str, inspect.Parameter] = {}
    for one in _internal_bases(found):
        if "__init__" not in vars(one):
            continue
        for x in list(inspect.signature(one.__init__).parameters.values())[1:]:  # type: ignore[misc]
            (rest if x.kind is x.VAR_KEYWORD else known).setdefault(x.name, x)
    return [*known.values(), *rest.values()]


def _text(found: Any) -> str:
    """Return a docstring, with the parameters of internal bases that it does not describe."""
    text = inspect.cleandoc(found.__doc__)
    if not inspect.isclass(found):
        return _markdown(text)
    before, rest = _split(text)
    items = dict(_items(text))
    for base in _internal_bases(found):
        items = {**dict(_items(inspect.cleandoc(base.__doc__ or ""))), **items}
    own = [name for name in (x.name for x in _parameters(found)) if name in items]
    if not own:
        return _markdown(text)
    return "\n\n".join(filter(None, [before, "\n".join(items[x] for x in own), rest]))


def _split(text: str) -> tuple[str, str]:
    """Return what a docstring has in front of its fields and behind them."""
    before, found, fields = text.partition("\n:param ")
    rest = fields.partition("\n\n")[2] if found else ""
    return _markdown(before).strip(), _markdown(rest).strip()


def _items(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"\n(?=:param )", text)[1:]:
        yield part.split(":")[1].removeprefix("param "), _field(_plain(part.partition("\n\n")[0]))


def _plain(text: str) -> str:
    return re.sub(r":(?:class|func|data|meth):`~?([^`]*)`", r"`\1`", text).replace("``", "`")


def _markdown(text: str) -> str:
    """Return a docstring with its fields as a list."""
    parts = re.split(r"\n(?=:(?:param|raises) )", _plain(text))
    return "\n".join(map(_field, parts))


def _field(part: str) -> str:
    match = _FIELD.match(part)
    if match is None:
        return part.rstrip() + ("\n" if not part.startswith(":") else "")
    kind, name = match.groups()
    rest = part[match.end() :].rstrip()
    text, _, after = rest.partition("\n\n")
    label = f"`{name}`" if kind == "param" else f"raises `{name}`"
    item = f"- {label}: {' '.join(text.split())}"
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
