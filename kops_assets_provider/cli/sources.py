"""Get the list that the arguments of a subcommand describe."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kops_assets_provider.cli.arguments import pairs, refuse_empty
from kops_assets_provider.cli.subcommand import tell
from kops_assets_provider.mirror.lists.get_list import AssetList, ListRequest, make_list, read_shas
from kops_assets_provider.options.copy_options import SOURCE_REWRITES
from kops_assets_provider.redaction import remember_url

if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.kops_command import KopsCommand

_SHA_LENGTH = 64


def get_list(options: argparse.Namespace, *, fetch_hashes: bool = True) -> AssetList:
    """Return the list that the options ask for; raises KopsAssetsError."""
    refuse_empty(options)
    return make_list(_request(options, fetch_hashes), kops=_kops(options.kops_command))


def tell_warnings(found: AssetList) -> None:
    """Write what is doubtful about a list to standard error."""
    for caveat in found.warnings:
        tell(f"warning: {caveat.message}")


def _request(options: argparse.Namespace, fetch_hashes: bool) -> ListRequest:
    state = options.state_store
    if not (options.cluster_spec or options.asset_list):
        # As kops does; but what was said in so many words goes before.
        state = state or os.environ.get("KOPS_STATE_STORE")
        remember_url(state or "")
        if not state:
            options.usage_error("one of the arguments --spec --state --from is required")
    return ListRequest(
        cluster_spec=options.cluster_spec,
        from_shell=True,
        state_store=_place(state),
        cluster_name=options.cluster_name or os.environ.get("KOPS_CLUSTER_NAME"),
        asset_list=_place(options.asset_list),
        kops_version=options.kops_version,
        kubernetes_version=options.kubernetes_version,
        nearest_release=options.nearest_release,
        any_kubernetes_version=options.any_kubernetes_version,
        extended=options.extended,
        extra_images=tuple(options.extra_images),
        extra_files=dict(map(_url_and_sha, options.extra_files)),
        find_sha=read_shas(options.sha_file, pipes=True) if options.sha_file else None,
        fetch_hashes=fetch_hashes,
        source_rewrites=pairs(SOURCE_REWRITES, options),
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
