"""Options of the mirror: its sources and targets, and how images and files are copied."""

from __future__ import annotations

from typing import Any

from kops_assets_provider.options.option import Flag, Group, Option
from kops_assets_provider.options.readers import (
    as_choice,
    as_days,
    as_flag,
    as_mapping,
    as_names,
    as_settings,
    as_text,
)

_ON_DRIFT = {
    "fail": "Fail: overwrite nothing",
    "keep": "Keep images, fail for files",
    "take": "Take the source's version",
}


def _as_it_is(_name: str, value: Any) -> Any:
    return value


SOURCE_REWRITES = Option(
    name="source_rewrites",
    group=Group.PLACES,
    reader=as_mapping,
    help="prefixes of canonical names and URLs, each with the place that these are really fetched "
    "from, such as a pull-through cache. Names and hashes stay the same.",
    form={"title": "Source rewrites"},
    flag=Flag(name="--source-rewrite", metavar="PREFIX=PLACE", repeats=True),
)
AWS_CONN_ID = Option(
    name="aws_conn_id",
    group=Group.PLACES,
    reader=as_text,
    default="aws_default",
    help="the Airflow connection for ECR and S3; None, in JSON `null`, for boto3's default "
    "credentials.",
)
GCP_CONN_ID = Option(
    name="gcp_conn_id",
    group=Group.PLACES,
    reader=as_text,
    default="google_cloud_default",
    help="the Airflow connection for Google's registries and Cloud Storage; None, in JSON `null`, "
    "for Google's default credentials.",
)
REGISTRY_CONN_IDS = Option(
    name="registry_conn_ids",
    group=Group.IMAGES,
    reader=as_mapping,
    help="credentials for registries.",
    dag_help="Hosts of registries, each with its `oci_registry` connection. ECR's and Google's "
    "registries use the AWS and Google connections without an entry; all others are anonymous.",
    page="registries.md",
    form={"title": "Registry connections"},
    flag=Flag(
        name="--registry-config",
        metavar="FILE",
        help="A file in the form of Docker's config.json; by default Docker's own.",
    ),
)
PLATFORMS = Option(
    name="platforms",
    group=Group.IMAGES,
    reader=as_names,
    help="platforms to copy of each image, such as `linux/amd64`; by default all. An image that "
    "nodes pull by its digest is copied with all of them.",
    form={
        "title": "Platforms",
        "examples": ["linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x"],
    },
    flag=Flag(name="--platform", metavar="OS/ARCH", repeats=True),
)
IMMUTABLE_TAGS = Option(
    name="immutable_tags",
    group=Group.IMAGES,
    reader=as_names,
    help="prefixes of canonical names whose tags never move, such as `registry.k8s.io`: the source "
    "is not asked about images that the target has. No effect together with `platforms`.",
    flag=Flag(name="--immutable-tags", metavar="PREFIX", repeats=True),
)
WARM = Option(
    name="warm",
    group=Group.IMAGES,
    reader=as_names,
    help="hosts of pull-through caches, which refuse pushes: images are read through them, so that "
    "they have them before a node asks.",
    page="registries.md",
    flag=Flag(name="--warm", metavar="HOST", repeats=True),
)
WARM_DAYS = Option(
    name="warm_days",
    group=Group.IMAGES,
    reader=as_days,
    help="after how many days an image is read through its cache again; by default 7.",
    flag=Flag(name="--warm-days", metavar="DAYS"),
)
ECR_REPOSITORIES = Option(
    name="ecr_repositories",
    group=Group.IMAGES,
    reader=as_settings,
    help="create repositories in ECR that do not exist yet.",
    dag_help="How to create them: `{}` for ECR's defaults.",
    page="registries.md",
    flag=Flag(name="--create-ecr-repositories", help="They have ECR's defaults."),
)
FILE_TARGETS = Option(
    name="file_targets",
    group=Group.FILES,
    reader=as_mapping,
    help="prefixes of download URLs, each with the place to write to: `s3://bucket/prefix`, "
    "`gs://bucket/prefix` or a directory. S3's and Google's own URLs need no entry.",
    page="files.md",
    form={"title": "File targets"},
    flag=Flag(name="--file-target", metavar="PREFIX=PLACE", repeats=True),
)
BUCKET_OWNER = Option(
    name="bucket_owner",
    group=Group.FILES,
    reader=as_text,
    help="the AWS account that buckets in S3 must belong to; the bucket of another account is "
    "refused.",
    flag=Flag(name="--bucket-owner", metavar="ACCOUNT"),
)
S3_OPTIONS = Option(
    name="s3_options",
    group=Group.FILES,
    reader=as_settings,
    help="how objects are stored in S3: `server_side_encryption`, `kms_key`, `acl`, "
    "`storage_class`.",
    page="files.md#how-objects-are-stored",
    flag=Flag(name="--s3-option", metavar="NAME=VALUE", repeats=True),
)
GCS_OPTIONS = Option(
    name="gcs_options",
    group=Group.FILES,
    reader=as_settings,
    help="how objects are stored in Google Cloud Storage: `kms_key`, `predefined_acl`, "
    "`user_project`.",
    page="files.md#how-objects-are-stored",
    flag=Flag(name="--gcs-option", metavar="NAME=VALUE", repeats=True),
)
DEEP = Option(
    name="deep",
    group=Group.FILES,
    reader=as_flag,
    default=False,
    help="read every file at the target again and hash it, even if its store keeps a hash of it.",
    page="files.md",
    form={"title": "Read every file again"},
    flag=Flag(name="--deep"),
)
CHECK_DOWNLOADS = Option(
    name="check_downloads",
    group=Group.FILES,
    reader=as_flag,
    default=False,
    help="request the download URL of each file without credentials, as nodes do.",
    page="files.md#nodes-must-be-able-to-read",
    form={"title": "Check downloads"},
    flag=Flag(name="--check-downloads"),
)
ON_DRIFT = Option(
    name="on_drift",
    group=Group.RUN,
    reader=as_choice(*_ON_DRIFT),
    choices=tuple(_ON_DRIFT),
    help="what to do with an asset that has changed at the source under the same name: `fail` "
    "(the default), `keep` the target's image, or `take` the source's version. A file "
    "cannot be kept.",
    page="changes.md#drift",
    form={
        "title": "On drift",
        "enum": [None, *_ON_DRIFT],
        "values_display": {"null": "As in the Variable", **_ON_DRIFT},
    },
    flag=Flag(name="--on-drift"),
)
DRY_RUN = Option(
    name="dry_run",
    group=Group.RUN,
    reader=as_flag,
    default=False,
    help="copy nothing: report what a copy would do, why, and what it would take.",
    page="changes.md#dry-runs",
    form={"title": "Dry run"},
    flag=Flag(name="--dry-run"),
    parameter="plan_only",  # Airflow's operators have a method dry_run
)
RECORD_URL = Option(
    name="record_url",
    group=Group.RUN,
    reader=as_text,
    help="where the mirror's record is kept, if not beside the files: `s3://…`, `gs://…` or a "
    "directory.",
    page="architecture.md#the-record",
    flag=Flag(name="--record-url", metavar="PLACE"),
)
REPORT_URL = Option(
    name="report_url",
    group=Group.RUN,
    reader=as_text,
    help="where to write the report as a web page and as JSON, if anywhere: `s3://…`, `gs://…` or "
    "a directory.",
    page="architecture.md#the-report",
    flag=Flag(name="--report-url", metavar="PLACE"),
)
ON_READINESS_CHANGE = Option(
    name="on_readiness_change",
    group=Group.RUN,
    reader=_as_it_is,
    default=(),
    help="notifiers that are called when the mirror becomes ready, or is no longer.",
    page="airflow.md#who-is-told",
    is_template=False,
    in_fleet_file=False,
)
COPY_POOL = Option(
    name="copy_pool",
    group=Group.RUN,
    reader=as_text,
    help="Airflow's pool that every copy takes a slot of: no more copies run at a time than it "
    "has slots.",
    is_template=False,
)
