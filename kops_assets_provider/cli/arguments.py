"""Flags of the command for the options in the table."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import groupby
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.options.option import Flag, Option
from kops_assets_provider.options.readers import as_days
from kops_assets_provider.options.table import OPTIONS


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option[Any]]) -> None:
    """Add the flags of options; the parsed values have the options' names."""
    for group, members in groupby(options, key=lambda x: x.group):
        arguments = parser.add_argument_group(group.lower())
        for option in members:
            if option.flag:
                names = filter(None, (option.flag.name, option.flag.alias))
                settings = _settings(option, option.flag)
                arguments.add_argument(
                    *names, dest=option.name, help=flag_help(option, option.flag), **settings
                )


def flag_help(option: Option[Any], flag: Flag) -> str:
    """Return the help of a flag: plain text, without a period at its end."""
    parts = (option.help, flag.help, "May be repeated." if flag.repeats else "")
    return " ".join(filter(None, parts)).replace("`", "").removesuffix(".")


def _settings(option: Option[Any], flag: Flag) -> Mapping[str, Any]:
    if option.choices:
        return {"choices": option.choices}
    if not flag.metavar:
        return {"action": "store_true"}
    if flag.repeats:
        return {"metavar": flag.metavar, "action": "append", "default": []}
    # Read here, so that a wrong number is wrong usage.
    reader = {"type": partial(_read, option)} if option.reader is as_days else {}
    return {"metavar": flag.metavar, **reader}


def _read(option: Option[Any], text: str) -> Any:
    try:
        return option.read(text)
    except InvalidInputError as err:
        raise argparse.ArgumentTypeError("; ".join(err.problems)) from err


def pairs(option: Option[Any], arguments: argparse.Namespace) -> dict[str, str]:
    """Return the mapping that ``LEFT=RIGHT``, given any number of times, is."""
    flag = option.flag or Flag(name=option.name)
    found = [value.partition("=") for value in getattr(arguments, option.name)]
    wrong = [number for number, parts in enumerate(found, 1) if not all(parts)]
    if wrong:
        # Without the value, which may be all password.
        problems = [f"expected {flag.metavar} as its value number {n}" for n in wrong]
        raise InvalidInputError(flag.name, problems)
    return {left: right for left, _, right in found}


def refuse_empty(arguments: argparse.Namespace) -> None:
    """Raise InvalidInputError if an argument is empty: a variable of the shell was not set."""
    empty = sorted(x for x, value in vars(arguments).items() if value == "" or value == [""])
    if empty:
        raise InvalidInputError("options", [f"{_flag_name(x)} is empty" for x in empty])


def _flag_name(name: str) -> str:
    flag = OPTIONS[name].flag if name in OPTIONS else None
    return flag.name if flag else f"--{name.replace('_', '-')}"
