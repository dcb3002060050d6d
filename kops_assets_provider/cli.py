"""The ``kops-assets`` command: the package's use cases from a shell, without Airflow."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.lists import list_cluster

_PRINTERS: dict[str, Callable[[ClusterAssets], str]] = {
    "table": ClusterAssets.to_table,
    "yaml": ClusterAssets.to_yaml,
    "json": ClusterAssets.to_json,
}


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: its name, its help, what it takes, and what it does."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 after an error, which is told in one line."""
    options = _parser().parse_args(argv)
    try:
        options.run(options)
    except (KopsAssetsError, OSError) as err:
        sys.stderr.write(f"error: {_in_one_line(err)}\n")
        return 1
    return 0


def _in_one_line(err: Exception) -> str:
    text = str(err)
    if isinstance(err, OSError) and err.filename:
        text = f"{err.filename}: {err.strerror}"
    return " ".join(text.split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kops-assets", description="Mirror everything a kOps cluster downloads."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spec",
        required=True,
        metavar="FILE",
        help="the Cluster and its InstanceGroups in YAML; - is standard input",
    )
    parser.add_argument(
        "--kops-version", required=True, metavar="VERSION", help="the kOps release, such as 1.36.2"
    )
    parser.add_argument("--output", choices=_PRINTERS, default="table")
    parser.add_argument(
        "--no-fetch-hashes",
        action="store_true",
        help="leave out hashes that kOps does not carry, instead of fetching them",
    )
    parser.add_argument(
        "--any-kubernetes-version",
        action="store_true",
        help="list also for a Kubernetes version that the release does not support",
    )


def _list(options: argparse.Namespace) -> None:
    found = list_cluster(
        options.spec,
        options.kops_version,
        fetch_hashes=not options.no_fetch_hashes,
        any_kubernetes_version=options.any_kubernetes_version,
    )
    sys.stdout.write(_PRINTERS[options.output](found.assets))


_LIST_HELP = "print what a cluster downloads, as kops get assets does"
_COMMANDS = (Command("list", _LIST_HELP, _add_list_arguments, _list),)

if __name__ == "__main__":
    sys.exit(main())
