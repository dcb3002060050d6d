"""What servers and networks do wrong, and what becomes of an image then: whole, or an error."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    BlobUnknownError,
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidManifestError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.blob_reader import BlobReader
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.remote import RemoteRepository
from tests.copies import copy_between, copy_planned_image, copy_planned_images
from tests.http.test_retries import Waits
from tests.support.components import docker_registry
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import (
    BasicAuth,
    OciRegistryServer,
    Quirks,
    TokenAuth,
)
from tests.support.pull import pull_image
from tests.support.tcp_proxy import TcpProxy
from tests.waits import wait_for

MIB = 1 << 20
PLATFORM = ["linux/amd64"]
TAKE = ImageRules(on_drift=OnDrift.TAKE)  # the target has another image under the tag
IMAGE = make_image("app", platforms=PLATFORM, layers=1, base_layers=0, size=3 * MIB)
OLD = make_image("old", platforms=PLATFORM)
HUGE = make_image("huge", platforms=PLATFORM, layers=1, base_layers=0, size=12 * MIB)
LAYER = max(IMAGE.blobs, key=lambda x: len(IMAGE.blobs[x]))
DATA = IMAGE.blobs[LAYER]
LOGIN = Login(username="robot", password="secret")
BLOB, UPLOAD, MANIFEST = f"/blobs/{LAYER}", "/blobs/uploads/.", "/manifests/"


@cache
def http_client(stall_seconds):
    # To read the system's authorities takes longer than most copies here.
    return HttpClient(stall_seconds=stall_seconds)


class World:
    """Two registries: one with the image, one whose tag still stands for an older image."""

    def __init__(self, source, target, image=IMAGE, target_host=None):
        self.source, self.target, self.image = source, target, image
        self.target_host = target_host or target.host
        put_image(source, "app/app:1", image)
        self.waits = Waits()

    @property
    def retries(self):
        return Retries(max_wait_seconds=10, stop=self.waits)

    def copy(self, login=None, stall_seconds=60.0, **options):
        http = http_client(stall_seconds)
        source = RegistryClient(http, f"http://{self.source.host}", None, Side.SOURCE)
        target = RegistryClient(http, f"http://{self.target_host}", login, Side.TARGET)
        return copy_between(
            *(RemoteRepository(source, "app/app"), Reference.parse("h.example/app/app:1")),
            *(RemoteRepository(target, "kops/app"), Reference.parse("h.example/kops/app:1")),
            **{"retries": self.retries, **options},
        )

    def pulled(self):
        return pull_image(f"http://{self.target.host}", "kops/app", "1")

    def is_whole(self):
        return self.pulled() == self.image

    def sent(self, path):
        """Return the bytes of bodies that the source sent for each GET of a path."""
        requests = [x for x in self.source.requests if x.method == "GET" and path in x.path]
        return [x.sent_bytes for x in requests]

    def received(self):
        """Return the bytes of blobs that the target took in, in each PUT."""
        requests = [x for x in self.target.requests if x.method == "PUT" and "/uploads/" in x.path]
        return [x.received_bytes for x in requests]


@pytest.fixture
def world():
    with OciRegistryServer() as source, OciRegistryServer() as target:
        put_image(target, "kops/app:1", OLD)
        yield World(source, target)


def json_error(code):
    return json.dumps({"errors": [{"code": code, "message": "so it is"}]}).encode()


def ids(rows):
    return [x[0] for x in rows]


S, T = "source", "target"
BURST = Fault(times=3)
PASSING = [
    *[
        (f"{who} {method} {path.split('/')[1]} answers {status} {times} times", who, fault)
        for who, method, path in [
            (S, "GET", BLOB),
            (T, "POST", "/uploads/"),
            (T, "PUT", UPLOAD),
            (T, "PUT", MANIFEST),
        ]
        for status, times in [(500, 1), (502, 2), (503, 3), (408, 1), (504, 3)]
        for fault in [Fault(method, path, times=times, status=status)]
    ],
    ("source drops the connection", S, Fault("GET", BLOB, close=True, times=3)),
    ("source ends the body early", S, Fault("GET", BLOB, truncate_after=MIB + 5)),
    ("source resets the body", S, Fault("GET", BLOB, truncate_after=2 * MIB, reset=True)),
    ("source ends each body early", S, Fault("GET", BLOB, truncate_after=MIB, times=3)),
    ("source sends no byte of the body", S, Fault("GET", BLOB, truncate_after=0, times=3)),
    ("source closes without a word", S, Fault("GET", BLOB, hang_up=True)),
    (
        "source promises more than it has, and that is all of it",
        S,
        Fault("GET", BLOB, headers={"Content-Length": str(len(DATA) + 9)}, hang_up=True),
    ),
    (
        "source sends ranges from elsewhere once",
        S,
        Fault("GET", BLOB, status=206, headers={"Content-Range": "bytes 7-8/9"}, body=b"xx"),
    ),
    (
        "source sends a range that it does not name",
        S,
        Fault("GET", BLOB, status=206, body=b"xx"),
    ),
    ("source asks for patience", S, Fault("GET", BLOB, status=429, headers={"Retry-After": "3"})),
    ("target drops the start of an upload", T, Fault("POST", close=True, times=3)),
    ("target loses the answer to a start", T, Fault("POST", lose_answer=True)),
    ("target drops an upload", T, Fault("PUT", UPLOAD, close=True, times=3)),
    ("target cuts an upload", T, Fault("PUT", UPLOAD, close_after_received=1000)),
    ("target resets an upload", T, Fault("PUT", UPLOAD, close_after_received=1000, reset=True)),
    ("target loses the answer to an upload", T, Fault("PUT", UPLOAD, lose_answer=True, times=3)),
    ("target knows no tokens any more", T, Fault("PUT", UPLOAD, status=401)),
    (
        "target's session has ended",
        T,
        Fault("PUT", UPLOAD, status=404, body=json_error("BLOB_UPLOAD_UNKNOWN"), times=3),
    ),
    ("target wants other bytes next", T, Fault("PUT", UPLOAD, status=416)),
    ("target asks for patience", T, Fault("PUT", UPLOAD, status=429, headers={"Retry-After": "3"})),
    ("target drops a manifest", T, Fault("PUT", MANIFEST, close=True, times=3)),
    ("target loses the answer to a manifest", T, Fault("PUT", MANIFEST, lose_answer=True, times=3)),
    (
        "target asks for patience with a manifest",
        T,
        Fault("PUT", MANIFEST, status=429, headers={"Retry-After": "3"}),
    ),
    (
        "target lost a blob",
        T,
        Fault("PUT", MANIFEST, status=400, body=json_error("MANIFEST_BLOB_UNKNOWN")),
    ),
    ("target refuses to mount", T, Fault("POST", status=405, times=1)),
]


@pytest.mark.parametrize(("name", "who", "fault"), PASSING, ids=ids(PASSING))
def test_what_passes_is_waited_for(world, name, who, fault):
    """A fault that ends within the attempts is no failure: the image is whole, no session open."""
    getattr(world, who).inject(fault)
    assert world.copy().digest == IMAGE.digest
    assert world.is_whole()
    lost_starts = fault.method == "POST" and fault.lose_answer
    assert world.target.storage.open_uploads == lost_starts


def always(method=None, path="", **options):
    return Fault(method, path, times=None, **options)


TEXT = {"Content-Type": "text/plain"}
HOUR = {"Retry-After": "3600"}
LASTING = [
    ("source: 500", S, always("GET", BLOB, status=500), ServerFailedError),
    ("source: 408", S, always("GET", BLOB, status=408), ServerFailedError),
    ("source: 429", S, always("GET", BLOB, status=429), RateLimitedError),
    ("source: 429, an hour", S, always("GET", BLOB, status=429, headers=HOUR), RateLimitedError),
    ("source: 503, an hour", S, always("GET", BLOB, status=503, headers=HOUR), ServerFailedError),
    ("source: 403", S, always("GET", BLOB, status=403), AccessDeniedError),
    ("source: 404", S, always("GET", BLOB, status=404), NotFoundError),
    ("source: 400", S, always("GET", BLOB, status=400), RequestRejectedError),
    ("source: closes", S, always("GET", BLOB, close=True), ConnectionFailedError),
    ("source: truncated", S, always("GET", BLOB, truncate_after=9), ConnectionFailedError),
    (
        "source: resets",
        S,
        always("GET", BLOB, truncate_after=9, reset=True),
        ConnectionFailedError,
    ),
    ("source: too long", S, always("GET", BLOB, body=DATA + b"x"), ChecksumMismatchError),
    ("source: much too long", S, always("GET", BLOB, body=DATA * 2), ChecksumMismatchError),
    ("source: too short", S, always("GET", BLOB, body=DATA[:-1]), ChecksumMismatchError),
    ("source: empty", S, always("GET", BLOB, body=b""), ChecksumMismatchError),
    ("source: last byte", S, always("GET", BLOB, body=DATA[:-1] + b"?"), ChecksumMismatchError),
    ("source: first byte", S, always("GET", BLOB, body=b"?" + DATA[1:]), ChecksumMismatchError),
    (
        "source: ranges from elsewhere",
        S,
        always("GET", BLOB, status=206, headers={"Content-Range": "bytes 7-8/9"}, body=b"xx"),
        ServerFailedError,
    ),
    (
        "source: a range beyond all numbers",
        S,
        always("GET", BLOB, status=206, headers={"Content-Range": f"bytes {'9' * 5000}-/9"}),
        ServerFailedError,
    ),
    (
        "source: leads inside",
        S,
        always("GET", BLOB, status=307, headers={"Location": "http://169.254.169.254/x"}),
        UntrustedServerError,
    ),
    ("source: manifest 500", S, always("GET", MANIFEST, status=500), ServerFailedError),
    ("source: manifest closes", S, always("GET", MANIFEST, close=True), ConnectionFailedError),
    ("source: manifest text", S, always("GET", MANIFEST, body=b"text"), ChecksumMismatchError),
    ("source: manifest type", S, always("GET", MANIFEST, headers=TEXT), InvalidManifestError),
    (
        "source: manifest of another",
        S,
        always("GET", f"{MANIFEST}sha256", body=OLD.top.data),
        ChecksumMismatchError,
    ),
    ("target: start 500", T, always("POST", status=500), ServerFailedError),
    ("target: start 403", T, always("POST", status=403), AccessDeniedError),
    ("target: start 429", T, always("POST", status=429, headers=HOUR), RateLimitedError),
    ("target: start closes", T, always("POST", close=True), ConnectionFailedError),
    ("target: start nowhere", T, always("POST", headers={"Location": None}), UntrustedServerError),
    (
        "target: start leads inside",
        T,
        always("POST", headers={"Location": "http://169.254.169.254/x"}),
        UntrustedServerError,
    ),
    ("target: upload 500", T, always("PUT", UPLOAD, status=500), ServerFailedError),
    ("target: upload full", T, always("PUT", UPLOAD, status=507), ServerFailedError),
    ("target: upload 401", T, always("PUT", UPLOAD, status=401), ServerFailedError),
    ("target: upload 403", T, always("PUT", UPLOAD, status=403), AccessDeniedError),
    (
        "target: upload wrong",
        T,
        always("PUT", UPLOAD, status=400, body=json_error("DIGEST_INVALID")),
        RequestRejectedError,
    ),
    (
        "target: upload ends",
        T,
        always("PUT", UPLOAD, status=404, body=json_error("BLOB_UPLOAD_UNKNOWN")),
        ServerFailedError,
    ),
    ("target: upload 404", T, always("PUT", UPLOAD, status=404), NotFoundError),
    ("target: upload too large", T, always("PUT", UPLOAD, status=413), RequestRejectedError),
    ("target: upload closes", T, always("PUT", UPLOAD, close=True), ConnectionFailedError),
    (
        "target: upload resets",
        T,
        always("PUT", UPLOAD, close_after_received=9, reset=True),
        ConnectionFailedError,
    ),
    ("target: manifest 500", T, always("PUT", MANIFEST, status=500), ServerFailedError),
    ("target: manifest 403", T, always("PUT", MANIFEST, status=403), AccessDeniedError),
    ("target: manifest 429", T, always("PUT", MANIFEST, status=429), RateLimitedError),
    ("target: manifest closes", T, always("PUT", MANIFEST, close=True), ConnectionFailedError),
    (
        "target: manifest invalid",
        T,
        always("PUT", MANIFEST, status=400, body=json_error("MANIFEST_INVALID")),
        RequestRejectedError,
    ),
    (
        "target: blobs unknown",
        T,
        always("PUT", MANIFEST, status=400, body=json_error("MANIFEST_BLOB_UNKNOWN")),
        BlobUnknownError,
    ),
    (
        "target: stores something else",
        T,
        always("PUT", MANIFEST, headers={"Docker-Content-Digest": OLD.digest}),
        ChecksumMismatchError,
    ),
    ("target: tag 500", T, always("PUT", f"{MANIFEST}1", status=500), ServerFailedError),
    (
        "target: tag's answer lost",
        T,
        always("PUT", f"{MANIFEST}1", lose_answer=True),
        ConnectionFailedError,
    ),
]


@pytest.mark.parametrize(("name", "who", "fault", "error"), LASTING, ids=ids(LASTING))
def test_what_lasts_is_an_error_with_its_side(world, name, who, fault, error):
    """The tag stands for the old image or the new, no session stays, and another copy finishes."""
    getattr(world, who).inject(fault)
    with pytest.raises(error) as caught:
        world.copy()
    assert type(caught.value) is error
    assert caught.value.side == who
    assert str(caught.value).startswith(f"{who} ")
    assert world.pulled() in (OLD, IMAGE)
    # Nobody can close a session that was begun at a place of which nothing is known.
    assert fault.method == "POST" or world.target.storage.open_uploads == 0
    getattr(world, who).clear_faults()
    assert world.copy().digest == IMAGE.digest
    assert world.is_whole()


def uploads_of_layer(world):
    """Return the PUTs that would store the layer at the target."""
    return [x for x in world.target.requests if x.method == "PUT" and LAYER[7:] in x.query]


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205])
def test_only_a_plain_answer_has_a_blob(world, status):
    """Another success is not read as content, and nothing of it is sent to the target."""
    world.source.inject(always("GET", BLOB, status=status))
    with pytest.raises((RequestRejectedError, ServerFailedError), match=f"answered {status}"):
        world.copy()
    assert not uploads_of_layer(world)


def test_an_empty_answer_for_a_blob_starts_no_upload(world):
    """Not even where a descriptor says that there are no bytes: the digest says otherwise."""
    world.source.inject(always("GET", BLOB, body=b""))
    with pytest.raises(ChecksumMismatchError):
        world.copy()
    blob = Descriptor(media_type="application/x", digest=Digest.of(DATA), size=0)
    repository = RemoteRepository(
        RegistryClient(HttpClient(), world.source.url, None, Side.SOURCE), "app/app"
    )
    target = RemoteRepository(
        RegistryClient(HttpClient(), world.target.url, None, Side.TARGET), "kops/empty"
    )
    reader = BlobReader(repository, blob, Retries(1), lambda _: None)
    with pytest.raises(ChecksumMismatchError):
        target.push_blob(blob, reader.open)
    assert not uploads_of_layer(world)
    assert world.target.storage.open_uploads == 0


def test_a_failed_image_has_its_error_in_its_outcome(world):
    """A batch raises nothing: what went wrong is told by the outcome, with its side."""
    world.source.inject(always("GET", BLOB, status=403))
    asset = ImageAsset(
        canonical=f"{world.source.host}/app/app:1", download=f"{world.target.host}/kops/app:1"
    )
    registries = Registries()
    plan = plan_images([asset], registries, TAKE)
    (outcome,) = copy_planned_images(plan.to_copy, registries, retries=world.retries)
    assert outcome.state is State.FAILED
    assert (outcome.problem.kind, outcome.problem.side) == ("AccessDeniedError", "source")


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("after", [1, 100_000, MIB, 2 * MIB + 1, len(DATA) - 1])
def test_a_body_is_taken_up_where_it_broke_off(world, after, reset):
    """The source sends no byte twice but those of the chunk that was lost on its way."""
    world.source.inject(Fault("GET", BLOB, truncate_after=after, reset=reset))
    world.copy()
    assert world.is_whole()
    statuses = [x.status for x in world.source.requests if BLOB in x.path]
    # A reset throws away what was under way: the kernel's buffers, perhaps all of it.
    assert statuses == [200, 206] or (reset and statuses == [200, 200])
    lost = sum(world.sent(BLOB)) - len(DATA)
    assert 0 <= lost <= MIB + (4 * MIB if reset else 0)
    assert sum(world.received()) == sum(map(len, IMAGE.blobs.values()))


def test_a_source_without_ranges_is_read_from_the_start(world):
    """What was sent already is left out: the target gets each byte once."""
    with OciRegistryServer(quirks=Quirks(ignore_ranges=True)) as source:
        world = World(source, world.target)
        source.inject(Fault("GET", BLOB, truncate_after=2 * MIB))
        world.copy()
        assert world.is_whole()
        assert [x.status for x in source.requests if BLOB in x.path] == [200, 200]
    assert sum(world.received()) == sum(map(len, IMAGE.blobs.values()))


def test_a_source_that_stalls_is_asked_again(world):
    """Silence in the middle of a body is a broken connection, and the rest is asked for."""
    world.source.inject(Fault("GET", BLOB, stall_after=MIB))
    world.copy(stall_seconds=0.3)
    assert world.is_whole()
    assert [x.status for x in world.source.requests if BLOB in x.path] == [200, 206]


@pytest.mark.parametrize(
    ("who", "fault"),
    [
        (S, always("GET", BLOB, stall_after=9)),
        (S, always("GET", BLOB, delay=60)),
        (T, always("POST", delay=60)),
        (T, always("PUT", MANIFEST, delay=60)),
    ],
)
def test_a_server_that_says_nothing_is_left(world, who, fault):
    """Each try ends after ``stall_seconds``, and all of them with whose silence it was."""
    getattr(world, who).inject(fault)
    with pytest.raises(ConnectionFailedError, match=f"^{who} .*failed") as caught:
        world.copy(stall_seconds=0.1)
    assert caught.value.side == who
    assert world.pulled() == OLD
    for server in (world.source, world.target):
        server.clear_faults()


def test_a_source_is_tried_as_often_as_is_said(world):
    """Tries are not multiplied by those of the upload that they are for."""
    world.source.inject(always("GET", BLOB, status=503))
    with pytest.raises(ServerFailedError):
        world.copy()
    assert world.source.count("GET", BLOB) == world.retries.attempts


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [(S, "GET", BLOB), (T, "POST", ""), (T, "PUT", UPLOAD), (T, "PUT", MANIFEST)],
)
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_short_wait_is_waited_for(world, who, method, path, form):
    """``Retry-After`` in either form is how long it takes, up to what we are ready for."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=6), usegmt=True)
    headers = {"Retry-After": "6" if form == "seconds" else date}
    getattr(world, who).inject(Fault(method, path, status=429, headers=headers))
    world.copy()
    assert world.is_whole()
    (waited,) = world.waits.seconds
    assert (6 if form == "seconds" else 1) <= waited <= 7


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [(S, "GET", BLOB), (T, "POST", ""), (T, "PUT", UPLOAD), (T, "PUT", MANIFEST)],
)
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_wait_is_left_to_others(world, who, method, path, form):
    """Whoever is asked to come back later says so at once: a task that sleeps holds a slot."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=1800), usegmt=True)
    headers = {"Retry-After": "1800" if form == "seconds" else date}
    getattr(world, who).inject(always(method, path, status=429, headers=headers))
    with pytest.raises(RateLimitedError) as caught:
        world.copy(workers=1)
    assert 1700 < caught.value.retry_after <= 1800
    assert world.waits.seconds == []
    assert getattr(world, who).count(method, path) == 1


def big(source, target, **options):
    return World(source, target, HUGE, **options)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cuts", [1, 3])
def test_a_large_upload_goes_on_where_it_broke_off(world, cuts, reset):
    """The target takes no byte twice, and the source sends little more than once."""
    world = big(world.source, world.target)
    world.target.inject(
        Fault("PUT", UPLOAD, close_after_received=2 * MIB + 9, reset=reset, times=cuts, skip=0)
    )
    world.copy(workers=1)
    assert world.is_whole()
    assert len(world.received()) == len(HUGE.blobs) + cuts
    assert sum(world.received()) == sum(map(len, HUGE.blobs.values()))
    assert world.target.count("POST") == len(HUGE.blobs)
    assert world.target.storage.open_uploads == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404},
        {"status": 500},
        {"headers": {"Range": None}},
        {"headers": {"Range": "0-0"}},
        {"headers": {"Range": f"0-{'9' * 5000}"}},
        {"headers": {"Range": f"0-{1 << 50}"}},
        {"headers": {"Range": "bytes */*"}},
        {"headers": {"Location": "http://169.254.169.254/"}},
        {"close": True},
    ],
)
def test_an_upload_that_cannot_go_on_begins_anew(world, answer):
    """A session that does not tell what has arrived is given up for another."""
    world = big(world.source, world.target)
    world.target.inject(Fault("PUT", UPLOAD, close_after_received=2 * MIB, times=1))
    world.target.inject(Fault("GET", UPLOAD, times=None, **answer))
    world.copy(workers=1)
    assert world.is_whole()
    assert world.target.count("POST") == len(HUGE.blobs) + 1
    assert world.target.storage.open_uploads == 0


@pytest.mark.parametrize("status", [400, 401, 404, 416])
def test_a_refused_rest_begins_anew(world, status):
    """What a registry says of the rest of an upload is not said of the blob."""
    world = big(world.source, world.target)
    body = json_error("BLOB_UPLOAD_UNKNOWN")
    world.target.inject(Fault("PUT", UPLOAD, close_after_received=2 * MIB))
    world.target.inject(Fault("PUT", UPLOAD, status=status, body=body))
    world.copy(workers=1)
    assert world.is_whole()


def test_a_lie_about_what_has_arrived_stores_nothing_wrong(world):
    """A registry that has less than it says refuses the whole, and gets it anew."""
    world = big(world.source, world.target)
    world.target.inject(Fault("PUT", UPLOAD, close_after_received=2 * MIB))
    world.target.inject(Fault("GET", UPLOAD, headers={"Range": f"0-{4 * MIB}"}))
    world.copy(workers=1)
    assert world.is_whole()


def cut_upload(after, cuts=1):
    """Return a watch that cuts the connection ``after`` bytes of a PUT of a blob, some times."""
    seen = {}

    def watch(data, from_client):
        nonlocal cuts
        if from_client and data.startswith(b"PUT ") and b"/uploads/" in data[:300]:
            seen["put"] = 0
        if not from_client or not cuts or "put" not in seen:
            return None
        seen["put"] += len(data)
        if seen["put"] < after:
            return None
        cuts -= 1
        passes = len(data) - (seen.pop("put") - after)
        return max(0, passes)

    return watch


def test_a_network_that_cuts_an_upload(world):
    """What was under way when the connection broke is the most that is sent twice."""
    with TcpProxy(world.target._listener.server_port, cut_upload(6 * MIB)) as proxy:
        world = big(world.source, world.target, target_host=proxy.host)
        world.copy(workers=1)
    assert world.is_whole()
    size = sum(map(len, HUGE.blobs.values()))
    # Some may still have been on its way when the session told what has arrived: the rest is then
    # refused, and asked for once more.
    assert size <= sum(world.received()) <= size + 2 * 12 * MIB
    assert world.target.count("POST") == len(HUGE.blobs)


@pytest.mark.component
def test_docker_registry_takes_a_cut_upload_anew(tmp_path):
    """It forgets what it had of an upload that broke off (2.8), and gets the whole once more."""
    with OciRegistryServer() as source, docker_registry(tmp_path) as target:
        seen = 0
        cut = cut_upload(6 * MIB)

        def watch(data, from_client):
            nonlocal seen
            seen += len(data) * from_client
            return cut(data, from_client)

        with TcpProxy(target.port, watch) as proxy:
            world = big(source, target, target_host=proxy.host)
            world.copy(workers=1)
        assert world.is_whole()
        size = sum(map(len, HUGE.blobs.values()))
        assert size + 6 * MIB <= seen <= size + 7 * MIB
        methods = [x.method for x in target.requests() if "/uploads/" in x.path]
        assert methods.count("DELETE") == 1


class Forgetful(OciRegistryServer):
    """A registry whose tokens all end after some of its answers."""

    ends_after = ("", "", 0)

    def answer(self, request):
        response = super().answer(request)
        method, path, times = self.ends_after
        if times and request.method == method and path in request.path and response.status != 401:
            self.ends_after = (method, path, times - 1)
            self.auth.expire_all()
        return response


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "/manifests/"), ("POST", "/uploads/"), ("PUT", "/uploads/"), ("PUT", "/manifests/")],
)
def test_a_token_that_ends_between_requests(world, method, path, times):
    """Another one is asked for, and an upload that was refused for it is sent again."""
    auth = TokenAuth(LOGIN.username, LOGIN.password, anonymous_pull=False)
    with Forgetful(auth=auth) as target:
        world = World(world.source, target)
        target.ends_after = (method, path, times)
        assert world.copy(LOGIN).digest == IMAGE.digest
        assert target.ends_after[2] < times
        target.auth = None
        assert world.is_whole()


def test_a_token_that_ends_during_an_upload(world):
    """What was let in is finished; whatever comes then asks again."""
    auth = TokenAuth(LOGIN.username, LOGIN.password)
    with OciRegistryServer(auth=auth) as target:
        world = World(world.source, target)
        ended, chunks = [], []

        def is_uploading():
            return any(x.method == "PUT" and not x.status for x in target.requests)

        def end(size):
            chunks.append(size)
            # A request starts with the first chunk, which is held until the second one has come.
            if chunks[-3:] == [MIB] * 3 and not ended:
                wait_for(is_uploading)
                ended.append(auth.expire_all())

        # By one alone: another one's chunk may end a token again before it was used.
        world.copy(LOGIN, workers=1, on_chunk=end)
        target.auth = None
        assert ended
        assert world.is_whole()


def test_a_token_that_ends_while_a_body_is_read(world):
    """The rest of a body that broke off is asked for with another token."""
    auth = TokenAuth(LOGIN.username, LOGIN.password)
    with OciRegistryServer(auth=auth) as source:
        world = World(source, world.target)
        source.inject(Fault("GET", BLOB, truncate_after=MIB))
        world.copy(workers=1, on_chunk=lambda _: auth.expire_all())
        source.auth = None
        assert world.is_whole()
        assert [x.status for x in source.requests if BLOB in x.path] == [200, 401, 206]


def test_a_password_that_ends_during_an_upload(world):
    """It stays refused, and is told as the target's."""
    with Forgetful(auth=BasicAuth(LOGIN.username, LOGIN.password)) as target:
        world = World(world.source, target)
        target.inject(always("PUT", UPLOAD, status=401))
        with pytest.raises(ServerFailedError, match="401") as caught:
            world.copy(LOGIN)
        assert caught.value.side is Side.TARGET
        assert world.target.storage.open_uploads == 0


