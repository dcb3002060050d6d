"""The Google Cloud Storage server: asked by Google's client, and by hand where it would not."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
from contextlib import closing
from urllib.parse import urlsplit

import google_crc32c
import pytest
from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed
from google.resumable_media import InvalidResponse

from tests.support.gcs_server import GCSServer
from tests.support.messages import Fault
from tests.waits import wait_for

BLOCK = 256 << 10

RAW = bytes(range(256)) * 3000  # almost three blocks
CRC32C = base64.b64encode(google_crc32c.value(RAW).to_bytes(4, "big")).decode()
MD5 = base64.b64encode(hashlib.md5(RAW).digest()).decode()
NAMES = ["a b", "a%2Fb", "a+b&c=d", "a/x/1", "a/x/2", "a/y", "é", "\uff5e", "😀"]


@pytest.fixture
def server():
    with GCSServer() as running:
        yield running


@pytest.fixture
def client(server):
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def bucket(client):
    return client.bucket("files")


def call(server, method, target, body=None, headers=None):
    """Return status, headers and body."""
    with closing(http.client.HTTPConnection(server.host, timeout=10)) as connection:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def opened(server, name="a", headers=None, **params):
    """Open a session by hand, and return where to send the bytes."""
    query = "&".join(f"{key}={value}" for key, value in params.items())
    target = f"/upload/storage/v1/b/files/o?uploadType=resumable&{query}"
    status, answered, _ = call(server, "POST", target, json.dumps({"name": name}).encode(), headers)
    assert status == 200
    url = urlsplit(answered["Location"])
    return f"{url.path}?{url.query}"


def sent(server, session, span, body=b"", **headers):
    """Send bytes; return the status, and how many bytes it says it has."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    status, answered, _ = call(server, "PUT", session, body, {"Content-Range": span, **headers})
    return status, answered.get("Range")


def objects(server):
    """Return the bytes of all objects, by their names."""
    return {name: x.data for name, x in server.buckets["files"].objects.items()}


