"""The ``kops-assets`` command: the package's use cases from a shell, without Airflow."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.lists import AssetList, ListRequest, make_list

if TYPE_CHECKING:
    from kops_assets_provider.mirror.kops_command import KopsCommand

_PRINTERS: dict[str, Callable[[ClusterAssets], str]] = {
    "table": ClusterAssets.to_table,
    "yaml": ClusterAssets.to_yaml,
    "json": ClusterAssets.to_json,
}
_SHA_LENGTH = 64


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
    except BrokenPipeError:
        # Whoever read the output has had enough; nothing is left to be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except (KopsAssetsError, OSError) as err:
        _tell(f"error: {_in_one_line(err)}")
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
    source = parser.add_argument_group("where the list comes from")
    source.add_argument(
        "--spec",
        metavar="FILE",
        help="the Cluster and its InstanceGroups in YAML; - is standard input",
    )
    source.add_argument(
        "--state",
        metavar="PLACE",
        help="instead: kOps' state store, s3://…, gs://… or a directory ($KOPS_STATE_STORE)",
    )
    source.add_argument("--name", metavar="CLUSTER", help="in the state store ($KOPS_CLUSTER_NAME)")
    source.add_argument(
        "--from",
        dest="asset_list",
        metavar="LIST",
        help="a saved list, YAML or JSON: a file, s3://…, gs://… or https://…",
    )
    source.add_argument(
        "--kops-version",
        action="append",
        metavar="VERSION",
        help="the kOps release, such as 1.36.2; with --state that of the last update by default; "
        "may be given more than once",
    )
    source.add_argument(
        "--kubernetes-version",
        action="append",
        metavar="VERSION",
        help="list for it instead of the spec's, to rehearse an upgrade; several give all that any "
        "of them needs",
    )
    source.add_argument(
        "--kops-command", metavar="KOPS", help="let this kops program list from the state store"
    )
    source.add_argument(
        "--nearest-release",
        action="store_true",
        help="list for an unknown patch release with the rules of the nearest one",
    )
    source.add_argument(
        "--any-kubernetes-version",
        action="store_true",
        help="list also for a Kubernetes version that the release does not support",
    )
    _add_content_arguments(parser.add_argument_group("what is in it"))
    parser.set_defaults(usage_error=parser.error)


def _add_content_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--extended", action="store_true", help="add what the cluster uses and kOps does not list"
    )
    group.add_argument("--extra-image", action="append", default=[], metavar="NAME")
    group.add_argument("--extra-file", action="append", default=[], metavar="URL[=SHA256]")
    group.add_argument(
        "--no-fetch-hashes",
        action="store_true",
        help="leave out hashes that kOps does not carry, instead of fetching them",
    )
    printed = group.add_mutually_exclusive_group()
    printed.add_argument("--output", "-o", choices=_PRINTERS, default="table")
    printed.add_argument(
        "--hosts", action="store_true", help="print the hosts of the sources, for a firewall"
    )
    group.add_argument(
        "--verbose", action="store_true", help="tell on standard error where each hash is from"
    )


def _list(options: argparse.Namespace) -> None:
    found = make_list(_request(options), kops=_kops(options.kops_command))
    _print(_hosts(found) if options.hosts else _PRINTERS[options.output](found.assets))
    for caveat in found.warnings:
        _tell(f"warning: {caveat.message}")
    if options.verbose:
        for url, source in sorted(found.shown_hash_sources().items()):
            _tell(f"hash: {url}: {source}")


def _print(text: str) -> None:
    # What Python read from a broken name (a lone surrogate) is no text that can be written.
    sys.stdout.write(text.encode(errors="replace").decode())
    sys.stdout.flush()


def _tell(line: str) -> None:
    sys.stderr.write(line.encode(errors="replace").decode() + "\n")


def _request(options: argparse.Namespace) -> ListRequest:
    state, name = options.state, options.name or os.environ.get("KOPS_CLUSTER_NAME")
    if not (options.spec or options.asset_list):
        # As kops does; but what was said in so many words goes before.
        state = state or os.environ.get("KOPS_STATE_STORE")
        if not state:
            options.usage_error("one of the arguments --spec --state --from is required")
    return ListRequest(
        cluster_spec=options.spec,
        state_store=_place(state),
        cluster_name=name,
        asset_list=_place(options.asset_list),
        kops_version=options.kops_version,
        kubernetes_version=options.kubernetes_version,
        nearest_release=options.nearest_release,
        any_kubernetes_version=options.any_kubernetes_version,
        extended=options.extended,
        extra_images=tuple(options.extra_image),
        extra_files=dict(map(_url_and_sha, options.extra_file)),
        fetch_hashes=not (options.no_fetch_hashes or options.hosts),
    )


def _place(value: str | None) -> str | None:
    """Return a place as the core knows it: in a shell a path may be relative."""
    return value if value is None or "://" in value else str(Path(value).absolute())


def _url_and_sha(value: str) -> tuple[str, str | None]:
    # A URL may have a query, so the hash is told by its form.
    url, _, sha = value.rpartition("=")
    return (url, sha) if len(sha) == _SHA_LENGTH and url else (value, None)


def _kops(program: str | None) -> KopsCommand | None:
    if program is None:
        return None
    from kops_assets_provider.mirror.kops_command import KopsCommand

    return KopsCommand(program, os.environ)


def _hosts(found: AssetList) -> str:
    from kops_assets_provider.mirror.hosts import source_hosts

    return "".join(
        " ".join((host, *others)) + "\n" for host, others in source_hosts(found.assets).items()
    )


_LIST_HELP = "print what a cluster downloads, as kops get assets does"
_COMMANDS = (Command("list", _LIST_HELP, _add_list_arguments, _list),)

if __name__ == "__main__":
    sys.exit(main())
