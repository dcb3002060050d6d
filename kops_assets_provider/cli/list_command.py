"""``kops-assets list``."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from kops_assets_provider.cli.arguments import add_options
from kops_assets_provider.cli.sources import get_list, tell_warnings
from kops_assets_provider.cli.subcommand import Command, tell, write
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.options.copy_options import SOURCE_REWRITES
from kops_assets_provider.options.table import LIST_OPTIONS

_PRINTERS: dict[str, Callable[[ClusterAssets], str]] = {
    "table": ClusterAssets.to_table,
    "yaml": ClusterAssets.to_yaml,
    "json": ClusterAssets.to_json,
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, [*LIST_OPTIONS, SOURCE_REWRITES])
    group = parser.add_argument_group("the command")
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


def _run(options: argparse.Namespace) -> int:
    found = get_list(options, fetch_hashes=not (options.no_fetch_hashes or options.hosts))
    write(_hosts(found) if options.hosts else _PRINTERS[options.output](found.assets))
    tell_warnings(found)
    if options.verbose:
        for url, source in sorted(found.shown_hash_sources().items()):
            tell(f"hash: {url}: {source}")
    return 0


def _hosts(found: AssetList) -> str:
    from kops_assets_provider.mirror.lists.hosts import source_hosts

    return "".join(
        " ".join((host, *others)) + "\n" for host, others in source_hosts(found.assets).items()
    )


LIST = Command(
    name="list",
    help="print what a cluster downloads, as kops get assets does",
    add_arguments=_add_arguments,
    run=_run,
)