class TestByTheClient:
    def test_an_upload_in_chunks(self, server, bucket):
        """It is visible when it is complete, not before; its size may be told at its end."""
        blob = bucket.blob("a/b")
        with blob.open("wb", chunk_size=BLOCK) as file:
            file.write(RAW)
            assert objects(server) == {}
        assert objects(server) == {"a/b": RAW}
        spans = [r.headers["content-range"] for r in server.requests if r.method == "PUT"]
        assert spans[0] == f"bytes 0-{BLOCK - 1}/*"
        assert spans[-1].endswith(f"/{len(RAW)}")

    @pytest.mark.parametrize("checksum", ["md5", "crc32c", None])
    def test_an_upload_of_a_known_size(self, server, bucket, checksum):
        """More than 8 MiB go by a session, and the checksum with the end of it."""
        blob = bucket.blob("a")
        blob.chunk_size = 4 << 20
        raw = RAW * 12
        blob.upload_from_file(io.BytesIO(raw), size=len(raw), checksum=checksum)
        assert objects(server) == {"a": raw}
        assert (blob.size, blob.generation) == (
            len(raw),
            server.buckets["files"].objects["a"].generation,
        )

    def test_wrong_hashes(self, server, bucket):
        """What was said of the bytes when the session was opened is looked at in the end."""
        blob = bucket.blob("a")
        blob.md5_hash = base64.b64encode(bytes(16)).decode()
        blob.chunk_size = 4 << 20
        raw = RAW * 12
        with pytest.raises((InvalidResponse, GoogleAPICallError), match="MD5"):
            blob.upload_from_file(io.BytesIO(raw), size=len(raw), checksum=None)
        assert objects(server) == {}

    def test_a_description(self, server, bucket):
        """The client finds all that was said, and what Google adds."""
        blob = bucket.blob("a", kms_key_name="projects/p/locations/l/keyRings/r/cryptoKeys/k")
        blob.metadata = {"some": "thing"}
        blob.storage_class = "NEARLINE"
        url = blob.create_resumable_upload_session(
            content_type="text/plain", predefined_acl="publicRead", size=len(RAW)
        )
        status, _, body = call(server, "PUT", url, RAW)
        assert (status, json.loads(body)["name"]) == (200, "a")
        found = bucket.get_blob("a")
        assert (found.size, found.md5_hash, found.crc32c) == (len(RAW), MD5, CRC32C)
        assert (found.metadata, found.content_type) == ({"some": "thing"}, "text/plain")
        assert (found.storage_class, found.metageneration) == ("NEARLINE", 1)
        assert found.kms_key_name == f"{blob.kms_key_name}/cryptoKeyVersions/1"
        stored = server.buckets["files"].objects["a"]
        assert (found.generation, found.time_created.date()) == (
            stored.generation,
            stored.created.date(),
        )
        assert (stored.kms_key, stored.predefined_acl) == (blob.kms_key_name, "publicRead")

    def test_who_pays(self, server, client):
        """The project that pays goes with each request."""
        blob = client.bucket("files", user_project="payer").blob("a")
        with blob.open("wb") as file:
            file.write(b"x")
        assert server.buckets["files"].objects["a"].user_project == "payer"

    def test_an_object_of_several(self, server, bucket):
        """Google has no MD5 of an object that was composed of others."""
        server.put("files", "a", RAW, component_count=2)
        blob = bucket.get_blob("a")
        assert (blob.md5_hash, blob.crc32c, blob.component_count) == (None, CRC32C, 2)
        assert blob.download_as_bytes(checksum="crc32c") == RAW

    @pytest.mark.parametrize("raw", [RAW, b""])
    def test_downloads(self, server, bucket, raw):
        """Whole, checked by its hashes, in parts, and as a file."""
        server.put("files", "a", raw)
        blob = bucket.blob("a")
        for checksum in ("md5", "crc32c"):
            assert blob.download_as_bytes(checksum=checksum, raw_download=True) == raw
        with blob.open("rb", chunk_size=BLOCK, raw_download=True) as file:
            assert b"".join(iter(lambda: file.read(100_000), b"")) == raw
        if raw:
            assert blob.download_as_bytes(start=10, end=19) == raw[10:20]

    def test_a_damaged_download_is_noticed(self, server, bucket):
        """The hashes that are told are those of the object."""
        server.put("files", "a", RAW)
        server.inject(Fault("GET", "/download/", body=RAW[:-1] + b"!"))
        with pytest.raises(Exception, match="checksum"):
            bucket.blob("a").download_as_bytes(checksum="md5")

    def test_what_is_not_there(self, server, client, bucket):
        """Objects and buckets."""
        assert bucket.get_blob("a") is None
        assert bucket.exists()
        other = client.bucket("other")
        assert not other.exists()
        with pytest.raises(NotFound, match="No such object: files/a"):
            bucket.blob("a").download_as_bytes()
        with pytest.raises(NotFound, match="bucket does not exist"):
            other.blob("a").create_resumable_upload_session()
        with pytest.raises(NotFound, match="bucket does not exist"):
            list(client.list_blobs("other"))
        server.put("files", "a", RAW)
        assert bucket.get_blob("a", generation=1) is None

    def test_conditions(self, server, bucket):
        """Something new, and a generation that must still be there."""
        blob = bucket.blob("a")
        with blob.open("wb", if_generation_match=0) as file:
            file.write(b"1")
        for generation in (0, 5):
            with pytest.raises(PreconditionFailed):
                blob.create_resumable_upload_session(if_generation_match=generation)
        generation = bucket.get_blob("a").generation
        with blob.open("wb", if_generation_match=generation) as file:
            file.write(b"2")
        assert objects(server) == {"a": b"2"}
        with pytest.raises(PreconditionFailed):
            blob.reload(if_generation_match=generation)

    def test_what_it_cannot_do_it_refuses(self, server, bucket):
        """Nobody may believe that it did what it was asked for."""
        server.put("files", "a", RAW)
        blob = bucket.blob("a")
        for attempt in (
            lambda: blob.upload_from_string(b"x", retry=None),
            lambda: blob.delete(retry=None),
            lambda: blob.create_resumable_upload_session(if_metageneration_match=1, retry=None),
        ):
            with pytest.raises(GoogleAPICallError) as error:
                attempt()
            assert error.value.code == 501


