"""
Where a run writes its own documents: the mirror's record, and the report.

A list does not say where its record is. By default the record lies beside the files that the run
copies, so a list leads us nowhere that its files do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.target_conflicts import Write, document_write

_FOLDER = "kops-assets"  # of the records, beside the files


def record_target(
    listed: AssetList, record_url: str | None, stores: FileStores
) -> FileTarget | None:
    """
    Return where the record of a cluster's mirror is.

    :param record_url: what the user says: a directory or prefix, as ``FileStores`` opens it.
    :return: by default ``kops-assets/<cluster>.json`` below the file repository, if a file of the
        list is written to that file repository; None if none is.
    :raises InvalidInputError: ``record_url`` is no such place.
    :raises UnsupportedTargetError: likewise.
    """
    name = f"{listed.cluster}.json"
    if record_url:
        return stores.locate_place(record_url, name)
    for file in listed.assets.files:
        if target := _beside(file, f"{_FOLDER}/{name}", stores):
            return target
    return None


def has_default_name(target: FileTarget, cluster: str) -> bool:
    """Return whether a record's place has the name that it gets by default."""
    root = target.root if target.scheme is Scheme.FILE else ""
    return PurePosixPath(root, target.path).parts[-2:] == (_FOLDER, f"{cluster}.json")


def report_names(cluster: str) -> tuple[str, str]:
    """Return the names of a report's page and of its JSON."""
    # With ".json" alone it would be the record's name, and both may be in one place.
    return f"{cluster}.report.html", f"{cluster}.report.json"


def document_writes(
    lists: Iterable[AssetList],
    stores: FileStores,
    record_url: str | None = None,
    report_url: str | None = None,
) -> Iterator[Write]:
    """
    Yield what a run writes beside the assets: each cluster's record and report.

    A place that is wrong is left out: whoever writes there reports it.
    """
    for listed in lists:
        with suppress(KopsAssetsError):
            if target := record_target(listed, record_url, stores):
                what = f"the mirror's record of {listed.cluster}"
                yield document_write(target, what)
                yield document_write(invalid_target(target), f"{what}, if it is invalid")
        if report_url:
            with suppress(KopsAssetsError):
                for name in report_names(listed.cluster):
                    target = stores.locate_place(report_url, name)
                    yield document_write(target, f"the report of {listed.cluster}")


def invalid_target(target: FileTarget) -> FileTarget:
    """Return where an invalid record is kept that is replaced by a new one."""
    return replace(target, path=f"{target.path}.invalid")


def _beside(file: FileAsset, path: str, stores: FileStores) -> FileTarget | None:
    """Return the target of ``path`` below the file repository that a file is written to."""
    repository = _file_repository(file)
    if repository is None:
        return None
    try:
        written = stores.locate(file.download)
        target = stores.locate(f"{repository}/{path}")
    except KopsAssetsError:
        return None
    # Another entry of file_targets may hold for the record than for the file.
    same_store = (written.scheme, written.root) == (target.scheme, target.root)
    if not (same_store and target.path.endswith(path)):
        return None
    return target if written.path.startswith(target.path.removesuffix(path)) else None


def _file_repository(file: FileAsset) -> str | None:
    """Return the file repository: kOps puts its URL before the path of the canonical URL."""
    path = "/" + file.canonical.partition("://")[2].partition("/")[2]
    if file.download == file.canonical or path == "/" or not file.download.endswith(path):
        return None
    repository = file.download.removesuffix(path)
    # Behind a "?" nothing is a part of the path.
    return None if {"?", "#"}.intersection(repository) else repository
