"""What servers and networks do wrong, and what becomes of a file then: whole, or an error."""

from __future__ import annotations

import logging
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from itertools import count, cycle
from time import monotonic

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    ConnectionFailedError,
    KopsAssetsError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    SourceChangedError,
    TransientError,
    UntrustedServerError,
)
from kops_assets_provider.files import gcs
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.s3 import S3Options
from kops_assets_provider.http.retries import Retries
from tests.files.faults import (
    Cut,
    LostAnswer,
    SeaweedPlace,
    Silence,
    Wire,
    always,
    http_client,
    running_place,
    sha256,
)
from tests.http.test_retries import Waits
from tests.support.messages import Fault
from tests.support.tcp_proxy import TcpProxy

MIB = 1 << 20
RAW = bytes(range(251)) * (3 * MIB // 251) + b"the end"
OTHER = RAW[::-1]
OLD = b"what was there before"
SHA = sha256(RAW)
NUMBERS = count()
DEAD = "127.0.0.1:9"

SEAWEEDFS = pytest.param("seaweedfs", marks=pytest.mark.component)
FAKES = ["s3", "gcs"]
REAL = ["emulator", SEAWEEDFS]
BUCKETS = [*FAKES, *REAL]
EVERYWHERE = [*BUCKETS, "directory"]


def on(*kinds):
    """Run a test at these places."""
    return pytest.mark.parametrize("world", kinds, indirect=True)


new_and_old = pytest.mark.parametrize("old", [None, OLD], ids=["new", "old"])


class World:
    """A source with the file, and a place for it where there is nothing, or an old file."""

    def __init__(self, source, place, old):
        self.source, self.place, self.old = source, place, old
        self.path = f"bin/{next(NUMBERS)}/app,1 +2.tgz"
        source.put("/file", RAW)
        if old is not None:
            place.put(self.path, old)
        self.waits = Waits()
        self.names = place.names()

    def url(self, name="file"):
        return f"{self.source.url}/{name}?token=secret"

    def copy(self, *names, raw=RAW, on_chunk=None, limits=None, **options):
        """Copy the file from what the source has under these names; ``raw`` is what it must be."""
        http = http_client(**limits or {})
        return copy_file(
            HttpFileSource(http, Retries(stop=self.waits)),
            [self.url(x) for x in names or ("file",)],
            self.place.store(http, **options),
            self.path,
            sha256(raw),
            on_chunk=on_chunk,
        )

    @contextmanager
    def wired(self, wire):
        """Give the options of a copy that goes by a wire."""
        with TcpProxy(self.place.port, wire) as proxy:
            self.names.append(proxy.host)
            yield {"port": int(proxy.host.rpartition(":")[2])}

    def file(self):
        return self.place.get(self.path)

    def sidecar(self):
        return self.place.get(f"{self.path}.sha256")

    def check_safe(self):
        """Check that there is what was there before, or the right file; and no word too early."""
        file, sidecar = self.file(), self.sidecar()
        assert file in (self.old, RAW)
        assert sidecar is None or (file, sidecar) == (RAW, SHA.encode())

    def check_next_run(self):
        """Check that a copy finishes when nothing is in its way any more, and then has no work."""
        self.clear_faults()
        self.copy()
        assert (self.file(), self.sidecar()) == (RAW, SHA.encode())
        again = self.copy()
        assert (again.copied, again.sidecar_written) == (False, False)

    def clear_faults(self):
        self.source.clear_faults()
        if hasattr(self.place, "server"):
            self.place.server.clear_faults()

    def check_fails(self, error, side=Side.TARGET, **options):
        """Check that a copy fails so, and tells where but no secret; return the error."""
        with pytest.raises(KopsAssetsError) as caught:
            self.copy(**options)
        told, text = caught.value, str(caught.value)
        assert (type(told), told.side) == (error, side)
        assert text.startswith(f"{side} ")
        names = self.names if side is Side.TARGET else [self.source.host, DEAD]
        assert any(x in text for x in names)
        assert not any(x in text for x in ("?", "secret", "X-Amz", "upload_id"))
        return told

    def check_error(self, error, side, **options):
        """Check that a copy fails so and harms nothing; return the error."""
        told = self.check_fails(error, side, **options)
        self.check_safe()
        return told

    def check(self, error, side, **options):
        """Check a copy that ends so, None for success, and the next one; return the error."""
        told = self.check_error(error, side, **options) if error else self.copy(**options)
        self.check_safe()
        self.check_next_run()
        return told


@pytest.fixture(scope="module")
def real_places(tmp_path_factory):
    """Return a function that runs a real server, once for all tests."""
    with ExitStack() as stack:
        yield cache(lambda x: stack.enter_context(running_place(x, tmp_path_factory.mktemp(x))))


@pytest.fixture
def old():
    return None


@pytest.fixture
def world(request, real_places, file_server, old, tmp_path):
    if request.param in ("seaweedfs", "emulator"):
        yield World(file_server, real_places(request.param), old)
        return
    with running_place(request.param, tmp_path) as place:
        yield World(file_server, place, old)
    # Nobody may find what a failed copy to a directory had begun.
    assert not list(tmp_path.rglob(".*"))


def ids(rows):
    return [x[0] for x in rows]


def in_turn(rows):
    """Let a test take these rows, half of them where nothing is, and half over an old file."""
    cases = [
        pytest.param(*row[1:], old, id=f"{row[0]}-{'old' if old else 'new'}")
        for row, old in zip(rows, cycle([None, OLD]), strict=False)
    ]
    return pytest.mark.parametrize(("fault", "error", "old"), cases)


ERRORS = {
    400: RequestRejectedError,
    403: AccessDeniedError,
    404: NotFoundError,
    408: ServerFailedError,
    429: RateLimitedError,
    500: ServerFailedError,
    503: ServerFailedError,
}
WAIT = {"Retry-After": "7"}
get = partial(Fault, "GET", "^/file$")
lasting = partial(always, "GET", "^/file$")
LONGER = {"Content-Length": str(len(RAW) + 9)}
SHORTER = {"Content-Length": str(len(RAW) - 9)}
UNTOLD = {"Content-Length": None}
CHUNKED = {**UNTOLD, "Transfer-Encoding": "chunked"}
PIECES = [RAW[x : x + 65_536] for x in range(0, len(RAW), 65_536)]
IN_CHUNKS = b"".join(b"%x\r\n%b\r\n" % (len(x), x) for x in [*PIECES, b""])
SOURCE = [
    *[
        (f"answers {status} {'always' if times is None else 'once'}", fault, error)
        for status, error in ERRORS.items()
        for times in (1, None)
        for fault in [get(status=status, headers=WAIT, times=times)]
    ],
    ("other bytes", lasting(body=OTHER), ChecksumMismatchError),
    ("other bytes once", get(body=OTHER), ChecksumMismatchError),
    ("another first byte", lasting(body=b"?" + RAW[1:]), ChecksumMismatchError),
    ("another last byte", lasting(body=RAW[:-1] + b"?"), ChecksumMismatchError),
    ("a byte too few", lasting(body=RAW[:-1]), ChecksumMismatchError),
    ("half of it", lasting(body=RAW[: len(RAW) // 2]), ChecksumMismatchError),
    ("nothing of it", lasting(body=b""), ChecksumMismatchError),
    ("a byte too many", lasting(body=RAW + b"!"), ChecksumMismatchError),
    ("twice as many", lasting(body=RAW * 2), ChecksumMismatchError),
    ("more announced than comes", lasting(headers=LONGER, hang_up=True), SourceChangedError),
    ("less announced than comes", lasting(headers=SHORTER), ChecksumMismatchError),
    ("no length", get(headers=UNTOLD), None),
    ("no length, cut", get(headers=UNTOLD, truncate_after=MIB), ChecksumMismatchError),
    ("no length, other bytes", lasting(headers=UNTOLD, body=OTHER), ChecksumMismatchError),
    ("in chunks", get(headers=CHUNKED, body=IN_CHUNKS), None),
    ("in chunks, cut", get(headers=CHUNKED, body=IN_CHUNKS, truncate_after=MIB), None),
    ("connection dropped once", get(close=True), None),
    ("connection dropped always", lasting(close=True), ConnectionFailedError),
    ("reset before the body", get(truncate_after=0, reset=True), None),
    ("cut always", lasting(truncate_after=9), ConnectionFailedError),
    ("reset always", lasting(truncate_after=9, reset=True), ConnectionFailedError),
    ("cut once", get(truncate_after=MIB), None),
    ("says that it is packed", get(headers={"Content-Encoding": "gzip"}), None),
    (
        "redirects to a dead host",
        lasting(status=302, headers={"Location": f"http://{DEAD}/x?token=secret"}),
        ConnectionFailedError,
    ),
    (
        "redirects inside",
        lasting(status=302, headers={"Location": "http://169.254.169.254/x?token=secret"}),
        UntrustedServerError,
    ),
    (
        "redirects in a circle",
        lasting(status=302, headers={"Location": "/file?token=secret"}),
        UntrustedServerError,
    ),
]


@on(*EVERYWHERE)
@in_turn(SOURCE)
def test_a_source_that_does_wrong(world, fault, error):
    """What it sends is whole and right at the place, or it is not there at all."""
    world.source.inject(fault)
    told = world.check(error, Side.SOURCE)
    if error is RateLimitedError:
        assert told.retry_after == 7


SILENT = [
    ("a stall", {"stall_after": 9}),
    ("silence before the answer", {"delay": 60}),
    ("a drip", {"drip": 0.02}),
]


@on(*EVERYWHERE)
@pytest.mark.parametrize(("name", "silence"), SILENT, ids=ids(SILENT))
def test_a_source_that_falls_silent_for_good(world, name, silence):
    """It is left after ``stall_seconds``, however often that was tried."""
    world.source.inject(lasting(**silence))
    world.check(ConnectionFailedError, Side.SOURCE, limits={"stall_seconds": 0.1})


@on(*EVERYWHERE)
@pytest.mark.parametrize("silence", [{"stall_after": MIB}, {"drip": 0.02}], ids=["stall", "drip"])
def test_a_source_that_falls_silent_once(world, silence):
    """The rest is asked for, and the place gets the file by one upload."""
    world.source.inject(get(**silence))
    world.check(None, Side.SOURCE, limits={"stall_seconds": 1})
    assert world.source.count("GET") == 2


QUARTERS = [1, *(len(RAW) * x // 4 for x in (1, 2, 3)), len(RAW) - 1]


def ranges(server):
    """Return where each GET of the source began."""
    found = [x.headers.get("Range", "bytes=0-") for x in server.requests]
    return [int(x.removeprefix("bytes=").removesuffix("-")) for x in found]


@on(*BUCKETS)
@pytest.mark.parametrize(("reset", "old"), [(False, None), (True, OLD)], ids=["cut", "reset"])
@pytest.mark.parametrize("after", QUARTERS)
def test_a_source_that_breaks_off_is_read_on(world, after, reset):
    """By one more GET, from where it broke off, and the bucket sees one upload all the same."""
    world.source.inject(get(truncate_after=after, reset=reset))
    wire = Wire()
    with world.wired(wire) as options:
        world.copy(**options)
    first, second = ranges(world.source)
    # A reset throws away what was under way: the kernel's buffers, perhaps all of it.
    assert (first, second <= after) == (0, True)
    assert after - second <= (len(RAW) if reset else MIB)
    assert sum(x.sent_bytes for x in world.source.requests) == after + len(RAW) - second
    assert wire.asked.count("PUT") == (2 if world.place.speaks_s3 else 3)
    world.check_safe()
    world.check_next_run()


def break_off(world, *names):
    """Let the source send a third of these files, and then nothing that is worth it."""
    for name in names:
        world.source.put(f"/{name}", RAW)
        world.source.inject(Fault("GET", f"^/{name}", truncate_after=MIB + 9))
        world.source.inject(always("GET", f"^/{name}", truncate_after=9))


@on(*EVERYWHERE)
def test_the_second_source_is_taken_after_the_first_broke_for_good(world, caplog):
    """What the first one gave is thrown away, and it is said why."""
    break_off(world, "broken")
    with caplog.at_level(logging.WARNING):
        assert world.copy("broken", "file").copied
    assert "trying the next source" in caplog.text
    assert "secret" not in caplog.text
    assert world.source.count("GET", "^/broken") == 4
    assert world.source.count("GET", "^/file") == 1
    world.check_next_run()


@on(*EVERYWHERE)
def test_both_sources_break_for_good(world):
    """Both are named, and nothing is there."""
    break_off(world, "broken", "file")
    with pytest.raises(ConnectionFailedError, match=r"/broken failed.*; and .*/file failed"):
        world.copy("broken", "file")
    world.check_safe()
    world.check_next_run()


def step(method, path="", skip=0):
    """Return what makes faults of one request of a copy."""
    return partial(Fault, method, path, skip=skip)


def xml(code):
    return f"<Error><Code>{code}</Code></Error>".encode()


S3_STEPS = {
    "look": step("HEAD"),
    "file": step("PUT", "tgz$"),
    "side-car": step("PUT", "sha256$"),
}
GCS_STEPS = {
    "look": step("GET", "^/storage.*tgz$"),
    "start": step("POST"),
    "first part": step("PUT"),
    "end": step("PUT", skip=1),
    "side-car's start": step("POST", skip=1),
    "side-car": step("PUT", skip=2),
}
SESSION = ("first part", "end", "side-car")


def refusals(steps, errors=lambda step, error: error):
    """Return what refusals of each step come to, once and for good; a look's 404 is no refusal."""
    return [
        (f"{name} answers {status} {'always' if times is None else 'once'}", fault, told)
        for name, make in steps.items()
        for status, error in ERRORS.items()
        for times in (1, None)
        if (name, status) != ("look", 404)
        for told in [errors(name, error)]
        for fault in [make(status=status, headers=WAIT, times=times)]
    ]


def session_error(step, error):
    """Return the error for what an upload session answers: one that is gone is begun anew."""
    return ServerFailedError if step in SESSION and error is NotFoundError else error


def breaks(steps):
    """Return what broken connections at each step come to."""
    uploads = [x for x in steps if x != "look" and "start" not in x]
    return [
        *[
            (f"{name} is dropped always", make(close=True, times=None), ConnectionFailedError)
            for name, make in steps.items()
        ],
        *[
            (f"{name}: answer lost", steps[name](lose_answer=True), ConnectionFailedError)
            for name in steps
            if name != "look"
        ],
        *[
            (
                f"{name} is {'reset' if reset else 'cut'} after {after}",
                steps[name](close_after_received=after, reset=reset),
                ConnectionFailedError,
            )
            for name in uploads
            for after in (QUARTERS[:4] if name in ("file", "first part") else [1])
            for reset in (False, True)
        ],
    ]


put = S3_STEPS["file"]
S3 = [
    *refusals(S3_STEPS),
    *breaks(S3_STEPS),
    ("look is dropped once", Fault("HEAD", close=True), None),
    (
        "conflict of two writers",
        put(status=409, body=xml("ConditionalRequestConflict")),
        TransientError,
    ),
    ("too slow a source", put(status=400, body=xml("RequestTimeout")), ServerFailedError),
    ("damaged on the way", put(status=400, body=xml("BadDigest")), ChecksumMismatchError),
    ("slow down", put(status=503, body=xml("SlowDown")), ServerFailedError),
    ("bucket gone", put(status=404, body=xml("NoSuchBucket")), NotFoundError),
    ("a redirect", put(status=307, headers={"Location": f"http://{DEAD}/"}), RequestRejectedError),
]


@on("s3")
@in_turn(S3)
def test_s3_does_wrong(world, fault, error):
    """The error is the target's, and has the kind of what it answered."""
    check_target(world, fault, error)


GCS = [
    *refusals(GCS_STEPS, session_error),
    *breaks(GCS_STEPS),
    *[
        (f"session is gone ({status}, {name})", GCS_STEPS[name](status=status), ServerFailedError)
        for name in SESSION
        for status in (410, 499)
    ],
    ("kept nothing", GCS_STEPS["first part"](status=308), ServerFailedError),
    ("kept a part", GCS_STEPS["first part"](headers={"Range": "bytes=0-9"}), ServerFailedError),
    ("has not ended", GCS_STEPS["end"](status=308), ServerFailedError),
    ("damaged", GCS_STEPS["end"](status=400, body=b"bad CRC32C"), ChecksumMismatchError),
    (
        "leads inside",
        GCS_STEPS["start"](headers={"Location": "http://169.254.169.254/x?token=secret"}),
        UntrustedServerError,
    ),
    ("leads nowhere", GCS_STEPS["start"](headers={"Location": "x"}), UntrustedServerError),
    ("is no Google", GCS_STEPS["look"](status=200, body=b"<html>"), ConnectionFailedError),
]


@on("gcs")
@in_turn(GCS)
def test_gcs_does_wrong(world, fault, error):
    """The error is the target's, and no session is left that somebody could close."""
    check_target(world, fault, error)
    # Nobody can close a session of which nothing is known.
    lost = fault.method == "POST" and (fault.lose_answer or bool(fault.headers.get("Location")))
    assert sum(not x.stored for x in world.place.server.sessions.values()) == lost


def check_target(world, fault, error):
    world.place.server.inject(fault)
    told = world.check(error, Side.TARGET)
    if error is RateLimitedError:
        assert told.retry_after == 7


@new_and_old
@on(*FAKES)
def test_a_look_that_says_that_nothing_is_there(world):
    """Whatever is there is not overwritten for that: a new file is put under that condition."""
    look = (S3_STEPS if world.place.speaks_s3 else GCS_STEPS)["look"]
    world.place.server.inject(look(status=404))
    world.check(TransientError if world.old else None, Side.TARGET)


STEPS = {"s3": S3_STEPS, "gcs": GCS_STEPS}
ALL_STEPS = [(kind, make) for kind in STEPS for make in STEPS[kind].values()]


@new_and_old
@pytest.mark.parametrize(
    ("world", "make"), ALL_STEPS, indirect=["world"], ids=[x for y in STEPS.values() for x in y]
)
def test_a_target_that_says_nothing(world, make, monkeypatch):
    """It is left after ``stall_seconds``; those of Google's client are its own."""
    monkeypatch.setattr(gcs, "_TIMEOUT", 0.3)
    world.place.server.inject(make(delay=60))
    started = monotonic()
    world.check(ConnectionFailedError, Side.TARGET, limits={"stall_seconds": 0.3})
    assert monotonic() - started < 40


DRIPS = [
    ("s3", S3_STEPS["file"](status=403, body=xml("AccessDenied") * 9), AccessDeniedError),
    ("gcs", GCS_STEPS["end"](), None),
]


@new_and_old
@pytest.mark.parametrize(("world", "fault", "error"), DRIPS, indirect=["world"], ids=FAKES)
def test_an_answer_that_drips(world, fault, error):
    """Its status has said all: the rest of it is not waited for."""
    started = monotonic()
    world.place.server.inject(replace(fault, drip=0.05))
    world.check(error, Side.TARGET, limits={"stall_seconds": 0.3})
    assert monotonic() - started < 15


@new_and_old
@on(*FAKES)
def test_a_late_failure_comes_when_all_was_sent(world):
    """500 after the last byte: nothing is believed to be there that is not."""
    end = S3_STEPS["file"] if world.place.speaks_s3 else GCS_STEPS["end"]
    world.place.server.inject(end(status=500))
    world.check_error(ServerFailedError, Side.TARGET)
    puts = [x.received_bytes for x in world.place.server.requests if x.method == "PUT"]
    assert sum(puts) == len(RAW)
    assert world.file() == world.old
    world.check_next_run()


@on(*FAKES)
def test_an_answer_that_is_lost_costs_no_second_upload(world):
    """The file is there: the next run sees that, and puts the side-car beside it."""
    end = S3_STEPS["file"] if world.place.speaks_s3 else GCS_STEPS["end"]
    world.place.server.inject(end(lose_answer=True))
    world.check_error(ConnectionFailedError, Side.TARGET)
    assert world.file() == RAW
    world.source.clear()
    copied = world.copy()
    assert (copied.copied, copied.sidecar_written, copied.uploaded) == (False, True, len(SHA))
    assert world.source.requests == []


def broken_read(world, ending, **broken):
    """Return a fault of all reading of what has such a name."""
    start = "^/files/" if world.place.speaks_s3 else "^/download/"
    return always("GET", f"{start}.*{ending}", **broken)


BROKEN_READS = [
    ("cut", {"truncate_after": 9}, ConnectionFailedError),
    ("reset", {"truncate_after": 9, "reset": True}, ConnectionFailedError),
    ("dropped", {"close": True}, ConnectionFailedError),
    ("longer than it is", {"headers": LONGER}, ConnectionFailedError),
    ("denied", {"status": 403}, AccessDeniedError),
    ("too often", {"status": 429, "headers": WAIT}, RateLimitedError),
    ("failed", {"status": 500}, ServerFailedError),
]


@on(*FAKES)
@pytest.mark.parametrize("what", ["side-car", "file"])
@pytest.mark.parametrize(("name", "broken", "error"), BROKEN_READS, ids=ids(BROKEN_READS))
def test_what_is_there_cannot_be_read(world, name, broken, error, what):
    """It is neither taken for right nor for wrong, and so not written anew."""
    world.copy()
    if what == "file":
        # As somebody else would have put it, without a hash.
        world.place.put(world.path, RAW)
    world.place.server.inject(
        broken_read(world, "sha256$" if what == "side-car" else "tgz$", **broken)
    )
    before = world.place.asked().count("PUT")
    told = world.check_error(error, Side.TARGET)
    if error is RateLimitedError:
        assert told.retry_after == 7
    world.check_next_run()
    assert world.place.asked().count("PUT") == before


@on("s3")
def test_a_side_car_that_drips(world):
    """A few bytes a second are silence as well."""
    world.copy()
    world.place.server.inject(always("GET", drip=0.05))
    world.check(ConnectionFailedError, Side.TARGET, limits={"stall_seconds": 0.1})


@new_and_old
@on(*REAL)
@pytest.mark.parametrize("after", QUARTERS)
def test_a_network_that_cuts_an_upload(world, after):
    """A real server keeps nothing of an upload that broke off."""
    with world.wired(Cut(after)) as options:
        world.check_error(ConnectionFailedError, Side.TARGET, **options)
    assert world.file() == world.old
    world.check_next_run()


@new_and_old
@on(*REAL)
def test_a_network_that_falls_silent_in_an_upload(world):
    """It is left after ``stall_seconds``, wherever the bytes are then."""
    wire = Silence(MIB)
    with world.wired(wire) as options:
        world.check_fails(ConnectionFailedError, limits={"stall_seconds": 0.3}, **options)
        # The emulator serves one after the other, and waits for this one.
        wire.over.set()
    assert world.file() == world.old
    world.check_next_run()


@on(*REAL)
def test_a_network_that_is_silent_for_a_while(world):
    """An upload may pause for ``stall_seconds``: the limit for connecting is another one."""
    huge = RAW * 6  # more than all buffers on the way
    world.source.put("/huge", huge)
    with world.wired(Silence(MIB, seconds=0.8)) as options:
        limits = {"connect_seconds": 0.3, "stall_seconds": 10}
        world.copy("huge", raw=huge, limits=limits, **options)
    assert world.file() == huge


@new_and_old
@on(*REAL)
def test_a_network_that_loses_the_answer_to_an_upload(world):
    """The file is there as a whole, and the next run finds it."""
    with world.wired(LostAnswer(1 if world.place.speaks_s3 else 2)) as options:
        world.check_error(ConnectionFailedError, Side.TARGET, **options)
    assert world.file() == RAW
    world.source.clear()
    assert not world.copy().copied
    assert world.source.requests == []
    world.check_next_run()


@on("seaweedfs")
def test_a_refusal_that_comes_before_the_body_was_sent(world):
    """A real server denies at once and hangs up: it is told as that, not as a broken connection."""
    stranger = SeaweedPlace(replace(world.place.component, secret_key="wrong"))
    content = Content(name="test", chunks=PIECES * 4, size=4 * len(RAW), sha=sha256(RAW * 4))
    with stranger, pytest.raises(AccessDeniedError, match="SignatureDoesNotMatch"):
        stranger.store(http_client()).write(world.path, content)
    world.check_safe()
    world.check_next_run()


@on(*FAKES, "emulator")
def test_a_bucket_that_is_not_there(world):
    """It is said what has to be done. SeaweedFS makes a bucket that it has not."""
    with pytest.raises(NotFoundError, match="the bucket must") as caught:
        world.copy(bucket="missing")
    assert caught.value.side is Side.TARGET
    assert f"{world.place.url[:5]}missing/{world.path}" in str(caught.value)
    world.check_next_run()


@new_and_old
@on("s3")
def test_a_bucket_of_somebody_else(world):
    """One of the same name that another account has made is neither read nor written."""
    world.place.server.buckets["files"].owner = "999988887777"
    told = world.check_error(
        AccessDeniedError, Side.TARGET, options=S3Options(owner="111122223333")
    )
    assert "the bucket must belong to the account 111122223333" in str(told)
    assert world.file() == world.old
    assert world.place.asked() == ["HEAD"]
    world.check_next_run()


NAMES = ["a, b", "a+b&c=d", "100%2C %20", "kün, stlich/文件", "a'b(c)!*~$;:@"]


@on(*EVERYWHERE)
@pytest.mark.parametrize("name", NAMES)
def test_names_that_have_to_be_encoded(world, name):
    """Commas, blanks and the like: found again by the next run, also after a broken source."""
    world.path = f"bin/{next(NUMBERS)}/{name}"
    world.source.inject(get(truncate_after=MIB))
    assert world.copy().copied
    world.check_next_run()


# The emulator serves one after the other.
RACERS = [*FAKES, SEAWEEDFS, "directory"]


def intruding(world, raw):
    """Return an ``on_chunk`` by which another writer is faster, once the look is over."""
    return lambda count: count == 0 or world.file() == raw or world.place.put(world.path, raw)


@new_and_old
@on(*RACERS)
def test_another_writer_with_the_same_file(world):
    """Between look and write: the file is right, whoever wrote it."""
    world.copy(on_chunk=intruding(world, RAW))
    assert (world.file(), world.sidecar()) == (RAW, SHA.encode())
    world.check_next_run()


@new_and_old
@on(*RACERS)
def test_another_writer_with_another_file(world):
    """Where there was nothing the first one stays, and the other is told; else it is replaced."""
    copy = partial(world.copy, on_chunk=intruding(world, OTHER))
    if world.place.first_writer_wins and not world.old:
        with pytest.raises(TransientError, match="another writer was first") as caught:
            copy()
        assert caught.value.side is Side.TARGET
        assert (world.file(), world.sidecar()) == (OTHER, None)
    else:
        copy()
        assert (world.file(), world.sidecar()) == (RAW, SHA.encode())
    world.check_next_run()


@on("gcs")
@pytest.mark.parametrize("old", [OLD])
def test_another_writer_while_an_old_file_is_read(world):
    """Of what Google has replaced nothing can be read any more: another try may succeed."""
    told = world.check_fails(TransientError, on_chunk=lambda _: world.place.put(world.path, OTHER))
    assert "it was there before" in str(told)
    assert world.file() == OTHER
    world.check_next_run()


@on(*FAKES)
@pytest.mark.parametrize("old", [OLD])
def test_an_old_file_that_is_removed_before_it_is_read(world):
    """The look has seen it, the reader has not: another try may succeed."""
    world.place.server.inject(broken_read(world, "tgz$", status=404))
    world.check(TransientError, Side.TARGET)


def race(world, *raws):
    """Copy files to one path at once, none before all have begun to read; return the errors."""
    barrier = threading.Barrier(len(raws))

    def run(raw):
        name = sha256(raw)
        waits = iter([partial(barrier.wait, 30)])
        try:
            world.copy(name, raw=raw, on_chunk=lambda _: next(waits, int)())
        except TransientError as err:
            return err
        return None

    for raw in raws:
        world.source.put(f"/{sha256(raw)}", raw)
    with ThreadPoolExecutor(len(raws)) as pool:
        return list(pool.map(run, raws))


@new_and_old
@on(*RACERS)
def test_two_runs_with_the_same_file(world):
    """Neither fails, and the file is right."""
    assert race(world, RAW, RAW) == [None, None]
    assert (world.file(), world.sidecar()) == (RAW, SHA.encode())
    world.check_next_run()


@new_and_old
@on(*RACERS)
def test_two_runs_with_different_files(world):
    """One of the two is there as a whole, and whoever was refused is told."""
    errors = race(world, RAW, OTHER)
    file, sidecar = world.file(), world.sidecar()
    assert file in (RAW, OTHER)
    assert sidecar in (SHA.encode(), sha256(OTHER).encode())
    assert None in errors
    for error in filter(None, errors):
        assert error.side is Side.TARGET
        assert "another writer was first" in str(error)
    if world.place.first_writer_wins and not world.old:
        assert errors.count(None) == 1
        assert file == (RAW, OTHER)[errors.index(None)]
        assert sidecar == sha256(file).encode()
    world.check_next_run()


@new_and_old
@on("directory")
def test_a_disk_that_becomes_full(world):
    """What fits on it of the file is not there under any name."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(RAW) // 2, before[1]))
    try:
        told = world.check_error(TransientError, Side.TARGET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "too large" in str(told)
    assert world.file() == world.old
    world.check_next_run()


@on(*FAKES)
def test_what_a_copy_costs(world):
    """A full copy asks the source once, and a copy of what is there only the target."""
    world.copy()
    is_s3 = world.place.speaks_s3
    assert [x.method for x in world.source.requests] == ["GET"]
    upload = ["PUT"] if is_s3 else ["POST", "PUT"]
    end = [] if is_s3 else ["PUT"]
    assert world.place.asked() == ["HEAD" if is_s3 else "GET", *upload, *end, *upload]
    world.source.clear()
    world.place.server.clear()
    world.copy()
    # Google's client reads on until it is told that there is no more.
    assert world.place.asked() == (["HEAD", "GET"] if is_s3 else ["GET"] * 3)
    assert world.source.requests == []


@on(*REAL)
def test_what_a_copy_costs_at_a_real_server(world):
    """It asks for no more than ours."""
    is_s3 = world.place.speaks_s3
    wires = Wire(), Wire()
    for wire in wires:
        with world.wired(wire) as options:
            world.copy(**options)
    looks = ["HEAD"] if is_s3 else ["GET"]
    session = ["PUT", "PUT"] if is_s3 else ["POST", "PUT", "PUT", "POST", "PUT"]
    assert wires[0].asked == looks + session
    assert wires[1].asked[:1] == looks
    assert set(wires[1].asked[1:]) == {"GET"}
    assert [x.method for x in world.source.requests] == ["GET"]
