"""Options that a DAG takes from an Airflow Variable, and from the form of a run by hand."""

from __future__ import annotations

from typing import Any, cast

from airflow.sdk import Param

from kops_assets_provider.operators.get_assets import SOURCES
from kops_assets_provider.task_groups.options import CopyAssetsOptions

# Each task reads the DAG file first, so what only its work needs is imported where it is done.

_STRUCTURES = (
    *("registry_conn_ids", "source_rewrites", "file_targets", "ecr_repositories"),
    *("s3_options", "gcs_options"),
    *("platforms", "warm", "immutable_tags", "extra_images", "extra_files"),
    *("kops_version", "kubernetes_version"),
)
_SWITCHES = (
    *("any_kubernetes_version", "extended", "nearest_release"),
    *("deep", "check_downloads", "dry_run"),
)
_ON_DRIFT = {
    "fail": "Fail: overwrite nothing",
    "keep": "Keep images, fail for files",
    "take": "Take what the source has",
}
_DEFAULTS: dict[str, Any] = {
    "cluster_spec": "",
    "state_store": None,
    "cluster_name": None,
    "asset_list": None,
    "kops_version": None,
    "kubernetes_version": None,
    "kops_command": None,
    "nearest_release": False,
    "any_kubernetes_version": False,
    "extended": False,
    "extra_images": [],
    "extra_files": {},
    "bucket_owner": None,
    "s3_options": {},
    "gcs_options": {},
    "deep": False,
    "check_downloads": False,
    "on_drift": None,
    "dry_run": False,
    "output_url": None,
    "sha_file": None,
    "registry_conn_ids": {},
    "source_rewrites": {},
    "file_targets": {},
    "platforms": [],
    "warm": [],
    "warm_days": None,
    "ecr_repositories": None,
    "immutable_tags": [],
    "record_url": None,
    "report_url": None,
    "aws_conn_id": "aws_default",
    "gcp_conn_id": "google_cloud_default",
}


def options_from_variable(name: str, *, params: bool = False) -> CopyAssetsOptions:
    """
    Return options that an Airflow Variable, a JSON object, has when the tasks run.

    The options are templates that look the values up: nothing is asked of Airflow while a DAG file
    is parsed. The values are data, and are not rendered.

    :param params: let the run's parameters go before the Variable: those that ``manual_params``
        declares, and no others. ``dry_run`` always does.
    """
    # A run's conf may have any key; only what the form offers may come from there.
    form = manual_params() if params else {"dry_run": None}
    options = {x: _template(name, x, x in form) for x in _DEFAULTS}
    return cast("CopyAssetsOptions", options)


def _template(variable: str, option: str, params: bool) -> str:
    found = f"var.json.get({variable!r}, {{}}).get({option!r}, {_DEFAULTS[option]!r})"
    if params:
        own = f"params.get({option!r})"
        # An empty field of the form means the Variable's value; a switch that is off means off.
        is_set = f"{own} is not none" if option in _SWITCHES else own
        # Who says one source of the list in the form does not mean the Variable's other one.
        others = [f"params.get({x!r})" for x in SOURCES if option in SOURCES and x != option]
        unsaid = f"none if {' or '.join(others)} else {found}" if others else found
        found = f"({own} if {is_set} else {unsaid})"
    # What is not text must survive being rendered to text.
    return f"{{{{ {found} | tojson }}}}" if option in _STRUCTURES else f"{{{{ {found} }}}}"


def dry_run_param(default: bool | None = False, **options: Any) -> Param:
    """Return the switch of a form for a dry run."""
    return Param(
        default,
        type=["null", "boolean"],
        title="Dry run",
        description="Copy nothing: report says what would be done, and what it would take",
        **options,
    )


def check_params() -> dict[str, Param]:
    """Return the parameters of a check by hand, likewise."""
    return {name: x for name, x in manual_params().items() if name != "dry_run"}


def manual_params() -> dict[str, Param]:
    """Return the parameters of a run by hand: each one left empty is taken from the Variable."""
    from kops_assets_provider.kops.catalog import known_releases

    text, mapping = ["null", "string"], ["null", "object"]
    what: dict[str, Any] = {"section": "What to mirror"}
    where: dict[str, Any] = {"section": "From where, to where"}
    return {
        "cluster_spec": Param(
            None,
            type=text,
            format="multiline",
            title="Cluster manifest",
            **what,
            description="Path of the manifest on the workers, or its text: the Cluster and its "
            "InstanceGroup documents",
        ),
        "state_store": Param(
            None,
            type=text,
            title="State store",
            examples=["s3://kops-state-store"],
            **what,
            description="Instead of the manifest: where kOps keeps the cluster",
        ),
        "cluster_name": Param(
            None,
            type=text,
            title="Cluster name",
            **what,
            description="Its name in the state store",
        ),
        "asset_list": Param(
            None,
            type=text,
            title="Saved list",
            **what,
            description="Instead of both: a saved asset list, s3://…, gs://…, https://… or a file",
        ),
        "kops_version": Param(
            None,
            type=text,
            title="kOps release",
            examples=list(known_releases()),
            **what,
            description="The release that the cluster is, or will be, updated with; with commas "
            "between them several, all of whose assets are mirrored",
        ),
        "kubernetes_version": Param(
            None,
            type=text,
            title="Kubernetes version",
            **what,
            description="Instead of the manifest's, to be ready for an upgrade; several likewise: "
            "the old and the new one",
        ),
        "any_kubernetes_version": Param(
            None,
            type=["null", "boolean"],
            title="Any Kubernetes version",
            **what,
            description="Also for a version that the release does not support",
        ),
        "extended": Param(
            None,
            type=["null", "boolean"],
            title="Extended list",
            **what,
            description="Also what the cluster uses and kOps does not list",
        ),
        "dry_run": dry_run_param(None, **what),
        "on_drift": Param(
            None,
            type=text,
            enum=[None, "fail", "keep", "take"],
            values_display={"null": "As the Variable says", **_ON_DRIFT},
            title="On drift",
            **what,
            description="What to do with an asset that has moved at the source under the same "
            "name: fail, keep what the target has, or take what the source has",
        ),
        "deep": Param(
            None,
            type=["null", "boolean"],
            title="Read every file again",
            **what,
            description="Also those of which the store keeps a hash: each is read and hashed",
        ),
        "check_downloads": Param(
            None,
            type=["null", "boolean"],
            title="Check downloads",
            **what,
            description="Ask the files' download URLs without credentials, as nodes do",
        ),
        "platforms": Param(
            None,
            type=["null", "array"],
            title="Platforms",
            examples=["linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x"],
            **what,
            description="What to copy of each image; all of it if none is chosen",
        ),
        "registry_conn_ids": Param(
            None,
            type=mapping,
            title="Registry connections",
            **where,
            description="A registry's host to an OCI registry connection",
        ),
        "file_targets": Param(
            None,
            type=mapping,
            title="File targets",
            **where,
            description="A prefix of download URLs to s3://…, gs://… or a directory",
        ),
        "source_rewrites": Param(
            None,
            type=mapping,
            title="Source rewrites",
            **where,
            description="A prefix of canonical names and URLs to where those are really fetched",
        ),
    }