class TestLists:
    @pytest.fixture(autouse=True)
    def content(self, server):
        for name in reversed(NAMES):
            server.put("files", name, name.encode(), metadata={"name": "x"})

    def listed(self, client, **params):
        found = client.list_blobs("files", **params)
        names = [blob.name for blob in found]
        return names, sorted(found.prefixes)

    def test_names_come_in_the_order_of_their_bytes(self, server, client):
        """However small the pages are, each name comes once, and in order."""
        for server.page_size in (1000, 4, 1):
            server.clear()
            assert self.listed(client) == (NAMES, [])
            assert server.count("GET", "/o$") == -(-len(NAMES) // server.page_size)
        assert sorted(NAMES, key=str.encode) == NAMES

    def test_descriptions(self, client):
        """A list has all that a description has."""
        blob = next(iter(client.list_blobs("files", fields="items(name,size)")))
        assert (blob.name, blob.size, blob.metadata) == ("a b", 3, {"name": "x"})
        assert blob.md5_hash == base64.b64encode(hashlib.md5(b"a b").digest()).decode()

    def test_prefixes_and_delimiters(self, server, client):
        """What lies below a delimiter is one entry, also where a page ends within it."""
        for server.page_size in (1000, 1):
            assert self.listed(client, prefix="a/", delimiter="/") == (["a/y"], ["a/x/"])
            assert self.listed(client, delimiter="/")[1] == ["a/"]
            assert self.listed(client, prefix="none") == ([], [])

    def test_from_where_to_where(self, client):
        """The start is part of it, the end is not."""
        assert self.listed(client, start_offset="a/x/2")[0] == NAMES[4:]
        assert self.listed(client, start_offset="a/x/1", end_offset="a/y")[0] == NAMES[3:5]

    def test_how_many(self, server, client):
        """As many as were asked for in one page."""
        pages = client.list_blobs("files", page_size=2).pages
        assert len(list(next(pages))) == 2
        assert call(server, "GET", "/storage/v1/b/files/o?pageToken=!")[0] == 400
        assert call(server, "GET", "/download/storage/v1/b/files/o/a%20b")[0] == 400


class TestSessions:
    def test_what_has_arrived_is_told(self, server):
        """A question brings no bytes, and no range says that there are none."""
        session = opened(server)
        assert sent(server, session, f"bytes */{len(RAW)}") == (308, None)
        first = f"bytes 0-{BLOCK - 1}/{len(RAW)}"
        assert sent(server, session, first, RAW[:BLOCK]) == (308, f"bytes=0-{BLOCK - 1}")
        assert sent(server, session, "bytes */*") == (308, f"bytes=0-{BLOCK - 1}")
        # What has arrived already is not taken again.
        again = f"bytes 0-{len(RAW) - 1}/{len(RAW)}"
        assert objects(server) == {}
        assert sent(server, session, again, bytes(BLOCK) + RAW[BLOCK:]) == (200, None)
        assert objects(server) == {"a": RAW}

    def test_an_end_that_is_told_alone(self, server):
        """All bytes are there, and then it is said that these are all."""
        session = opened(server)
        assert sent(server, session, f"bytes 0-{BLOCK - 1}/*", RAW[:BLOCK])[0] == 308
        assert sent(server, session, f"bytes */{BLOCK}")[0] == 200
        assert objects(server) == {"a": RAW[:BLOCK]}

    def test_an_empty_object(self, server):
        """It has no first byte, so its range is none."""
        assert sent(server, opened(server), "bytes */0") == (200, None)
        assert objects(server) == {"a": b""}

    @pytest.mark.parametrize(
        ("span", "size", "status"),
        [
            (f"bytes 0-99/{len(RAW)}", 100, 400),
            ("bytes 0-99/*", 100, 400),
            (f"bytes 0-{BLOCK - 1}/{len(RAW)}", BLOCK + 1, 400),
            (f"bytes 0-{BLOCK - 1}/{BLOCK}", BLOCK, 400),
            (f"bytes 0-{len(RAW)}/{len(RAW)}", len(RAW) + 1, 400),
            ("bytes nonsense", 1, 400),
            (f"bytes {BLOCK}-{2 * BLOCK - 1}/{len(RAW)}", BLOCK, 503),
        ],
    )
    def test_ranges_that_are_refused(self, server, span, size, status):
        """No multiple of a block, another size than was said, a gap: nothing of it is kept."""
        session = opened(server, headers={"X-Upload-Content-Length": str(len(RAW))})
        assert sent(server, session, span, bytes(size))[0] == status
        assert sent(server, session, "bytes */*") == (308, None)

    def test_a_request_that_breaks_off(self, server):
        """Whole blocks of it are kept, and the rest can follow."""
        session = opened(server)
        host, _, port = server.host.partition(":")
        head = f"PUT {session} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(RAW)}\r\n\r\n"
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + RAW[: 2 * BLOCK + 1000])
        wait_for(lambda: sent(server, session, "bytes */*")[1] == f"bytes=0-{2 * BLOCK - 1}")
        assert objects(server) == {}
        rest = f"bytes {2 * BLOCK}-{len(RAW) - 1}/{len(RAW)}"
        assert sent(server, session, rest, RAW[2 * BLOCK :])[0] == 200
        assert objects(server) == {"a": RAW}

    def test_a_fault_that_breaks_it_off(self, server):
        """The same, by a fault: then it is known at once how much was kept."""
        session = opened(server)
        server.inject(Fault("PUT", close_after_received=BLOCK))
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            call(server, "PUT", session, RAW)
        assert sent(server, session, "bytes */*") == (308, f"bytes=0-{BLOCK - 1}")

    def test_an_answer_that_is_lost(self, server):
        """Who asks again is told what became of it."""
        session = opened(server)
        server.inject(Fault("PUT", lose_answer=True))
        with pytest.raises(http.client.RemoteDisconnected):
            call(server, "PUT", session, RAW)
        status, _, body = call(server, "PUT", session, headers={"Content-Range": "bytes */*"})
        assert (status, json.loads(body)["md5Hash"]) == (200, MD5)

    def test_cancelling(self, server):
        """499 says that it is gone, and it is."""
        session = opened(server)
        sent(server, session, f"bytes 0-{BLOCK - 1}/*", RAW[:BLOCK])
        assert call(server, "DELETE", session)[0] == 499
        assert server.cancelled == ["session-0"]
        assert server.sessions == {}
        assert call(server, "PUT", session, RAW)[0] == 499
        assert objects(server) == {}

    def test_a_session_that_is_cancelled_while_bytes_come_in(self, server):
        """Then its last bytes make no object."""
        session = opened(server)
        with closing(http.client.HTTPConnection(server.host, timeout=10)) as connection:
            connection.putrequest("PUT", session)
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"1")
            wait_for(lambda: server.requests[-1].received_bytes == 1)
            call(server, "DELETE", session)
            connection.send(b"2")
            assert connection.getresponse().status == 499
        assert objects(server) == {}

    def test_sessions_that_never_were(self, server):
        """Or that have ended: nothing is there to be sent to, or to be cancelled."""
        session = opened(server)
        assert call(server, "PUT", session, RAW)[0] == 200
        assert call(server, "DELETE", session)[0] == 404
        assert call(server, "PUT", session.replace("session-0", "other"), RAW)[0] == 404
        assert server.cancelled == []

    @pytest.mark.parametrize(
        ("hashes", "status"),
        [
            (f"crc32c={CRC32C}", 200),
            (f"md5={MD5}", 200),
            (f"crc32c={CRC32C}, md5={MD5}", 200),
            ("crc32c=AAAAAA==", 400),
            (f"crc32c={CRC32C},md5={CRC32C}", 400),
        ],
    )
    def test_hashes_that_come_with_the_end(self, server, hashes, status):
        """Other bytes than were meant are not stored, and what was there is there."""
        server.put("files", "a", b"old")
        session = opened(server)
        assert call(server, "PUT", session, RAW, {"X-Goog-Hash": hashes})[0] == status
        assert objects(server) == {"a": RAW if status == 200 else b"old"}
        assert (server.sessions == {}) == (status == 400)

    def test_of_two_at_once_one_wins(self, server):
        """The condition is looked at when the session is finished, too."""
        sessions = [opened(server, ifGenerationMatch=0) for _ in range(2)]
        assert call(server, "PUT", sessions[0], b"first")[0] == 200
        assert call(server, "PUT", sessions[1], b"second")[0] == 412
        assert objects(server) == {"a": b"first"}

    def test_a_length_is_needed(self, server):
        """This server wants it, so that it knows where a request ends too early."""
        assert call(server, "PUT", opened(server), iter([b"x"]))[0] == 411

    def test_a_name_is_needed(self, server):
        """It may come in the query as well."""
        target = "/upload/storage/v1/b/files/o?uploadType=resumable"
        assert call(server, "POST", target)[0] == 400
        assert call(server, "POST", f"{target}&name=a%2Fb")[0] == 200


