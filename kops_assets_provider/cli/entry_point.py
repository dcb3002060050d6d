"""Parse the command line, run the subcommand, and turn its errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from kops_assets_provider.cli.copy_command import CHECK, COPY
from kops_assets_provider.cli.list_command import LIST
from kops_assets_provider.cli.subcommand import Command, tell
from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.logs import format_error, keep_secrets_out
from kops_assets_provider.redaction import clean, remember, remember_urls_in

# What argparse repeats of an argument, and what is left of it.
_ECHOES = {
    r"invalid choice: .*? \(choose from": "invalid choice (choose from",
    r"(invalid \w+ value): .*": r"\1",
    r"=\S*": "=…",
    r"(unrecognized arguments: )(?!-).*": r"\1those without a dash",
}
# Of the environment, as an S3 server may quote them.
_KEYS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_COMMANDS: tuple[Command, ...] = (LIST, CHECK, COPY)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command and return its exit status.

    1 after an error, which is told in one line, and if assets are missing; 2 for wrong usage; 130
    after Ctrl-C.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    keep_secrets_out()
    remember_urls_in(arguments)
    remember(*(os.environ.get(x, "") for x in _KEYS))
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
    except Exception as err:  # noqa: BLE001  # whatever it is, it may quote a secret
        for line in format_error(err).splitlines():
            tell(line)
        return 1
    return status


def _in_one_line(err: Exception) -> str:
    text = str(err)
    if isinstance(err, OSError) and err.filename:
        text = f"{err.filename}: {err.strerror}"
    return " ".join(text.split())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors repeat no value: it may be a password in the wrong place."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with 2."""
        for pattern, shown in _ECHOES.items():
            message = re.sub(pattern, shown, message)
        super().error(clean(message))


def make_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, with the options of those commands that are in ``arguments``."""
    parser = _Parser(prog="kops-assets", description="Mirror everything a kOps cluster downloads.")
    # With its name given argparse need not ask for the terminal's width, which takes a while.
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="kops-assets")
    for command in _COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=command.help)
        # A list is wanted at once: the options of commands that are not called cost time.
        if command.name in arguments:
            command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, usage_error=subparser.error)
    return parser
