"""What the OCI Distribution Spec v1.1.1 asks of a registry, for our fake and for a real one."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from contextlib import closing
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.components import docker_registry
from tests.support.images import ImageKind, make_image, push_image
from tests.support.oci_registry import OciRegistryServer

BLOB = b"some bytes of a blob" * 1000
OCTETS = {"Content-Type": "application/octet-stream"}


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def call(method, url, body=None, headers=None):
    """Return status, headers and body; an iterator as body goes out in chunks."""
    target = urlsplit(url)
    path = f"{target.path}?{target.query}" if target.query else target.path
    with closing(http.client.HTTPConnection(target.netloc, timeout=10)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def error_code(body):
    return json.loads(body)["errors"][0]["code"]


class RegistryConformance:
    """Subclasses give a fixture ``url``: of an empty registry that lets everybody do everything."""

    def start_upload(self, url, repository="app", query=""):
        status, headers, _ = call("POST", f"{url}/v2/{repository}/blobs/uploads/{query}")
        assert status == 202
        return urljoin(url, headers["Location"])

    def finish_upload(self, location, digest, body=b""):
        separator = "&" if "?" in location else "?"
        return call("PUT", f"{location}{separator}digest={digest}", body, OCTETS)

    def push_blob(self, url, data=BLOB, repository="app"):
        location = self.start_upload(url, repository)
        assert self.finish_upload(location, digest_of(data), data)[0] == 201
        return digest_of(data)

    def test_base(self, url):
        """The base endpoint answers 200: this is a registry."""
        assert call("GET", f"{url}/v2/")[0] == 200

    def test_push_and_pull_a_blob(self, url):
        """A pushed blob comes back as it was, and HEAD tells its size."""
        digest = self.push_blob(url)
        status, headers, body = call("GET", f"{url}/v2/app/blobs/{digest}")
        assert (status, body) == (200, BLOB)
        assert headers["Docker-Content-Digest"] == digest
        status, headers, _ = call("HEAD", f"{url}/v2/app/blobs/{digest}")
        assert (status, headers["Content-Length"]) == (200, str(len(BLOB)))

    def test_unknown_blob(self, url):
        """A blob that is not there is 404 BLOB_UNKNOWN, also by HEAD."""
        digest = digest_of(b"never pushed")
        status, _, body = call("GET", f"{url}/v2/app/blobs/{digest}")
        assert (status, error_code(body)) == (404, "BLOB_UNKNOWN")
        assert call("HEAD", f"{url}/v2/app/blobs/{digest}")[0] == 404

    def test_blob_of_another_repository(self, url):
        """A blob is found in the repository that it was pushed to, and in no other."""
        digest = self.push_blob(url)
        assert call("HEAD", f"{url}/v2/other/blobs/{digest}")[0] == 404

    def test_blob_range(self, url):
        """A range of a blob is 206 with just these bytes."""
        digest = self.push_blob(url)
        status, headers, body = call(
            "GET", f"{url}/v2/app/blobs/{digest}", headers={"Range": "bytes=100-"}
        )
        assert (status, body) == (206, BLOB[100:])
        assert headers["Content-Range"] == f"bytes 100-{len(BLOB) - 1}/{len(BLOB)}"

    def test_range_beyond_the_end(self, url):
        """A range that begins after the end is 416."""
        digest = self.push_blob(url)
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        with closing(connection):
            headers = {"Range": f"bytes={len(BLOB)}-"}
            connection.request("GET", f"/v2/app/blobs/{digest}", headers=headers)
            # The body is left alone: docker-registry announces the blob's length, and sends less.
            assert connection.getresponse().status == 416

    @pytest.mark.parametrize("body", [BLOB + b"!", BLOB[:-1]], ids=["longer", "truncated"])
    def test_wrong_bytes_are_refused(self, url, body):
        """Bytes that do not have the digest are 400 DIGEST_INVALID, and nothing is stored."""
        location = self.start_upload(url)
        status, _, answer = self.finish_upload(location, digest_of(BLOB), body)
        assert (status, error_code(answer)) == (400, "DIGEST_INVALID")
        assert call("HEAD", f"{url}/v2/app/blobs/{digest_of(BLOB)}")[0] == 404

    def test_upload_by_streaming(self, url):
        """One PATCH in chunked transfer coding, then an empty PUT: as docker pushes."""
        location = self.start_upload(url)
        status, headers, _ = call("PATCH", location, iter([BLOB[:7], BLOB[7:]]), OCTETS)
        assert (status, headers["Range"]) == (202, f"0-{len(BLOB) - 1}")
        status, *_ = self.finish_upload(urljoin(url, headers["Location"]), digest_of(BLOB))
        assert status == 201
        assert call("GET", f"{url}/v2/app/blobs/{digest_of(BLOB)}")[2] == BLOB

    def test_upload_in_chunks_can_be_resumed(self, url):
        """The status of an upload says how far it is, and the rest may follow."""
        location = self.start_upload(url)
        headers = {**OCTETS, "Content-Range": "0-99"}
        _, headers, _ = call("PATCH", location, BLOB[:100], headers)
        location = urljoin(url, headers["Location"])
        status, headers, _ = call("GET", location)
        assert (status, headers["Range"]) == (204, "0-99")
        location = urljoin(url, headers["Location"])
        assert self.finish_upload(location, digest_of(BLOB), BLOB[100:])[0] == 201

    def test_cancelled_upload_is_gone(self, url):
        """An upload that was deleted is unknown."""
        location = self.start_upload(url)
        assert call("DELETE", location)[0] == 204
        status, _, body = call("GET", location)
        assert (status, error_code(body)) == (404, "BLOB_UPLOAD_UNKNOWN")

    def test_location_is_used_as_it_is(self, url):
        """The query of an upload's Location belongs to it: without, the upload is not found."""
        location = self.start_upload(url)
        assert "?" in location
        assert call("PATCH", location.partition("?")[0], BLOB, OCTETS)[0] in {400, 404}

    def test_unknown_upload(self, url):
        """Nobody can go on with an upload that nobody began."""
        location = f"{url}/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000"
        assert call("PATCH", location, BLOB, OCTETS)[0] == 404

    def test_mount(self, url):
        """A blob of another repository is mounted without sending it: 201."""
        digest = self.push_blob(url)
        query = f"?mount={digest}&from=app"
        assert call("POST", f"{url}/v2/team/other/blobs/uploads/{query}")[0] == 201
        assert call("GET", f"{url}/v2/team/other/blobs/{digest}")[2] == BLOB

    def test_mount_of_an_absent_blob_becomes_an_upload(self, url):
        """What cannot be mounted is 202 with a place to upload it to."""
        digest = digest_of(BLOB)
        location = self.start_upload(url, query=f"?mount={digest}&from=nowhere")
        assert self.finish_upload(location, digest, BLOB)[0] == 201

    def test_delete_blob(self, url):
        """A deleted blob is gone."""
        digest = self.push_blob(url)
        assert call("DELETE", f"{url}/v2/app/blobs/{digest}")[0] == 202
        assert call("GET", f"{url}/v2/app/blobs/{digest}")[0] == 404

    @pytest.mark.parametrize("kind", ImageKind)
    def test_image_comes_back_byte_by_byte(self, url, kind):
        """Manifests by tag and by digest are the bytes that were pushed, and keep their type."""
        image = make_image(kind=kind)
        push_image(url, "team/app", "v1.0", image)
        for reference in ("v1.0", image.digest):
            path = f"{url}/v2/team/app/manifests/{reference}"
            status, headers, body = call("GET", path, headers={"Accept": image.top.media_type})
            assert (status, body) == (200, image.top.data)
            assert headers["Content-Type"] == image.top.media_type
            assert headers["Docker-Content-Digest"] == image.digest
            status, headers, _ = call("HEAD", path, headers={"Accept": image.top.media_type})
            assert (status, headers["Content-Length"]) == (200, str(len(body)))

    def test_oci_index_is_served_only_to_who_accepts_it(self, url):
        """Without its media type in Accept an OCI index is 404."""
        image = make_image()
        push_image(url, "app", "1", image)
        headers = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        status, _, body = call("GET", f"{url}/v2/app/manifests/1", headers=headers)
        assert (status, error_code(body)) == (404, "MANIFEST_UNKNOWN")

    def test_unknown_manifest(self, url):
        """A tag that is not there is 404 MANIFEST_UNKNOWN."""
        push_image(url, "app", "1", make_image())
        status, _, body = call("GET", f"{url}/v2/app/manifests/2")
        assert (status, error_code(body)) == (404, "MANIFEST_UNKNOWN")

    @pytest.mark.parametrize("kind", [ImageKind.OCI_MANIFEST, ImageKind.OCI_INDEX])
    def test_manifest_with_parts_missing_is_refused(self, url, kind):
        """Children come before parents: otherwise 400 MANIFEST_BLOB_UNKNOWN."""
        top = make_image(kind=kind).top
        headers = {"Content-Type": top.media_type}
        status, _, body = call("PUT", f"{url}/v2/app/manifests/1", top.data, headers)
        assert status == 400
        assert "MANIFEST_BLOB_UNKNOWN" in {e["code"] for e in json.loads(body)["errors"]}

    def test_manifest_with_another_digest_is_refused(self, url):
        """A manifest is pushed under its own digest, or is 400 DIGEST_INVALID."""
        image = make_image(kind=ImageKind.OCI_MANIFEST)
        push_image(url, "app", "1", image)
        path = f"{url}/v2/app/manifests/{digest_of(b'other')}"
        headers = {"Content-Type": image.top.media_type}
        status, _, body = call("PUT", path, image.top.data, headers)
        assert (status, error_code(body)) == (400, "DIGEST_INVALID")

    @pytest.mark.parametrize("data", [b"no json", b'{"schemaVersion":2}'])
    def test_no_manifest_at_all(self, url, data):
        """What is no manifest is 400."""
        headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        assert call("PUT", f"{url}/v2/app/manifests/1", data, headers)[0] == 400

    def test_tags(self, url):
        """Tags are listed; a tag can be moved; an unknown repository is 404."""
        for tag, name in [("b", "one"), ("a", "one"), ("b", "two")]:
            push_image(url, "app", tag, make_image(name))
        status, _, body = call("GET", f"{url}/v2/app/tags/list")
        assert (status, sorted(json.loads(body)["tags"])) == (200, ["a", "b"])
        accept = {"Accept": make_image().top.media_type}
        _, headers, _ = call("HEAD", f"{url}/v2/app/manifests/b", headers=accept)
        assert headers["Docker-Content-Digest"] == make_image("two").digest
        status, _, body = call("GET", f"{url}/v2/nothing/tags/list")
        assert (status, error_code(body)) == (404, "NAME_UNKNOWN")

    def test_deleted_manifest_takes_its_tags_along(self, url):
        """A manifest that was deleted by digest is gone, by tag too."""
        image = make_image()
        push_image(url, "app", "1", image)
        assert call("DELETE", f"{url}/v2/app/manifests/{image.digest}")[0] == 202
        for reference in ("1", image.digest):
            headers = {"Accept": image.top.media_type}
            assert call("GET", f"{url}/v2/app/manifests/{reference}", headers=headers)[0] == 404

    def test_client_that_goes_away_leaves_no_blob(self, url):
        """An upload that breaks off is no blob, not even under the digest of what arrived."""
        location = urlsplit(self.start_upload(url))
        connection = http.client.HTTPConnection(location.netloc, timeout=10)
        digest = digest_of(BLOB[:10])
        connection.putrequest("PUT", f"{location.path}?{location.query}&digest={digest}")
        connection.putheader("Content-Length", str(len(BLOB)))
        connection.endheaders(BLOB[:10])
        time.sleep(0.1)
        connection.close()
        time.sleep(0.1)
        assert call("HEAD", f"{url}/v2/app/blobs/{digest}")[0] == 404


