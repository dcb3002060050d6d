"""Makes docs/options.md from the table of options."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from kops_assets_provider.options.option import Option
from kops_assets_provider.options.table import OPTIONS

PAGE = Path(__file__).parent.parent / "docs/options.md"
_HEAD = """\
# Options

Made from the table in `kops_assets_provider/options` by `scripts/reference`; a test says when it is
not up to date.

The first column has the names of arguments of `kops_copy_assets_dag()` and its siblings, of keys of
the Airflow Variable and of a [fleet file](fleets.md), and of parameters of the operators.
The second one has the flags of `kops-assets`; [the public API](api.md#the-command) has those
that only the command needs.
No option switches a check off.

Options may be templates, rendered once, unless the table says otherwise.
Only the author of a DAG file writes templates: values of a Variable, a form, a fleet file, a list
or a server are data and are never rendered.
"""


def options_page() -> str:
    """Return the page."""
    parts = [_HEAD.rstrip()]
    for group, options in groupby(OPTIONS.values(), key=lambda x: x.group):
        parts += [f"\n## {group}\n", "| option | command | meaning |", "|---|---|---|"]
        parts += [f"| `{x.name}` | {_flag(x)} | {_meaning(x)} |" for x in options]
    return "\n".join(parts) + "\n"


def _flag(option: Option[Any]) -> str:
    flag = option.flag
    if not flag:
        return ""
    value = flag.metavar or "\\|".join(option.choices)
    name = f"{flag.name} {value}".rstrip()
    more = [f"`{flag.alias} {value}`"] if flag.alias else []
    return ", ".join([f"`{name}`", *more, *(["repeatable"] if flag.repeats else [])])


def _meaning(option: Option[Any]) -> str:
    flag_help = option.flag.help if option.flag else ""
    parts = (
        f"{option.help[0].upper()}{option.help[1:]}",
        f"DAG: {option.dag_help}" if option.dag_help else "",
        f"Command: {flag_help}" if flag_help else "",
        f"Default: `{option.default}`." if isinstance(option.default, str) else "",
        f"Form: *{option.form['title']}*." if option.form else "",
        f"Operators call it `{option.parameter}`." if option.parameter != option.name else "",
        "" if option.is_template else "No template.",
        "" if option.in_fleet_file else "Not in a fleet file.",
        f"[More]({option.page})." if option.page else "",
    )
    return " ".join(filter(None, parts))
