"""The requests of an upload, as a registry sees them."""

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    NotFoundError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor
from kops_assets_provider.oci.uploads import Uploads

BASE = "https://registry.example/v2/kops/app"
MIB = 1 << 20
DATA = bytes(16 * MIB)
LARGE = Descriptor(media_type="application/x", digest=Digest.of(DATA), size=len(DATA))
SMALL = Descriptor(media_type="application/x", digest=Digest.of(b"small"), size=5)
BROKEN = ConnectionFailedError("broken", side=Side.TARGET)


@dataclass
class Answer:
    status: int = 201
    headers: dict = field(default_factory=dict)


def session(location="/v2/kops/app/blobs/uploads/1?_state=a", **headers):
    return Answer(202, {"Location": location, **headers})


class Wire:
    """Answers requests by a list: an answer, or an error; a body is read as far as it says."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []
        self.bodies = []
        self.forgotten = 0

    @contextmanager
    def send(self, method, url, *, headers=None, body=None, accept=(), reads=None):
        self.sent.append((method, url, dict(headers or {}), reads))
        answer = self.answers.pop(0)
        if body is not None:
            taken = b""
            for chunk in body:
                taken += chunk
                if isinstance(answer, tuple) and len(taken) >= answer[0]:
                    raise answer[1]
            self.bodies.append(len(taken))
        if isinstance(answer, Exception):
            raise answer
        assert answer.status < 300 or answer.status in accept
        yield answer

    @property
    def methods(self):
        return [x[0] for x in self.sent]

    def uploads(self):
        return Uploads(BASE, self.send, self.forget)

    def forget(self):
        self.forgotten += 1


def opener(data=DATA, opened=None):
    def open_blob(offset):
        if opened is not None:
            opened.append(offset)
        return nullcontext(iter([data[n : n + MIB] for n in range(offset, len(data), MIB)]))

    return open_blob


def test_one_request_asks_mounts_or_begins():
    """It names the blob and where it may be; reading that repository needs rights as well."""
    wire = Wire(session())
    found = wire.uploads().start(SMALL, "kops/other")
    method, url, headers, reads = wire.sent[0]
    assert (method, headers, reads) == ("POST", {"Content-Length": "0"}, "kops/other")
    assert url.startswith(f"{BASE}/blobs/uploads/?")
    assert parse_qs(urlsplit(url).query) == {"mount": [SMALL.digest], "from": ["kops/other"]}
    assert found == ("https://registry.example/v2/kops/app/blobs/uploads/1?_state=a", 0)


def test_what_is_there_needs_no_upload():
    """201 says so."""
    assert Wire(Answer(201)).uploads().start(SMALL, "kops/app") is None


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_registry_without_mounts_is_asked_plainly(status):
    """Some refuse what the spec wants them to overlook."""
    wire = Wire(Answer(status), session())
    assert wire.uploads().start(SMALL, "kops/other").url.endswith("/1?_state=a")
    assert wire.sent[1][:2] == ("POST", f"{BASE}/blobs/uploads/")


def test_who_may_not_read_the_other_repository_uploads():
    """A hint is no reason to fail; to be denied one's own repository is."""
    wire = Wire(AccessDeniedError("no"), session())
    assert wire.uploads().start(SMALL, "kops/other") is not None
    with pytest.raises(AccessDeniedError):
        Wire(AccessDeniedError("no"), session()).uploads().start(SMALL, "kops/app")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/up/1", "https://registry.example/up/1"),
        ("up/1", f"{BASE}/blobs/uploads/up/1"),
        ("https://registry.example/x?a=b", "https://registry.example/x?a=b"),
        ("https://storage.example/x?sig=y", "https://storage.example/x?sig=y"),
        ("//storage.example/x", "https://storage.example/x"),
    ],
)
def test_the_upload_goes_where_the_registry_says(location, url):
    """By a path, or a whole URL, on another host too."""
    assert Wire(session(location)).uploads().start(SMALL, "kops/app").url == url


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Location": ""},
        {"Location": "http://registry.example/x"},
        {"Location": "ftp://registry.example/x"},
        {"Location": "https://169.254.169.254/x"},
        {"Location": "https://registry.example:x/"},
    ],
)
def test_an_upload_that_leads_astray_is_refused(headers):
    """No place, one without TLS, one that is no HTTP, one inside."""
    with pytest.raises(UntrustedServerError, match="wants the upload at") as caught:
        Wire(Answer(202, headers)).uploads().start(SMALL, "kops/app")
    assert caught.value.side is Side.TARGET


def started(location="/up/1"):
    uploads = Wire(session(location)).uploads()
    return uploads.start(SMALL, "kops/app")


@pytest.mark.parametrize(("location", "separator"), [("/up/1", "?"), ("/up/1?_state=a", "&")])
def test_the_bytes_go_in_one_put(location, separator):
    """With their length and digest, and the session's own query untouched."""
    wire = Wire(Answer(201))
    wire.uploads().finish(started(location), SMALL, opener(b"small"))
    ((method, url, headers, _),) = wire.sent
    quoted = SMALL.digest.replace(":", "%3A")
    assert url == f"https://registry.example{location}{separator}digest={quoted}"
    assert (method, headers["Content-Length"], wire.bodies) == ("PUT", "5", [5])
    assert "Content-Range" not in headers


