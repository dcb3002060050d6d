"""Where a list comes from, as a shell says it: the same options for all subcommands."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kops_assets_provider.cli.command import tell
from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.lists.get_list import AssetList, ListRequest, make_list, read_shas
from kops_assets_provider.redaction import remember_url

if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.kops_command import KopsCommand

_SHA_LENGTH = 64


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a list comes from."""
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
        "--list",
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


def add_content(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options that say what is in a list; return their group."""
    group = parser.add_argument_group("what is in it")
    group.add_argument(
        "--extended", action="store_true", help="add what the cluster uses and kOps does not list"
    )
    group.add_argument("--extra-image", action="append", default=[], metavar="NAME")
    group.add_argument("--extra-file", action="append", default=[], metavar="URL[=SHA256]")
    group.add_argument(
        "--sha-file", metavar="FILE", help="hashes that you pin yourself: canonical URL: SHA-256"
    )
    group.add_argument(
        "--source-rewrite",
        action="append",
        default=[],
        metavar="PREFIX=PLACE",
        help="where names and URLs that begin so are really fetched, such as a pull-through cache",
    )
    return group


def get_list(options: argparse.Namespace, *, fetch_hashes: bool = True) -> AssetList:
    """Return the list that the options ask for; raises KopsAssetsError."""
    empty = sorted(x for x, value in vars(options).items() if value == "" or value == [""])
    if empty:
        names = [f"--{x.replace('_', '-')}" for x in empty]
        raise InvalidInputError("options", [f"{x} is empty" for x in names])
    return make_list(_request(options, fetch_hashes), kops=_kops(options.kops_command))


def tell_warnings(found: AssetList) -> None:
    """Write what is doubtful about a list to standard error."""
    for caveat in found.warnings:
        tell(f"warning: {caveat.message}")


def pairs(option: str, values: Sequence[str], form: str = "PREFIX=PLACE") -> dict[str, str]:
    """Return what ``LEFT=RIGHT`` says, given any number of times; raises InvalidInputError."""
    found = [value.partition("=") for value in values]
    wrong = [number for number, parts in enumerate(found, 1) if not all(parts)]
    if wrong:
        # Without the value, which may be all password.
        raise InvalidInputError(option, [f"expected {form} as its value number {n}" for n in wrong])
    return {left: right for left, _, right in found}


def _request(options: argparse.Namespace, fetch_hashes: bool) -> ListRequest:
    state, name = options.state, options.name or os.environ.get("KOPS_CLUSTER_NAME")
    if not (options.spec or options.asset_list):
        # As kops does; but what was said in so many words goes before.
        state = state or os.environ.get("KOPS_STATE_STORE")
        remember_url(state or "")
        if not state:
            options.usage_error("one of the arguments --spec --state --from is required")
    return ListRequest(
        cluster_spec=options.spec,
        from_shell=True,
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
        find_sha=read_shas(options.sha_file, pipes=True) if options.sha_file else None,
        fetch_hashes=fetch_hashes,
        source_rewrites=pairs("--source-rewrite", options.source_rewrite),
    )


def _place(value: str | None) -> str | None:
    """Return a place as the core knows it: in a shell a path may be relative."""
    return value if value is None or "://" in value else str(Path(value).absolute())


def _url_and_sha(value: str) -> tuple[str, str | None]:
    # A URL may have a query: then the hash is told by its form.
    url, _, sha = value.rpartition("=")
    is_sha = len(sha) == _SHA_LENGTH or "?" not in value
    return (url, sha) if url and is_sha else (value, None)


def _kops(program: str | None) -> KopsCommand | None:
    if program is None:
        return None
    from kops_assets_provider.mirror.lists.kops_command import KopsCommand

    return KopsCommand(program, os.environ)
