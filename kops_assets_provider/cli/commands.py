"""The command line: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from kops_assets_provider.cli.command import Command, tell
from kops_assets_provider.cli.copy_command import CHECK, COPY
from kops_assets_provider.cli.list_command import LIST
from kops_assets_provider.exceptions import KopsAssetsError

_COMMANDS: tuple[Command, ...] = (LIST, CHECK, COPY)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command and return its exit status.

    1 after an error, which is told in one line, and if assets are missing; 2 for wrong usage; 130
    after Ctrl-C.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = make_parser(arguments).parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:
        # Whoever read the output has had enough; nothing is left to be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KopsAssetsError, OSError) as err:
        tell(f"error: {_in_one_line(err)}")
        return 1
    return status


def _in_one_line(err: Exception) -> str:
    text = str(err)
    if isinstance(err, OSError) and err.filename:
        text = f"{err.filename}: {err.strerror}"
    return " ".join(text.split())


def make_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, with the options of those commands that are in ``arguments``."""
    parser = argparse.ArgumentParser(
        prog="kops-assets", description="Mirror everything a kOps cluster downloads."
    )
    # With its name given argparse need not ask for the terminal's width, which takes a while.
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="kops-assets")
    for command in _COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=command.help)
        # A list is wanted at once: the options of commands that are not called cost time.
        if command.name in arguments:
            command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, usage_error=subparser.error)
    return parser