def test_a_large_upload_goes_on_where_the_session_is():
    """The rest alone, at the place that the session now has."""
    opened = []
    wire = Wire((4 * MIB, BROKEN), session("/up/2?_state=b", Range=f"0-{3 * MIB - 1}"), Answer(201))
    wire.uploads().finish(started(), LARGE, opener(opened=opened))
    assert wire.methods == ["PUT", "GET", "PUT"]
    assert opened == [0, 3 * MIB]
    _, url, headers, _ = wire.sent[-1]
    assert url.startswith("https://registry.example/up/2?_state=b&digest=")
    assert headers["Content-Range"] == f"{3 * MIB}-{16 * MIB - 1}"
    assert headers["Content-Length"] == str(13 * MIB)
    assert wire.bodies == [13 * MIB]


def test_a_session_without_a_new_place_keeps_its_own():
    """Not every registry tells it again."""
    wire = Wire((4 * MIB, BROKEN), Answer(204, {"Range": f"0-{MIB - 1}"}), Answer(201))
    wire.uploads().finish(started(), LARGE, opener())
    assert wire.sent[-1][1].startswith("https://registry.example/up/1?digest=")


@pytest.mark.parametrize(
    "status",
    [
        Answer(204),
        Answer(204, {"Range": "0-0"}),
        Answer(204, {"Range": f"0-{16 * MIB - 1}"}),
        Answer(204, {"Range": f"0-{99 * MIB}"}),
        Answer(204, {"Range": "5-9"}),
        Answer(204, {"Range": f"0-{'9' * 5000}"}),
        Answer(204, {"Range": f"0-{MIB}", "Location": "http://169.254.169.254/"}),
        NotFoundError("gone"),
        ServerFailedError("down"),
        BROKEN,
    ],
)
def test_an_upload_that_cannot_go_on_is_cancelled(status):
    """What broke it is what is told; the caller begins anew."""
    wire = Wire((MIB, BROKEN), status, Answer(204))
    with pytest.raises(ConnectionFailedError, match="broken"):
        wire.uploads().finish(started(), LARGE, opener())
    assert wire.methods == ["PUT", "GET", "DELETE"]


def test_a_small_upload_does_not_go_on():
    """To ask would cost as much as to send it again."""
    wire = Wire((1, BROKEN), Answer(204))
    with pytest.raises(ConnectionFailedError):
        wire.uploads().finish(started(), SMALL, opener(b"small"))
    assert wire.methods == ["PUT", "DELETE"]


def test_a_source_that_broke_is_not_the_targets_fault():
    """The session is not asked, but cancelled."""
    wire = Wire((1, ConnectionFailedError("source", side=Side.SOURCE)), Answer(204))
    with pytest.raises(ConnectionFailedError, match="source"):
        wire.uploads().finish(started(), LARGE, opener())
    assert wire.methods == ["PUT", "DELETE"]


def test_an_upload_goes_on_only_so_often():
    """A connection that always breaks ends it."""
    go_on = [(MIB, BROKEN), Answer(204, {"Range": f"0-{MIB}"})]
    wire = Wire(*go_on * 4, Answer(204))
    with pytest.raises(ConnectionFailedError):
        wire.uploads().finish(started(), LARGE, opener())
    assert wire.methods == ["PUT", "GET"] * 4 + ["DELETE"]


@pytest.mark.parametrize(
    "refusal", [Answer(401), Answer(416), NotFoundError("404 BLOB_UPLOAD_UNKNOWN so it is")]
)
def test_an_upload_that_ended_is_transient(refusal):
    """A token or session that was good a moment ago is no denial: another try may succeed."""
    wire = Wire(refusal, Answer(204))
    with pytest.raises(ServerFailedError, match="that it had let us begin") as caught:
        wire.uploads().finish(started(), SMALL, opener(b"small"))
    assert caught.value.side is Side.TARGET
    assert wire.forgotten == (getattr(refusal, "status", 0) == 401)
    assert wire.methods == ["PUT", "DELETE"]


def test_a_session_that_was_further_is_asked_again():
    """What broke off may still have been on its way when it told how much has arrived."""
    told = [Answer(204, {"Range": f"0-{x * MIB - 1}"}) for x in (1, 3)]
    wire = Wire((4 * MIB, BROKEN), told[0], Answer(416), told[1], Answer(201))
    wire.uploads().finish(started(), LARGE, opener())
    assert wire.methods == ["PUT", "GET", "PUT", "GET", "PUT"]
    assert wire.bodies[-1] == 13 * MIB


def test_a_refused_rest_is_transient():
    """What a registry says of the rest it may not say of the whole."""
    wire = Wire((MIB, BROKEN), Answer(204, {"Range": f"0-{MIB}"}), Answer(400), Answer(204))
    with pytest.raises(ServerFailedError):
        wire.uploads().finish(started(), LARGE, opener())


@pytest.mark.parametrize("error", [RequestRejectedError("400"), NotFoundError("404"), KeyError()])
def test_whatever_ends_an_upload_closes_its_session(error):
    """A refusal, and a bug of ours; that the cancelling fails changes nothing."""
    wire = Wire(error, ServerFailedError("no"))
    with pytest.raises(type(error)):
        wire.uploads().finish(started(), SMALL, opener(b"small"))
    assert wire.methods == ["PUT", "DELETE"]