class TestOciRegistryServer(RegistryConformance):
    """Our fake."""

    @pytest.fixture
    def url(self):
        with OciRegistryServer() as server:
            yield server.url

    def test_chunk_out_of_order(self, url):
        """A chunk that does not follow the one before is 416 (docker-registry 2.8 takes it)."""
        location = self.start_upload(url)
        _, headers, _ = call("PATCH", location, BLOB[:100], {**OCTETS, "Content-Range": "0-99"})
        location = urljoin(url, headers["Location"])
        headers = {**OCTETS, "Content-Range": "200-299"}
        assert call("PATCH", location, BLOB[200:300], headers)[0] == 416

    def test_tags_come_in_pages_and_in_order(self, url):
        """Tags are sorted, and Link leads to the next page (docker-registry 2.8: neither)."""
        for tag in ("c", "a", "b"):
            push_image(url, "app", tag, make_image(kind=ImageKind.OCI_MANIFEST))
        pages, target = [], "/v2/app/tags/list?n=2"
        while target:
            _, headers, body = call("GET", urljoin(url, target))
            pages.append(json.loads(body)["tags"])
            target = headers["Link"] and headers["Link"].split(";")[0].strip("<>")
        assert pages == [["a", "b"], ["c"]]

    @pytest.mark.parametrize(
        "digest", ["sha256:../../x", "sha256:ABC", "md5:0", "sha256:" + "g" * 64]
    )
    def test_no_digest(self, url, digest):
        """What is no digest is 400 and never becomes a path."""
        assert call("GET", f"{url}/v2/app/blobs/{digest.replace('/', '%2F')}")[0] in {400, 404}

    def test_method_that_is_not_served(self, url):
        """An endpoint that exists answers 405 to a method that it does not have."""
        assert call("POST", f"{url}/v2/app/tags/list")[0] == 405


@pytest.mark.component
class TestDockerRegistry(RegistryConformance):
    """The real one."""

    @pytest.fixture
    def url(self, tmp_path):
        with docker_registry(tmp_path) as server:
            yield server.url