def test_a_mount_that_was_not_one_is_made_good():
    """A registry that says of everything that it is there, and of manifests that it is not."""
    with OciRegistryServer() as source, OciRegistryServer(quirks=Quirks(claim_mounts=True)) as lies:
        world = World(source, lies)
        world.copy()
        assert world.is_whole()


class Loses(OciRegistryServer):
    """A registry that cleans up blobs which no manifest names, at the worst time."""

    lost = ()

    def answer(self, request):
        if request.method == "PUT" and "/manifests/" in request.path and self.lost:
            for digest in self.lost:
                self.storage.delete_blob("kops/app", digest)
            self.lost = ()
        return super().answer(request)


@pytest.mark.parametrize("count", [1, len(IMAGE.blobs)])
def test_a_blob_that_was_cleaned_up_is_sent_again(world, count):
    """Only what is not there any more."""
    with Loses() as target:
        world = World(world.source, target)
        target.lost = list(IMAGE.blobs)[:count]
        world.copy()
        assert world.is_whole()
        assert len(world.received()) == len(IMAGE.blobs) + count


def test_what_an_interrupted_copy_left_is_made_good(world):
    """A blob that it mounted or sent, and that is gone, is sent by the next one."""
    world.target.inject(always("PUT", MANIFEST, status=500))
    with pytest.raises(ServerFailedError):
        world.copy()
    world.target.clear()
    world.target.storage.delete_blob("kops/app", LAYER)
    done = world.copy()
    assert world.is_whole()
    assert done.uploaded == len(DATA)


