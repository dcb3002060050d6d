"""Download URLs, and the stores that stand behind them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidInputError, UnsupportedTargetError
from kops_assets_provider.files.targets import FileTarget, Scheme, locate, locate_place
from kops_assets_provider.mirror.places.state.places import split_place

KEY = "kubernetes-release/release/v1.7.2/bin/linux/amd64/kubectl"

# Test_BuildVFSPath in pkg/assets/copyfile_test.go and Test_VFSPath in
# util/pkg/vfs/s3context_test.go, kOps v1.36.2.
OF_KOPS = {
    f"https://s3.amazonaws.com/k8s-for-greeks-kops/{KEY}": f"s3://k8s-for-greeks-kops/{KEY}",
    f"https://s3.cn-north-1.amazonaws.com/k8s-kops/{KEY}": f"s3://k8s-kops/{KEY}",
    f"https://s3-cn-north-1.amazonaws.com/k8s-kops/{KEY}": f"s3://k8s-kops/{KEY}",
    f"https://s3.k8s-for-greeks-kops.amazonaws.com/{KEY}": f"s3://k8s-for-greeks-kops/{KEY}",
    f"https://s3-k8s-for-greeks-kops.amazonaws.com/{KEY}": f"s3://k8s-for-greeks-kops/{KEY}",
    f"https://storage.googleapis.com/k8s-kops/{KEY}": f"gs://k8s-kops/{KEY}",
    f"https://k8s-kops.storage.googleapis.com/{KEY}": f"gs://k8s-kops/{KEY}",
    f"https://files.example.com.storage.googleapis.com/{KEY}": f"gs://files.example.com/{KEY}",
    "https://s3.bucket_foo-bar.abc.amazonaws.com/path": "s3://bucket_foo-bar.abc/path",
    "https://s3-us-west-2.amazonaws.com/bucket/path": "s3://bucket/path",
    "https://s3.cn-north-1.amazonaws.com.cn/bucket/path": "s3://bucket/path",
    "https://s3.us-gov-west-1.amazonaws.com/bucket/path": "s3://bucket/path",
    "http://s3.amazonaws.com/bucket/path": "s3://bucket/path",
    "https://bucket-name.s3.us-east-1.amazonaws.com/path": "s3://bucket-name/path",
    "https://bucket-name.s3.amazonaws.com/path": "s3://bucket-name/path",
    "https://bucket-name.s3-us-gov-west-1.amazonaws.com/path": "s3://bucket-name/path",
}


@pytest.mark.parametrize(("url", "place"), OF_KOPS.items())
def test_what_kops_understands(url, place):
    """Each URL in kOps' own tests leads to the object that kOps writes."""
    assert str(locate(url, {})) == place


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.dualstack.us-east-1.amazonaws.com", "us-east-1"),
        ("s3-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
        ("s3-fips.dualstack.ca-central-1.amazonaws.com", "ca-central-1"),
        ("s3.dualstack.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("s3.ap-southeast-2.amazonaws.com", "ap-southeast-2"),
        ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.amazonaws.com", None),
    ],
)
def test_hosts_of_s3(host, region):
    """Path style and virtual-hosted style name the same bucket, and the host tells the region."""
    expected = FileTarget(scheme=Scheme.S3, root="my.bucket", path="a/b", region=region)
    assert locate(f"https://{host}/my.bucket/a/b", {}) == expected
    assert locate(f"https://my.bucket.{host}/a/b", {}) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example.com/a/b",
        "https://s3.amazonaws.com.example.com/bucket/key",
        "https://examples3.amazonaws.com/bucket/key",
        "https://s3-accelerate.amazonaws.com/key",
        "https://bucket.s3-accelerate.dualstack.amazonaws.com/key",
        "https://bucket.s3-website-us-east-1.amazonaws.com/key",
        "https://s3-website.eu-central-1.amazonaws.com/key",
        "https://point-123.s3-accesspoint.us-east-1.amazonaws.com/key",
        "https://bucket.bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com/key",
        "https://s3.us-east-1.amazonaws.com/bucket-without-key",
        "https://storage.googleapis.com",
        "https://bucket.storage.googleapis.com",
        "https://bucket.storage.googleapis.com.evil.example/key",
        "https://.storage.googleapis.com/key",
        "storage.googleapis.com/foo/bar",
        "memfs://tests/key",
        "kubernetes-release/kubectl",
    ],
)
def test_anything_else_is_refused(url):
    """A URL that is not understood is an error that names it, what is, and the way out."""
    with pytest.raises(UnsupportedTargetError, match="file_targets") as error:
        locate(url, {})
    assert f"cannot write to {url}:" in str(error.value)
    assert "https://s3.REGION.amazonaws.com/BUCKET/KEY" in str(error.value)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://bucket", FileTarget(scheme=Scheme.S3, root="bucket", path="a/b")),
        ("s3://bucket/pre/fix/", FileTarget(scheme=Scheme.S3, root="bucket", path="pre/fix/a/b")),
        ("gs://bucket/prefix", FileTarget(scheme=Scheme.GS, root="bucket", path="prefix/a/b")),
        ("file:///srv/files", FileTarget(scheme=Scheme.FILE, root="/srv/files", path="a/b")),
        ("/srv/files/", FileTarget(scheme=Scheme.FILE, root="/srv/files", path="a/b")),
        ("file:///", FileTarget(scheme=Scheme.FILE, root="/", path="a/b")),
    ],
)
def test_file_targets(place, expected):
    """A prefix of the download URL stands for a bucket, a prefix in it, or a directory."""
    for prefix in ("https://files.example.com/k8s", "https://FILES.example.com/k8s/"):
        assert locate("https://files.example.com/k8s/a/b", {prefix: place}) == expected


