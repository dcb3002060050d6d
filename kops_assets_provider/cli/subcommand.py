"""The type of a subcommand, and how it writes to standard output and error."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass

from kops_assets_provider.redaction import clean, printable_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    A subcommand.

    :param add_arguments: adds what it takes.
    :param run: does it, and returns the exit status.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def write(text: str) -> None:
    """Write to standard output."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed", "standard output")
    # What Python read from a broken name (a lone surrogate) is no text that can be written.
    shown = printable_lines(text).encode(errors="replace").decode()
    try:
        sys.stdout.write(shown)
        sys.stdout.flush()
    except OSError as err:
        if err.errno != errno.EPIPE:
            err.filename = "standard output"
        raise


def tell(line: str) -> None:
    """Write a line to standard error."""
    if sys.stderr is not None:
        sys.stderr.write(clean(line).encode(errors="replace").decode() + "\n")
