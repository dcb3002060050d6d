"""An XCom names the place of a record: the page opens what the configuration allows, no more."""

from __future__ import annotations

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.operators.cluster_status import ClusterStatus
from kops_assets_provider.ui.record_access import Place, RecordPlaces

C = "c.example.com"
NAME = f"{C}.json"


def status(record, aws="aws_default", gcp="google_cloud_default"):
    return ClusterStatus(
        cluster=C,
        ready=True,
        missing=0,
        kops_version="1",
        record=record,
        aws_conn_id=aws,
        gcp_conn_id=gcp,
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            f"s3://bucket/a/{NAME}",
            Place(folder="s3://bucket/a", path=NAME, aws_conn_id="aws_default"),
        ),
        (f"s3://bucket/{NAME}", Place(folder="s3://bucket", path=NAME, aws_conn_id="aws_default")),
        (
            f"gs://bucket/a b/{NAME}",
            Place(
                folder="gs://bucket/a b",
                path=NAME,
                aws_conn_id=None,
                gcp_conn_id="google_cloud_default",
            ),
        ),
    ],
)
def test_without_the_setting_objects_are_read(record, expected):
    """With the connection that their kind of store needs, and no other."""
    assert RecordPlaces().allowed(status(record)) == expected


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (f"/srv/{NAME}", "a directory is read only if [kops_assets] allowed_record_urls has it"),
        (f"file:///srv/{NAME}", "a directory is read only if"),
        ("s3://bucket/a/other.example.com.json", f"a record of {C} has another name"),
        ("s3://bucket/credentials.json", "has another name"),
        (f"s3://bucket/x{NAME}", "has another name"),
        (f"s3://bucket/a/{NAME}/", ""),
        (f"s3://bucket/a/../b/{NAME}", "'..'"),
        (f"s3://bucket/a//{NAME}", ""),
        (f"s3://bucket//a/{NAME}", "percent-encoding"),
        (f"s3://bucket/%2e%2e/{NAME}", "percent-encoding"),
        (f"s3://user:secret@bucket/{NAME}", "it is not s3://"),
        (f"https://bucket.s3.amazonaws.com/{NAME}", "it is not s3://"),
        (f"https://169.254.169.254/{NAME}", "it is not s3://"),
        (NAME, "it is not s3://"),
        ("", "it is not s3://"),
    ],
)
def test_without_the_setting_nothing_else_is(record, why):
    """The message says why, without user info."""
    with pytest.raises(InvalidInputError) as found:
        RecordPlaces().allowed(status(record))
    assert why in str(found.value)
    assert "secret" not in str(found.value)


PLACES = RecordPlaces(
    prefixes=["s3://bucket/kops-assets/", "gs://other", "/srv/mirror/kops-assets"]
)


@pytest.mark.parametrize(
    ("record", "folder", "path"),
    [
        (f"s3://bucket/kops-assets/{NAME}", "s3://bucket/kops-assets", NAME),
        (f"s3://bucket/kops-assets/x/{NAME}", "s3://bucket/kops-assets", f"x/{NAME}"),
        (f"gs://other/a/{NAME}", "gs://other", f"a/{NAME}"),
        (f"file:///srv/mirror/kops-assets/{NAME}", "/srv/mirror/kops-assets", NAME),
        (f"/srv/mirror/kops-assets/x/{NAME}", "/srv/mirror/kops-assets", f"x/{NAME}"),
    ],
)
def test_with_the_setting_what_is_below(record, folder, path):
    """It is opened from the prefix on, so that no link leads out of that."""
    found = PLACES.allowed(status(record))
    assert (found.folder, found.path) == (folder, path)


@pytest.mark.parametrize(
    "record",
    [
        f"s3://bucket/{NAME}",
        f"s3://bucket/kops-assets-2/{NAME}",
        f"s3://bucket2/kops-assets/{NAME}",
        f"gs://bucket/kops-assets/{NAME}",
        f"s3://bucket/kops-assets/../{NAME}",
        f"s3://bucket/kops-assets/%2E%2E/{NAME}",
        f"/srv/mirror/{NAME}",
        f"/srv/mirror/kops-assets2/{NAME}",
        f"/srv/mirror/kops-assets/../../{NAME}",
        f"/srv/mirror/kops-assets/%2e%2e/{NAME}",
        f"/srv/mirror//kops-assets/{NAME}",
        f"//srv/mirror/kops-assets/{NAME}",
        f"file:////srv/mirror/kops-assets/{NAME}",
        f"file:///srv/./mirror/kops-assets/{NAME}",
        "/srv/mirror/kops-assets/other.json",
    ],
)
def test_with_the_setting_nothing_beside_it(record):
    """A prefix ends where a part of the path does."""
    with pytest.raises(InvalidInputError):
        PLACES.allowed(status(record))


@pytest.mark.parametrize("prefix", ["bucket/x", "https://x", "s3://", "s3://b/../c", "/srv/../.."])
def test_a_setting_that_is_wrong_opens_nothing(prefix):
    """Least of all everything."""
    for record in (f"/etc/{NAME}", f"s3://bucket/{NAME}"):
        with pytest.raises(InvalidInputError, match="allowed_record_urls"):
            RecordPlaces(prefixes=[prefix]).allowed(status(record))


@pytest.mark.parametrize(
    ("record", "aws", "gcp", "is_allowed"),
    [
        (f"s3://bucket/{NAME}", None, None, True),
        (f"s3://bucket/{NAME}", "mirror_s3", None, True),
        (f"s3://bucket/{NAME}", "postgres_default", None, False),
        (f"s3://bucket/{NAME}", "mirror_s3", "postgres_default", True),
        (f"gs://bucket/{NAME}", None, "mirror_s3", True),
        (f"gs://bucket/{NAME}", None, "google_cloud_default", False),
    ],
)
def test_connections_are_those_of_the_setting(record, aws, gcp, is_allowed):
    """The default credentials may be used as well; what the store does not need is left out."""
    places = RecordPlaces(conn_ids=["mirror_s3"])
    if is_allowed:
        assert {aws, gcp, None} >= set(places.allowed(status(record, aws, gcp))[2:])
        return
    with pytest.raises(
        InvalidInputError, match=r"is not in \[kops_assets\] allowed_record_conn_ids"
    ):
        places.allowed(status(record, aws, gcp))