def test_the_longest_prefix_wins():
    """Of several prefixes the longest counts, and all of them before S3's own forms."""
    targets = {
        "https://files.example.com": "/whole",
        "https://files.example.com/a/b": "/special",
        "https://bucket.s3.amazonaws.com": "/instead",
    }
    assert str(locate("https://files.example.com/a/b/c", targets)) == "file:///special/c"
    assert str(locate("https://files.example.com/a/c", targets)) == "file:///whole/a/c"
    assert str(locate("https://bucket.s3.amazonaws.com/c", targets)) == "file:///instead/c"


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example.com/k8s-other/a",
        "https://files.example.com.evil.example/k8s/a",
        "https://files.example.com:8443/k8s/a",
        "http://files.example.com/k8s/a",
    ],
)
def test_a_prefix_ends_where_a_part_ends(url):
    """A prefix is whole parts of a URL: no other directory, host, port or scheme fits."""
    with pytest.raises(UnsupportedTargetError):
        locate(url, {"https://files.example.com/k8s": "/srv"})


def test_a_path_is_decoded_once():
    """What a server decodes when nodes ask for the URL is what the key has to be."""
    url = "https://bucket.s3.amazonaws.com/a%2Cb/c+d%20e/%252C"
    assert locate(url, {}).path == "a,b/c+d e/%2C"
    url = "https://files.example.com/x/a%2Cb"
    assert locate(url, {"https://files.example.com/x": "s3://bucket/p%2C"}).path == "p%2C/a,b"


@pytest.mark.parametrize("path", ["../x", "a/%2e%2e/x", "a//b", "a/", "%00", "..%2Fx", "\ud800"])
def test_no_path_leads_astray(path):
    """A URL whose decoded path could leave the bucket's prefix or the directory is refused."""
    for url in (f"https://bucket.s3.amazonaws.com/{path}", f"https://files.example.com/{path}"):
        with pytest.raises(InvalidInputError):
            locate(url, {"https://files.example.com": "/srv"})


