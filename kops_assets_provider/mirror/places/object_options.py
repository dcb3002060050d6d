"""How files are stored in buckets, read from what users write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kops_assets_provider.files.gcs import GCSOptions
from kops_assets_provider.files.s3 import S3Options
from kops_assets_provider.files.s3_requests import check_owner
from kops_assets_provider.mirror.model.mapping_options import Readers, one_of, read_options, text

_WITH_KEY = ("aws:kms", "aws:kms:dsse")
# Without public-read-write: whoever may write these files is root on the nodes.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
_S3: Readers = {
    "server_side_encryption": one_of("AES256", *_WITH_KEY),
    "kms_key": (text, "the ARN or id of a key"),
    "acl": one_of(
        *("private", "public-read", "authenticated-read", "aws-exec-read"),
        *("bucket-owner-read", "bucket-owner-full-control"),
    ),
    # Those whose objects can be read at once, as nodes do.
    "storage_class": one_of(
        *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"),
        *("REDUCED_REDUNDANCY", "EXPRESS_ONEZONE"),
    ),
}
# https://docs.cloud.google.com/storage/docs/access-control/lists#predefined-acl
_GCS: Readers = {
    "kms_key": (text, "projects/P/locations/L/keyRings/R/cryptoKeys/K"),
    "predefined_acl": one_of(
        *("authenticatedRead", "bucketOwnerFullControl", "bucketOwnerRead", "private"),
        *("projectPrivate", "publicRead"),
    ),
    "user_project": (text, "the id of a project"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """What holds for all objects that are written."""

    s3: S3Options = field(default_factory=S3Options)
    gcs: GCSOptions = field(default_factory=GCSOptions)


def read_store_options(
    s3: Mapping[str, Any] | None = None,
    gcs: Mapping[str, Any] | None = None,
    bucket_owner: str | None = None,
) -> StoreOptions:
    """
    Return the options of both kinds of buckets.

    :param s3: ``server_side_encryption``, ``kms_key``, ``acl``, ``storage_class``.
    :param gcs: ``kms_key``, ``predefined_acl``, ``user_project``.
    :param bucket_owner: the AWS account that buckets in S3 must belong to.
    :raises InvalidInputError: something is wrong in them; the message has all of it.
    """
    of_s3 = read_options("s3_options", s3 or {}, _S3, _key_problem)
    of_gcs = read_options("gcs_options", gcs or {}, _GCS)
    return StoreOptions(
        s3=S3Options(owner=check_owner(bucket_owner), **of_s3), gcs=GCSOptions(**of_gcs)
    )


def _key_problem(values: Mapping[str, Any]) -> str | None:
    if "kms_key" in values and values.get("server_side_encryption") not in _WITH_KEY:
        return f"kms_key needs the server_side_encryption {' or '.join(_WITH_KEY)}"
    return None
