"""What Airflow must know of this package; called at every start of every component."""

from __future__ import annotations

from typing import Any

from kops_assets_provider import __version__

_INTEGRATION = "kOps assets"
_CONFIG = "The page of that name in Airflow's UI."


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, valid by Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-kops-assets",
        "name": _INTEGRATION,
        "description": "Mirror everything a kOps cluster downloads, images and files.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://kops.sigs.k8s.io/operations/asset-repository/",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "kops_assets_provider.operators.get_assets",
                    "kops_assets_provider.operators.get_fleet_assets",
                    "kops_assets_provider.operators.plan",
                    "kops_assets_provider.operators.copy",
                    "kops_assets_provider.operators.check",
                    "kops_assets_provider.operators.report",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["kops_assets_provider.sensors.ready"],
            }
        ],
        "hooks": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "kops_assets_provider.hooks.oci_registry",
                    "kops_assets_provider.hooks.file_repository",
                ],
            }
        ],
        "connection-types": [_oci_registry()],
        "config": {"kops_assets": {"description": _CONFIG, "options": _options()}},
        "extra-links": [
            "kops_assets_provider.operators.links.SourceLink",
            "kops_assets_provider.operators.links.TargetLink",
        ],
    }


def _options() -> dict[str, Any]:
    return {
        "page_enabled": _option("boolean", "True", "Whether there is the page at all."),
        "page_max_age_hours": _option(
            "float",
            "26",
            "How long ago an asset may have been verified for a cluster to count as ready.",
        ),
        "page_hide_after_days": _option(
            "float", "90", "After how many days a cluster that was not mirrored again is left out."
        ),
        "allowed_record_urls": _option(
            "string",
            "",
            "Places, separated by commas, below which the page may read the records of mirrors. "
            "Without any, it reads objects of S3 and Google Cloud Storage and no directory.",
            "s3://bucket/kops-assets, /srv/mirror/kops-assets",
        ),
        "allowed_record_conn_ids": _option(
            "string",
            "aws_default, google_cloud_default",
            "Connections, separated by commas, with which the page may read records. "
            "The default credentials of the SDKs may always be used.",
            "aws_default, mirror_s3",
        ),
    }


def _option(
    kind: str, default: str, description: str, example: str | None = None
) -> dict[str, Any]:
    own = {"type": kind, "default": default, "description": description}
    return {**own, "version_added": "0.1.0", "example": example}


def _oci_registry() -> dict[str, Any]:
    return {
        "connection-type": "oci_registry",
        "hook-class-name": "kops_assets_provider.hooks.oci_registry.OciRegistryHook",
        "hook-name": "OCI registry",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "extra"],
            "relabeling": {"host": "Registry host", "login": "User name", "password": "Password"},
            "placeholders": {
                "host": "registry.example.com",
                "login": "anonymous if left empty",
                "password": "a password or an access token",
            },
        },
        "conn-fields": {
            "ca_file": {
                "label": "CA file",
                "description": "PEM file on the workers: authorities to trust for this registry",
                "schema": {"type": ["string", "null"]},
            },
            "token_hosts": {
                "label": "Token hosts",
                "description": "Other hosts that may see the password, where the registry "
                "sends its clients for tokens; separated by commas",
                "schema": {"type": ["string", "null"]},
            },
            "requests_per_second": {
                "label": "Requests per second",
                "description": "At most, for each task; no limit if empty",
                "schema": {"type": ["number", "null"]},
            },
            "concurrency": {
                "label": "Requests at a time",
                "description": "At most, for each task; no limit if empty",
                "schema": {"type": ["integer", "null"]},
            },
            "proxy": {
                "label": "Proxy",
                "description": "URL of the proxy to it, http://proxy.example.com:3128; "
                "by default HTTPS_PROXY and NO_PROXY of the workers",
                "schema": {"type": ["string", "null"]},
            },
            "client_cert": {
                "label": "Client certificate",
                "description": "PEM file on the workers: a certificate to show to this registry",
                "schema": {"type": ["string", "null"]},
            },
            "client_key": {
                "label": "Client key",
                "description": "PEM file on the workers with its key, if that is another file; "
                "without a password",
                "schema": {"type": ["string", "null"]},
            },
            "scheme": {
                "label": "Scheme",
                "description": "Plain http is for registries on loopback, where it is the default",
                "schema": {"type": ["string", "null"], "enum": ["https", "http", None]},
            },
        },
    }
