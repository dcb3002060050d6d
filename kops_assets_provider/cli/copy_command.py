"""``kops-assets check`` and ``kops-assets copy``: what the DAGs do, without Airflow."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kops_assets_provider.cli.arguments import add_options, pairs
from kops_assets_provider.cli.sources import get_list, tell_warnings
from kops_assets_provider.cli.subcommand import Command, tell, write
from kops_assets_provider.options.copy_options import (
    DRY_RUN,
    FILE_TARGETS,
    GCS_OPTIONS,
    ON_DRIFT,
    S3_OPTIONS,
    SOURCE_REWRITES,
    WARM_DAYS,
)
from kops_assets_provider.options.option import Option
from kops_assets_provider.options.table import OPTIONS

if TYPE_CHECKING:
    from kops_assets_provider.cli.progress import Progress
    from kops_assets_provider.mirror.lists.get_list import AssetList
    from kops_assets_provider.mirror.report.report import Report, RunFacts
    from kops_assets_provider.mirror.run.mirror import Mirror


def _add_check_arguments(parser: argparse.ArgumentParser) -> None:
    _add_arguments(parser, [x for x in OPTIONS.values() if x is not DRY_RUN])


def _add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    command = _add_arguments(parser, OPTIONS.values())
    command.add_argument(
        "--jobs",
        type=_positive,
        default=4,
        metavar="N",
        help="blobs and files in flight at a time (4)",
    )
    command.add_argument("--quiet", action="store_true", help="no progress on standard error")


def _add_arguments(
    parser: argparse.ArgumentParser, options: Iterable[Option[Any]]
) -> argparse._ArgumentGroup:
    add_options(parser, options)
    command = parser.add_argument_group("the command")
    command.add_argument("--output", "-o", choices=("table", "json"), default="table")
    return command


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
    from kops_assets_provider.mirror.run.open_mirror import open_mirror

    mirror = open_mirror(
        registry_config=options.registry_conn_ids,
        source_rewrites=pairs(SOURCE_REWRITES, options),
        file_targets=pairs(FILE_TARGETS, options),
        rules=ImageRules(
            platforms=tuple(options.platforms),
            immutable_tags=tuple(options.immutable_tags),
            warm=tuple(options.warm),
            warm_days=WARM_DAYS.read(options.warm_days),
            on_drift=OnDrift(ON_DRIFT.read(options.on_drift)),
        ),
        record_url=options.record_url,
        store_options=read_store_options(
            pairs(S3_OPTIONS, options),
            pairs(GCS_OPTIONS, options),
            options.bucket_owner,
        ),
        ecr_repositories=EcrRepositories() if options.ecr_repositories else None,
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
    return RunFacts(
        run=f"kops-assets {command} at {now()}", kops_version=listed.kops_version, seconds=seconds
    )


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
    name="check",
    help="tell what is missing or wrong at the targets; write nothing",
    add_arguments=_add_check_arguments,
    run=_check,
)
COPY = Command(
    name="copy",
    help="copy what is missing or wrong at the targets",
    add_arguments=_add_copy_arguments,
    run=_copy,
)
