"""Registries and stores as the command opens them: by the SDKs' and Docker's own credentials."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.gcs import GCSOptions, GCSStore
from kops_assets_provider.files.s3 import S3Options, S3Store
from kops_assets_provider.files.s3_requests import s3_http_client, signing_config
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.places.cloud_registries import EcrRepositories, default_endpoints
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.object_options import StoreOptions
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.places.state.gcs import gcs_told
from kops_assets_provider.mirror.places.state.places import default_gcs_client
from kops_assets_provider.mirror.places.state.s3_errors import s3_client_told
from kops_assets_provider.mirror.plan.image_policy import ALL, ImageRules
from kops_assets_provider.mirror.run.mirror import Mirror


class Observer(Protocol):
    """Who is told how far a copy is; from several threads."""

    def on_chunk(self, size: int, /) -> None:
        """Learn of bytes on their way."""
        ...

    def on_plan(self, image_bytes: int, files: int, /) -> None:
        """Learn what there is to do."""
        ...

    def on_outcome(self, outcome: Outcome, /) -> None:
        """Learn what became of an asset."""
        ...


def open_mirror(
    *,
    registry_config: str | None = None,
    source_rewrites: Mapping[str, str],
    file_targets: Mapping[str, str],
    store_options: StoreOptions | None = None,
    ecr_repositories: EcrRepositories | None = None,
    rules: ImageRules = ALL,
    record_url: str | None = None,
    jobs: int = 4,
    deep: bool = False,
    check_downloads: bool = False,
    report_url: str | None = None,
    progress: Observer | None = None,
) -> Mirror:
    """
    Open everything that a list names when it is needed.

    :param registry_config: a file in the form of Docker's ``config.json``; by default Docker's own.
    :param store_options: how files are stored in buckets.
    :param ecr_repositories: how to make repositories in ECR that are not there; they are not made
        if None.
    :raises InvalidInputError: the file is none, or is not there.
    """
    told: dict[str, Any] = {}
    if progress:
        told = {x: getattr(progress, x) for x in ("on_chunk", "on_plan", "on_outcome")}
    return Mirror(
        registries=Registries(
            default_endpoints(registry_config, ecr_repositories), source_rewrites
        ),
        stores=FileStores(_openers(store_options or StoreOptions()), file_targets),
        rules=rules,
        source_rewrites=dict(source_rewrites),
        record_url=record_url,
        jobs=jobs,
        deep=deep,
        check_downloads=check_downloads,
        report_url=report_url,
        **told,
    )


def _openers(options: StoreOptions) -> dict[Scheme, Callable[[FileTarget], Any]]:
    s3, gcs = partial(_s3, options=options.s3), partial(_gcs, options=options.gcs)
    return {Scheme.S3: s3, Scheme.GS: gcs, Scheme.FILE: lambda x: DirectoryStore(x.root)}


def _s3(target: FileTarget, options: S3Options) -> S3Store:
    import boto3

    config = signing_config()
    with s3_client_told():
        client = boto3.Session().client("s3", region_name=target.region, config=config)
        return S3Store(client, s3_http_client(client), target.root, options)


def _gcs(target: FileTarget, options: GCSOptions) -> GCSStore:
    with _without_grpc(), gcs_told(str(target), "storage.objects.create"):
        client = default_gcs_client()
    return GCSStore(client, HttpClient(), target.root, options)


@contextmanager
def _without_grpc() -> Iterator[None]:
    """
    Let Google's client be imported as where grpc is not installed, which it does not need.

    It would be loaded for its types of errors alone, and takes a fifth of the command's memory.
    """
    hidden = "grpc" not in sys.modules
    if hidden:
        sys.modules["grpc"] = None  # type: ignore[assignment]  # an import of it fails then
    try:
        yield
    finally:
        if hidden:
            del sys.modules["grpc"]