class TestPublicAddresses:
    def test_who_does_not_say_who_asks(self, server):
        """Only what is public is read; who says who asks is believed."""
        server.put("files", "a/b", RAW)
        server.put("files", "public", RAW, predefined_acl="publicRead")
        status, _, body = call(server, "GET", "/files/a/b")
        assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
        assert call(server, "GET", "/files/absent")[0] == 403
        assert call(server, "GET", "/files/public")[::2] == (200, RAW)
        known = {"Authorization": "Bearer x"}
        assert call(server, "GET", "/files/a/b", headers=known)[::2] == (200, RAW)
        assert call(server, "GET", "/files/absent", headers=known)[0] == 404

    def test_a_public_bucket(self, server):
        """Everybody reads it, in parts too."""
        server.public = True
        server.put("files", "ü/b", RAW)
        target = "/files/%C3%BC%2Fb"
        assert call(server, "GET", target, headers={"Range": "bytes=5-9"})[::2] == (206, RAW[5:10])
        status, headers, body = call(server, "HEAD", target)
        assert (status, headers["Content-Length"], body) == (200, str(len(RAW)), b"")
        status, _, body = call(server, "GET", "/files/absent")
        assert (status, b"<Code>NoSuchKey</Code>" in body) == (404, True)
        status, _, body = call(server, "GET", "/other/a")
        assert (status, b"<Code>NoSuchBucket</Code>" in body) == (404, True)
        assert call(server, "PUT", target, b"x")[0] == 501
