"""``kops-assets check`` and ``kops-assets copy``: what the DAGs do, without Airflow."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kops_assets_provider.cli.command import Command, tell, write
from kops_assets_provider.cli.sources import (
    add_content,
    add_sources,
    get_list,
    pairs,
    tell_warnings,
)

if TYPE_CHECKING:
    from kops_assets_provider.cli.progress import Progress
    from kops_assets_provider.mirror.lists.get_list import AssetList
    from kops_assets_provider.mirror.report.report import Report, RunFacts
    from kops_assets_provider.mirror.run.mirror import Mirror


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_sources(parser)
    add_content(parser)
    group = parser.add_argument_group("how it is mirrored")
    group.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="OS/ARCH",
        help="copy only this platform of each image, such as linux/amd64; may be repeated",
    )
    group.add_argument(
        "--immutable-tags",
        action="append",
        default=[],
        metavar="PREFIX",
        help="tags of names that begin so never move: what the target has of them is right",
    )
    group.add_argument(
        "--warm",
        action="append",
        default=[],
        metavar="HOST",
        help="this registry is a pull-through cache: read images through it, push nothing",
    )
    group.add_argument(
        "--warm-days",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="after which an image is read through its cache again (7)",
    )
    group.add_argument(
        "--record-url",
        metavar="PLACE",
        help="where the mirror's record is kept, if not beside the files",
    )
    group.add_argument(
        "--report-url",
        metavar="PLACE",
        help="write the report there as well, as a page and as JSON: s3://…, gs://… or a directory",
    )
    group.add_argument(
        "--file-target",
        action="append",
        default=[],
        metavar="PREFIX=PLACE",
        help="where to write what nodes read below this URL: s3://…, gs://… or a directory",
    )
    group.add_argument(
        "--registry-config",
        metavar="FILE",
        help="credentials in the form of Docker's config.json (by default Docker's own)",
    )
    group.add_argument(
        "--bucket-owner",
        metavar="ACCOUNT",
        help="the AWS account that buckets in S3 must belong to",
    )
    for store, what in (("s3", "S3: acl, storage_class, …"), ("gcs", "Google: kms_key, …")):
        group.add_argument(
            f"--{store}-option",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"how objects are stored in {what} (docs/files.md); may be repeated",
        )
    group.add_argument(
        "--deep",
        action="store_true",
        help="read every file at the target again and hash it, whatever its store says of it",
    )
    group.add_argument(
        "--check-downloads",
        action="store_true",
        help="ask the files' download URLs without credentials, as nodes do",
    )
    group.add_argument(
        "--create-ecr-repositories",
        action="store_true",
        help="make repositories in ECR that are not there",
    )
    group.add_argument(
        "--on-drift",
        choices=("fail", "keep", "take"),
        default="fail",
        help="what becomes of an asset that has moved at the source under the same name (fail)",
    )
    group.add_argument("--output", "-o", choices=("table", "json"), default="table")


def _add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    _add_arguments(parser)
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=4,
        metavar="N",
        help="blobs and files in flight at a time (4)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="copy nothing: tell what would be copied, why, and what it would take",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("expected a whole number from 1 on")
    return int(text)


def _check(options: argparse.Namespace) -> int:
    found = get_list(options)
    tell_warnings(found)
    mirror, began = _mirror(options), time.monotonic()
    report = mirror.check(found)
    _write_report(options, mirror, report, _facts("check", found, began))
    return _report(options, report)


def _copy(options: argparse.Namespace) -> int:
    from kops_assets_provider.cli.progress import show_progress

    found = get_list(options)
    tell_warnings(found)
    if options.dry_run:
        return _report(options, _mirror(options).dry_run(found))
    with show_progress(sys.stderr, quiet=options.quiet) as progress:
        mirror, began = _mirror(options, progress), time.monotonic()
        report = mirror.copy(found)
    _write_report(options, mirror, report, _facts("copy", found, began))
    return _report(options, report)


def _mirror(options: argparse.Namespace, progress: Progress | None = None) -> Mirror:
    from kops_assets_provider.mirror.places.cloud_registries import EcrRepositories
    from kops_assets_provider.mirror.places.object_options import read_store_options
    from kops_assets_provider.mirror.plan.drift import OnDrift
    from kops_assets_provider.mirror.plan.image_policy import ImageRules
    from kops_assets_provider.mirror.run.open_mirror import open_default_places

    mirror = open_default_places(
        registry_config=options.registry_config,
        source_rewrites=pairs("--source-rewrite", options.source_rewrite),
        file_targets=pairs("--file-target", options.file_target),
        rules=ImageRules(
            tuple(options.platform),
            tuple(options.immutable_tags),
            tuple(options.warm),
            options.warm_days,
            OnDrift(options.on_drift),
        ),
        record_url=options.record_url,
        store_options=read_store_options(
            pairs("--s3-option", options.s3_option, "NAME=VALUE"),
            pairs("--gcs-option", options.gcs_option, "NAME=VALUE"),
            options.bucket_owner,
        ),
        ecr_repositories=EcrRepositories() if options.create_ecr_repositories else None,
        jobs=getattr(options, "jobs", 1),
        deep=options.deep,
        check_downloads=options.check_downloads,
        report_url=_report_place(options) if options.report_url else None,
        progress=progress,
    )
    if options.report_url:
        # A typo is told before hours of copying, not after.
        mirror.stores.open_place(_report_place(options), "report.html")
    return mirror


def _report_place(options: argparse.Namespace) -> str:
    url: str = options.report_url
    return url if "://" in url else str(Path(url).absolute())


def _facts(command: str, listed: AssetList, began: float) -> RunFacts:
    from kops_assets_provider.mirror.model.asset import now
    from kops_assets_provider.mirror.report.report import RunFacts

    seconds = round(time.monotonic() - began, 3)
    return RunFacts(f"kops-assets {command} at {now()}", listed.kops_version, seconds=seconds)


def _write_report(
    options: argparse.Namespace, mirror: Mirror, report: Report, facts: RunFacts
) -> None:
    """Write the report as files, if they are wanted. It is printed all the same."""
    from kops_assets_provider.mirror.report.files import write_report

    if not options.report_url:
        return
    try:
        written = write_report(mirror.stores, _report_place(options), report, facts)
        if not getattr(options, "quiet", False):
            tell(f"the report is written to {' and '.join(written)}")
    except Exception as err:  # noqa: BLE001  # what was copied counts, not who reads of it
        tell(f"warning: the report could not be written to files: {err}")


def _report(options: argparse.Namespace, report: Report) -> int:
    if options.output == "json":
        write(json.dumps(report.to_dict(), indent=1) + "\n")
    else:
        write(f"{report.to_table()}\n{report.summary()}\n")
    return 0 if report.ready or report.dry_run else 1


CHECK = Command(
    "check", "tell what is missing or wrong at the targets; write nothing", _add_arguments, _check
)
COPY = Command("copy", "copy what is missing or wrong at the targets", _add_copy_arguments, _copy)
