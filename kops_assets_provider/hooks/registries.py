"""The registries of a list, each with the credentials that belong to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kops_assets_provider.hooks.cloud_logins import cloud_login, ecr_at
from kops_assets_provider.hooks.oci_registry import OciRegistryHook
from kops_assets_provider.mirror.model.mapping_options import (
    Readers,
    flag,
    mapping,
    one_of,
    read_options,
    text,
)
from kops_assets_provider.mirror.places.cloud_registries import EcrRepositories
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint, default_url


def open_registries(
    registry_conn_ids: Mapping[str, str],
    source_rewrites: Mapping[str, str],
    aws_conn_id: str | None,
    gcp_conn_id: str | None,
    ecr_repositories: Mapping[str, Any] | None = None,
) -> Registries:
    """
    Open the registries of a list.

    :param registry_conn_ids: a registry's host, as references spell it, to an ``oci_registry``
        connection. ECR and Google hosts without an entry use the AWS and Google connections, all
        others are spoken to anonymously.
    :param source_rewrites: prefixes of canonical names, and where those are really fetched.
    :param ecr_repositories: how to make repositories that are missing in ECR, by the AWS
        connection: see ``read_ecr_repositories``. None are made if it is None.
    """
    repositories = read_ecr_repositories(ecr_repositories)

    def endpoint(host: str) -> RegistryEndpoint:
        ecr = ecr_at(host, aws_conn_id)
        if host in registry_conn_ids:
            found = OciRegistryHook(registry_conn_ids[host]).get_conn()
        else:
            found = RegistryEndpoint(
                url=default_url(host), login=cloud_login(host, ecr, gcp_conn_id)
            )
        return replace(found, profile=ecr.profile(repositories)) if ecr else found

    return Registries(endpoint, source_rewrites)


def read_ecr_repositories(options: Mapping[str, Any] | None) -> EcrRepositories | None:
    """
    Return how to make repositories in ECR; with no options as ECR does by default.

    :param options: ``image_tag_mutability``, ``scan_on_push``, ``encryption_type``, ``kms_key``,
        ``lifecycle_policy`` (a mapping or its JSON text; without it nothing expires) and ``tags``.
    :raises InvalidInputError: something is wrong in it; the message has all of it.
    """
    if options is None:
        return None
    return EcrRepositories(
        **read_options("parameter ecr_repositories", options, _READERS, _key_problem)
    )


def _key_problem(values: Mapping[str, Any]) -> str | None:
    if "kms_key" in values and values.get("encryption_type") not in _WITH_KEY:
        return f"kms_key needs the encryption_type {' or '.join(_WITH_KEY)}"
    return None


def _policy(value: Any) -> str | None:
    policy = mapping(value)
    return None if policy is None else json.dumps(policy)


def _tags(value: Any) -> dict[str, str] | None:
    tags = mapping(value)
    return tags if tags is None or all(isinstance(x, str) for x in tags.values()) else None


_WITH_KEY = ("KMS", "KMS_DSSE")
_READERS: Readers = {
    "image_tag_mutability": one_of("MUTABLE", "IMMUTABLE"),
    "scan_on_push": (flag, "true or false"),
    "encryption_type": one_of("AES256", *_WITH_KEY),
    "kms_key": (text, "the ARN or id of a key"),
    "lifecycle_policy": (_policy, "a mapping or the JSON of one"),
    "tags": (_tags, "a mapping of text to text"),
}
