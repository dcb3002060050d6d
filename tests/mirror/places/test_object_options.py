"""How objects are stored is read from what users write, and all that is wrong in it is told."""

from __future__ import annotations

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.files.gcs import GCSOptions
from kops_assets_provider.files.s3 import S3Options
from kops_assets_provider.mirror.places.object_options import StoreOptions, read_store_options

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"


def test_nothing_said():
    """Then the bucket's own settings hold."""
    assert read_store_options() == StoreOptions(s3=S3Options(), gcs=GCSOptions())
    assert S3Options().params() == {}


def test_all_of_it():
    """In S3's and Google's own words."""
    s3 = {
        "server_side_encryption": "aws:kms",
        "kms_key": KEY,
        "acl": "bucket-owner-full-control",
        "storage_class": "STANDARD_IA",
    }
    gcs = {"kms_key": "k", "predefined_acl": "publicRead", "user_project": "p"}
    found = read_store_options(s3, gcs, "111122223333")
    assert found.s3.params() == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": KEY,
        "ACL": "bucket-owner-full-control",
        "StorageClass": "STANDARD_IA",
    }
    assert found.s3.owner == "111122223333"
    assert found.gcs == GCSOptions(kms_key="k", predefined_acl="publicRead", user_project="p")


@pytest.mark.parametrize(
    ("s3", "gcs", "told"),
    [
        ({"aclx": "private"}, {}, "'aclx' is none of server_side_encryption, kms_key, acl"),
        ({"acl": "public-read-write"}, {}, "acl: expected private, "),
        ({"storage_class": "GLACIER"}, {}, "storage_class: expected STANDARD, "),
        ({"server_side_encryption": "aes"}, {}, "expected AES256, aws:kms or aws:kms:dsse"),
        ({"kms_key": KEY}, {}, "kms_key needs the server_side_encryption aws:kms or"),
        ({"kms_key": KEY, "server_side_encryption": "AES256"}, {}, "kms_key needs the"),
        ({}, {"predefined_acl": "public-read"}, "predefined_acl: expected auth"),
        ({}, {"kms_key": ""}, "kms_key: expected projects/"),
    ],
)
def test_what_is_wrong_is_told(s3, gcs, told):
    """A word that S3 or Google would refuse, or that lets everybody write."""
    with pytest.raises(InvalidInputError) as error:
        read_store_options(s3, gcs)
    assert told in str(error.value)
    assert str(error.value).startswith("gcs_options" if gcs else "s3_options")


def test_an_owner_that_is_none():
    """Told once, and not for each file."""
    with pytest.raises(InvalidInputError, match="'12' is no AWS account of 12 digits"):
        read_store_options(bucket_owner="12")


def test_all_problems_come_at_once():
    """Whoever mends one does not meet the next."""
    with pytest.raises(InvalidInputError) as error:
        read_store_options({"acl": "x", "storage_class": "y", "z": "1"})
    assert len(error.value.problems) == 3
