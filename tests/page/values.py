"""What the page is told, made by the code that tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.ui.view import Shown, page_values
from tests.outcomes import GONE, make_outcome

NOW = datetime.now(UTC)
LOG = "dags/nightly/runs/scheduled__2/tasks/copy_image/mapped/{}"
RUN = "dags/nightly/runs/scheduled__2"
NOTHING = {"last_check": None, "actions": {"copy": None, "check": None}}


def actions(*, allowed=True, dry_run=False):
    copy = {"dag_id": "nightly", "run_id": "scheduled__2", "allowed": allowed}
    check = {**copy, "dag_id": "nightly" if dry_run else "look", "dry_run": dry_run}
    return {"last_check": None, "actions": {"copy": copy, "check": check}}


def image(number, state=State.COPIED, name="registry.k8s.io/image", **fields):
    canonical = f"{name}{number:03}:v1"
    download = f"mirror.example.com/kops/image{number:03}:v1"
    own = {"content": f"sha256:{number:064x}", "size": 1_000_000 * (number + 1), "sent": 900}
    own |= {"verified_at": NOW.isoformat(), "log": LOG.format(number)}
    return make_outcome(Kind.IMAGE, canonical, download, state, **(own | fields))


def bad(number, reason="answered 404 MANIFEST_UNKNOWN", **fields):
    problem = replace(GONE, message=reason)
    return image(number, State.FAILED, content=None, size=None, problem=problem, **fields)


def record(cluster, *nights):
    """Return the record after nights, each with its outcomes."""
    found = None
    for number, outcomes in enumerate(nights):
        report = Report(cluster=cluster, outcomes=tuple(outcomes))
        found = update_record(found, report, "1.36.2", f"scheduled__{number + 1}")
    return found


def shown(cluster, *nights, more=NOTHING, **fields):
    return Shown(
        record=record(cluster, *nights),
        kind="copy",
        dag_id="nightly",
        run_page=RUN,
        more=more,
        **fields,
    )


def values(*clusters, scope=None):
    return {**page_values(clusters, NOW, timedelta(hours=26)), "scope": scope}


def three_clusters(more=NOTHING):
    """One that is ready, one with four failures since tonight, and a stale one."""
    good = [image(x) for x in range(6)]
    old = (NOW - timedelta(days=3)).isoformat()
    return values(
        shown("ready.example.com", good, good, more=more),
        shown("broken.example.com", good, [*good[:3], *(bad(x) for x in range(3, 7))], more=more),
        shown("stale.example.com", [image(0, verified_at=old)], more=more),
    )


def many(clusters, assets):
    """Return as many clusters with as many assets each, of which two are not ready."""
    return values(
        *(
            shown(
                f"c{number:03}.example.com",
                [bad(0) if number < 2 else image(0), *(image(x) for x in range(1, assets))],
                more=actions(),
            )
            for number in range(clusters)
        )
    )