def test_a_tag_that_moves_after_the_plan(world):
    """What was planned is copied, and the outcome tells what the tag has come to stand for."""
    asset = ImageAsset(
        canonical=f"{world.source.host}/app/app:1", download=f"{world.target.host}/kops/app:1"
    )
    (planned,) = plan_images([asset], Registries(), TAKE).to_copy
    handed_on = PlannedImage.from_dict(json.loads(json.dumps(planned.to_dict())))
    moved = make_image("moved", platforms=PLATFORM)
    put_image(world.source, "app/app:1", moved)
    outcome = copy_planned_image(handed_on, Registries())
    assert (outcome.facts.content, outcome.facts.drift) == (IMAGE.digest, moved.digest)
    assert world.is_whole()
    assert [x.digest for x in plan_images([asset], Registries(), TAKE).to_copy] == [moved.digest]


@pytest.mark.parametrize(
    "fault", [Fault("PUT", UPLOAD, status=500), Fault("PUT", UPLOAD, close_after_received=2 * MIB)]
)
def test_a_body_that_was_sent_is_read_anew(world, fault):
    """A stream is consumed once: another PUT has another GET behind it, and all of the bytes."""
    world.target.inject(replace(fault, skip=0))
    world.copy(workers=1)
    assert world.is_whole()
    # The largest blob goes first, so it is the one that was hit.
    assert world.source.count("GET", BLOB) == 2
    assert world.received()[1] == len(DATA)