def test_all_that_is_wrong_with_file_targets_is_told():
    """A wrong mapping is refused with every problem at once, and without secrets."""
    targets = {
        "files.example.com": "/srv",
        "https://a.example.com": "relative/path",
        "https://b.example.com": "ftp://user:secret@b.example.com/x?token=secret",
        "https://c.example.com": "s3://",
        "https://d.example.com": "/srv/\0",
        "https://e.example.com": "file:///srv/\ud800",
    }
    with pytest.raises(InvalidInputError) as error:
        locate("https://bucket.s3.amazonaws.com/key", targets)
    assert len(error.value.problems) == 6
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("bucket", ["my-bucket", "My.Old_Bucket", "123", "b" * 222])
def test_names_of_buckets(bucket):
    """What S3 or Google has ever accepted."""
    assert locate_place(f"s3://{bucket}/p", "a").root == bucket
    assert locate_place(f"gs://{bucket}", "a").root == bucket


@pytest.mark.parametrize(
    "bucket",
    [
        "bad..name!",
        "-bucket",
        "bucket-",
        ".bucket",
        "ab",
        "b" * 223,
        "b cket",
        "bücket",
        "bucket\n",
    ],
)
def test_names_of_no_buckets(bucket):
    """They are refused here: what the clouds' clients say of them is different, and worse."""
    for scheme in ("s3", "gs"):
        with pytest.raises(InvalidInputError, match="is not s3://bucket/prefix"):
            locate_place(f"{scheme}://{bucket}/x", "a")


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("s3://KEY:SECRET@bucket/x", "s3://bucket/x"),
        ("gs://KEY:SEC/RET+SECRET@bucket/x", "gs://bucket/x"),
        ("s3://SECRET@bucket?token=SECRET", "s3://bucket"),
        ("KEY:SECRET@bucket/x", "bucket/x"),
        ("file://KEY:SECRET@host/x", "file://host/x"),
    ],
)
def test_user_info_is_no_bucket(place, shown):
    """Keys in a place are refused, and not told, whatever characters are in them."""
    with pytest.raises(InvalidInputError) as error:
        locate_place(place, "a")
    assert str(error.value).startswith(f"{shown}: it is not")
    with pytest.raises(InvalidInputError) as error:
        locate("https://files.example.com/a", {"https://files.example.com": place})
    assert "SECRET" not in str(error.value)
    assert "RET" not in str(error.value)


@pytest.mark.parametrize("place", ["s3://bucket/x", "gs://bucket/a/b"])
@pytest.mark.parametrize("query", ["?X-Amz-Signature=hunter2", "#hunter2"])
def test_a_place_is_not_signed(place, query):
    """A signature would become a part of each object's name; a directory may have any name."""
    for locating in (
        lambda x: locate_place(x, "c.json"),
        lambda x: locate("https://h/f", {"https://h": x}),
        lambda x: split_place(f"{x}/list.json{query}"),
        lambda x: split_place(f"{x}{query}"),
    ):
        with pytest.raises(InvalidInputError, match="query or fragment") as caught:
            locating(f"{place}{query}")
        assert "hunter2" not in str(caught.value)
    assert locate_place("/srv/a?b#c", "d").root == "/srv/a?b#c"
    assert split_place("/srv/a?b/c") == ("/srv/a?b", "c")


def test_no_secret_is_told():
    """A refused URL is told without user info and query."""
    with pytest.raises(UnsupportedTargetError) as error:
        locate("https://user:secret@files.example.com/a?token=secret", {})
    assert "secret" not in str(error.value)


@settings(deadline=None)  # a busy machine is no failure
@given(
    bucket=st.from_regex(r"[a-z0-9][a-z0-9-]{1,20}[a-z0-9]", fullmatch=True),
    key=st.from_regex(r"[a-z0-9_+,-]{1,8}(/[a-z0-9_+,-]{1,8}){0,3}", fullmatch=True),
    host=st.sampled_from(["s3.amazonaws.com", "s3.eu-west-3.amazonaws.com"]),
)
def test_every_bucket_comes_back(bucket, key, host):
    """Whatever a bucket is called, path style and virtual-hosted style find it."""
    for url in (f"https://{host}/{bucket}/{key}", f"https://{bucket}.{host}/{key}"):
        target = locate(url, {})
        assert (target.scheme, target.root, target.path) == (Scheme.S3, bucket, key)
