"""Options of the list: where it comes from, and what is in it."""

from __future__ import annotations

from kops_assets_provider.options.option import Flag, Group, Option
from kops_assets_provider.options.readers import as_flag, as_names, as_shas, as_text, as_versions

CLUSTER_SPEC = Option(
    name="cluster_spec",
    group=Group.SOURCE,
    reader=as_text,
    help="the cluster's manifest: the Cluster and its InstanceGroups, as "
    "`kops get --name CLUSTER -o yaml` prints them.",
    dag_help="A path on the workers, or the text itself.",
    page="lists.md",
    form={"title": "Cluster manifest", "format": "multiline"},
    flag=Flag(name="--spec", metavar="FILE", help="A file; - is standard input."),
)
STATE_STORE = Option(
    name="state_store",
    group=Group.SOURCE,
    reader=as_text,
    help="instead of a manifest, kOps' state store: `s3://…`, `gs://…` or a directory.",
    page="lists.md",
    form={"title": "State store", "examples": ["s3://kops-state-store"]},
    flag=Flag(name="--state", metavar="PLACE", help="By default $KOPS_STATE_STORE."),
)
CLUSTER_NAME = Option(
    name="cluster_name",
    group=Group.SOURCE,
    reader=as_text,
    help="the cluster's name in the state store.",
    form={"title": "Cluster name"},
    flag=Flag(name="--name", metavar="CLUSTER", help="By default $KOPS_CLUSTER_NAME."),
    in_fleet_file=False,
)
ASSET_LIST = Option(
    name="asset_list",
    group=Group.SOURCE,
    reader=as_text,
    help="a saved list, YAML or JSON, to read instead of computing one: a file, `s3://…`, "
    "`gs://…` or `https://…`.",
    page="lists.md",
    form={"title": "Saved list"},
    flag=Flag(name="--from", alias="--list", metavar="LIST"),
)
SOURCES = (CLUSTER_SPEC, STATE_STORE, ASSET_LIST)
"""Options of which a cluster has one."""
KOPS_VERSION = Option(
    name="kops_version",
    group=Group.SOURCE,
    reader=as_versions,
    help="the kOps release that the cluster is, or will be, updated with, such as `1.36.2`; by "
    "default that of the last update if there is a state store. Several versions, with commas "
    "between them, give the assets that any of them needs.",
    form={"title": "kOps release"},
    flag=Flag(name="--kops-version", metavar="VERSION", repeats=True),
)
KUBERNETES_VERSION = Option(
    name="kubernetes_version",
    group=Group.SOURCE,
    reader=as_versions,
    help="the Kubernetes version to list for instead of the spec's, to prepare an upgrade. Several "
    "versions, the old and the new one for instance, give the assets that any of them needs.",
    form={"title": "Kubernetes version"},
    flag=Flag(name="--kubernetes-version", metavar="VERSION", repeats=True),
)
KOPS_COMMAND = Option(
    name="kops_command",
    group=Group.SOURCE,
    reader=as_text,
    help="a `kops` program that computes the list from the state store.",
    dag_help="It must be installed on the workers.",
    page="lists.md",
    flag=Flag(name="--kops-command", metavar="KOPS"),
    in_fleet_file=False,
)
NEAREST_RELEASE = Option(
    name="nearest_release",
    group=Group.SOURCE,
    reader=as_flag,
    default=False,
    help="compute the list of an unknown patch release with the rules of the nearest known one.",
    flag=Flag(name="--nearest-release"),
)
ANY_KUBERNETES_VERSION = Option(
    name="any_kubernetes_version",
    group=Group.SOURCE,
    reader=as_flag,
    default=False,
    help="list also for a Kubernetes version that the kOps release does not support.",
    form={"title": "Any Kubernetes version"},
    flag=Flag(name="--any-kubernetes-version"),
)
EXTENDED = Option(
    name="extended",
    group=Group.CONTENT,
    reader=as_flag,
    default=False,
    help="add the images and files that the cluster uses and kOps does not list.",
    page="lists.md",
    form={"title": "Extended list"},
    flag=Flag(name="--extended"),
)
EXTRA_IMAGES = Option(
    name="extra_images",
    group=Group.CONTENT,
    reader=as_names,
    help="names of images to add to the list.",
    flag=Flag(name="--extra-image", metavar="NAME", repeats=True),
)
EXTRA_FILES = Option(
    name="extra_files",
    group=Group.CONTENT,
    reader=as_shas,
    help="URLs of files to add to the list, each with its SHA-256 if you know it.",
    dag_help="A mapping of URLs to a SHA-256 or `null`, or a list of URLs.",
    flag=Flag(name="--extra-file", metavar="URL[=SHA256]", repeats=True),
)
SHA_FILE = Option(
    name="sha_file",
    group=Group.CONTENT,
    reader=as_text,
    help="a YAML file, `canonical URL: SHA-256`, of hashes that you pin yourself. They take "
    "precedence over the release's own hashes and over those fetched beside a file.",
    flag=Flag(name="--sha-file", metavar="FILE"),
)
OUTPUT_URL = Option(
    name="output_url",
    group=Group.CONTENT,
    reader=as_text,
    help="where to save the list as well: `s3://…`, `gs://…` or a file, in JSON or YAML by its "
    "suffix. Only a list that was saved so is replaced.",
    in_fleet_file=False,
)
