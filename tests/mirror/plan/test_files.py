"""
Files are looked at where they are, by few requests, and what is wrong with each is told.

Requests are counted by the servers: S3 and Google Cloud Storage as they answer, in this process.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter

import pytest

from kops_assets_provider.files.content import Content
from kops_assets_provider.files.gcs import GCSOptions, GCSStore
from kops_assets_provider.files.s3 import S3Options, S3Store
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.plan.file_checks import check_files
from kops_assets_provider.mirror.plan.files import FileRules, plan_files
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from tests.copies import copy_one_file
from tests.support.file_server import FileServer
from tests.support.gcs_server import GCSServer
from tests.support.messages import Fault
from tests.support.s3_server import S3Server

BASE = "https://files.example.com"
NAMES = [
    *(f"binaries/kops/1.36.2/linux/{arch}/{x}" for arch in ("amd64", "arm64") for x in ("a", "b")),
    *(f"release/v1.34.0/bin/linux/{arch}/kubelet" for arch in ("amd64", "arm64")),
    "with space/a,b+c",
]
FILES = {name: f"the bytes of {name}".encode() for name in NAMES}


class World:
    """A source, a bucket, a list of files, and what was kept of the last run."""

    def __init__(self, source, server, store):
        self.source, self.server, self.store = source, server, store
        for name, raw in FILES.items():
            source.put(f"/{name}", raw)
        self.assets = [
            FileAsset(
                canonical=f"{source.url}/{name}",
                download=f"{BASE}/{name}",
                sha=hashlib.sha256(raw).hexdigest(),
            )
            for name, raw in FILES.items()
        ]
        scheme = Scheme.S3 if isinstance(server, S3Server) else Scheme.GS
        targets = {BASE: f"{scheme}://files/mirror"}
        self.stores = FileStores({scheme: lambda _: store}, targets)
        self.record = None

    @property
    def objects(self):
        return self.server.buckets["files"].objects

    def plan(self, **options):
        self.server.clear()
        self.source.clear()
        rules = FileRules(**options)
        return plan_files(self.assets, self.stores, Known(lambda: self.record), rules)

    def check(self, **options):
        ask = check_files(self.assets, self.stores, Known(lambda: self.record), **options)
        return [ask(x) for x in self.assets]

    def run(self, **options):
        """Plan, copy what is to be copied, and keep the record; return the outcomes."""
        plan = self.plan(**options)
        copied = [copy_one_file(x, self.stores, {}, **options) for x in plan.to_copy]
        outcomes = [*plan.settled, *copied]
        record = update_record(
            self.record, Report(cluster="c", outcomes=tuple(outcomes)), "1.36.2", "run"
        )
        self.record = parse_record(record.to_json(), "the record")
        return outcomes

    def put(self, name, raw):
        """Store an object as somebody else would, with nothing that tells its hash."""
        self.server.put("files", f"mirror/{name}", raw)

    def put_all(self):
        """Leave the bucket as ``kops get assets --copy`` does."""
        for name, raw in FILES.items():
            self.put(name, raw)
            self.put(f"{name}.sha256", hashlib.sha256(raw).hexdigest().encode())

    def asked(self):
        """Return how many requests of each kind there were, lists apart."""
        return Counter("LIST" if self.is_list(x) else x.method for x in self.server.requests)

    def is_list(self, request):
        return request.method == "GET" and request.path.rstrip("/").endswith(("/files", "/o"))


@pytest.fixture(params=["s3", "gcs"])
def world(request):
    with FileServer() as source:
        if request.param == "s3":
            with S3Server() as server:
                yield World(source, server, S3Store(server.client(), HttpClient(), "files"))
            return
        with GCSServer() as server:
            client = server.client()
            yield World(source, server, GCSStore(client, HttpClient(), "files"))
            client.close()


def states(outcomes):
    return Counter(x.state for x in outcomes)


def looks(world):
    """What a look at files that were copied by us costs."""
    if isinstance(world.server, S3Server):
        return Counter(HEAD=len(NAMES), LIST=1)
    return Counter(LIST=1)


def test_no_change_costs_a_head_for_each_file_or_a_listing(world):
    """No write, and nothing is read: of the side-cars the listing tells enough."""
    assert states(world.run()) == {State.COPIED: len(NAMES)}
    world.record = None
    outcomes = world.run()
    assert states(outcomes) == {State.PRESENT: len(NAMES)}
    assert world.asked() == looks(world)
    assert world.source.requests == []
    assert sum(x.cost.requests for x in outcomes) == len(world.server.requests)


def test_a_large_bucket_costs_no_more_than_its_pages(world):
    """Thousands of files of others between ours are skipped."""
    world.run()
    for folder in ("binaries/kops/1.35", "binaries/kops/zzz", "release/v1.33.0", "zoo"):
        for number in range(1500):
            world.put(f"{folder}/{number:05}", b"x")
    world.plan()
    assert world.asked()["LIST"] <= 3
    assert set(world.asked()) == set(looks(world))


def test_what_kops_has_copied_is_adopted(world):
    """Read once, in place, remembered, and never uploaded."""
    world.put_all()
    before = dict(world.objects)
    assert len(world.plan().to_copy) == len(NAMES)
    outcomes = world.run()
    assert states(outcomes) == {State.PRESENT: len(NAMES)}
    assert sum(x.cost.sent for x in outcomes) == 0
    assert world.source.requests == []
    assert states(world.run()) == {State.PRESENT: len(NAMES)}
    assert world.asked() == looks(world)
    assert dict(world.objects) == before


def test_an_adopted_file_that_changed_is_read_again(world):
    """What was remembered is that of other bytes; wrong ones are replaced."""
    world.put_all()
    world.run()
    world.put(NAMES[0], FILES[NAMES[0]].swapcase())
    world.run()
    assert world.objects[f"mirror/{NAMES[0]}"].data == FILES[NAMES[0]]
    assert states(world.run()) == {State.PRESENT: len(NAMES)}


def test_a_lost_record_costs_requests_alone(world):
    """Adopted files are read again, and right all the same."""
    world.put_all()
    world.run()
    world.record = None
    outcomes = world.run()
    assert states(outcomes) == {State.PRESENT: len(NAMES)}
    assert sum(x.cost.sent for x in outcomes) == 0


@pytest.mark.parametrize("adopted", [False, True])
def test_what_is_wrong_is_found_and_told(world, adopted, caplog):
    """Missing, truncated, another file, no side-car, wrong side-car: each by its name."""
    if adopted:
        world.put_all()
    world.run()
    missing, truncated, other, bare, wrong, *_ = NAMES
    del world.objects[f"mirror/{missing}"]
    world.put(truncated, FILES[truncated][:-3])
    world.put(other, FILES[other].swapcase())
    del world.objects[f"mirror/{bare}.sha256"]
    world.put(f"{wrong}.sha256", b"0" * 64)
    caplog.clear()
    with caplog.at_level(logging.INFO, "kops_assets_provider.mirror.plan.files"):
        plan = world.plan()
    canonicals = [f"{world.source.url}/{x}" for x in (missing, truncated, other, bare, wrong)]
    assert [x.canonical for x in plan.to_copy] == canonicals
    size = len(FILES[truncated])
    reasons = [x.partition(": ")[2] for x in caplog.messages]
    assert sorted(reasons) == sorted(
        [
            "it is missing",
            f"it is truncated: {size - 3} of {size} bytes",
            "no hash is kept with it: it is read, and replaced if it is wrong",
            "its side-car (.sha256) is missing or wrong",
            "its side-car (.sha256) is missing or wrong",
        ]
    )
    found = world.check()
    assert [x.state for x in found] == [State.MISSING, *[State.WRONG] * 4, *[State.PRESENT] * 2]
    actual, expected = (
        hashlib.sha256(x).hexdigest() for x in (FILES[other].swapcase(), FILES[other])
    )
    assert found[2].problem.message == (
        f"it is another file: sha256 {actual} instead of {expected}"
    )
    world.run()
    assert {x.state for x in world.check(deep=True)} == {State.PRESENT}


def test_deep_reads_everything(world):
    """Every file and side-car, whatever is kept with it."""
    world.run()
    world.server.clear()
    assert {x.state for x in world.check(deep=True)} == {State.PRESENT}
    if isinstance(world.server, S3Server):
        assert world.asked() == Counter(HEAD=len(NAMES), GET=2 * len(NAMES))
    else:
        # Google's client asks for an object's description before it reads it.
        assert world.asked() == Counter(GET=(1 + 2 * 2) * len(NAMES))


def test_deep_finds_what_a_kept_hash_hides(world):
    """Bytes that have rotten under a hash that was right once."""
    world.run()
    key = f"mirror/{NAMES[0]}"
    kept = {
        k: getattr(world.objects[key], k)
        for k in ("sha256", "metadata")
        if hasattr(world.objects[key], k)
    }
    world.server.put("files", key, FILES[NAMES[0]].swapcase(), **kept)
    assert world.plan().to_copy == ()
    assert world.check(deep=True)[0].state is State.WRONG
    outcomes = world.run(deep=True)
    assert states(outcomes) == {State.COPIED: 1, State.PRESENT: len(NAMES) - 1}
    assert world.objects[key].data == FILES[NAMES[0]]


def test_whoever_may_not_list_asks_for_each(world, caplog):
    """It is said, it costs requests, and nothing else."""
    world.run()
    world.server.clear()
    world.server.inject(denied(world))
    assert plan_files(world.assets, world.stores).to_copy == ()
    assert "they cannot be listed" in caplog.text
    assert world.asked()["LIST"] == 1
    files = world.asked()
    assert files["HEAD"] + files["GET"] <= 3 * len(NAMES)


def denied(world):
    path = "/files/?$" if isinstance(world.server, S3Server) else "/o/?$"
    return Fault("GET", path=path, status=403, times=None)


def test_a_report_is_served_as_what_it_is(world):
    """A browser shows a page, and saves a binary."""
    for name in ("report.html", "report.json", "kubelet"):
        world.store.write(name, Content.of("test", b"x"))
    types = {k: v.content_type for k, v in world.objects.items()}
    assert types == {
        "report.html": "text/html; charset=utf-8",
        "report.json": "application/json",
        "kubelet": "application/octet-stream",
    }


def test_keys_of_kms_hide_the_md5():
    """Where an ETag is no MD5, a side-car is read once and then known by its version."""
    with FileServer() as source, S3Server() as server:
        options = S3Options(server_side_encryption="aws:kms", kms_key="alias/k")
        world = World(source, server, S3Store(server.client(), HttpClient(), "files", options))
        world.run()
        assert states(world.run()) == {State.PRESENT: len(NAMES)}
        assert world.asked() == looks(world) + Counter(GET=len(NAMES))
        assert states(world.run()) == {State.PRESENT: len(NAMES)}
        assert world.asked() == looks(world)


def test_google_s_options_travel_with_the_session():
    """The key, the ACL and the project that pays."""
    with FileServer() as source, GCSServer() as server:
        options = GCSOptions(
            kms_key="projects/p/locations/l/keyRings/r/cryptoKeys/k",
            predefined_acl="publicRead",
            user_project="payer",
        )
        client = server.client()
        world = World(source, server, GCSStore(client, HttpClient(), "files", options))
        world.run()
        stored = world.objects[f"mirror/{NAMES[0]}"]
        assert (stored.kms_key, stored.predefined_acl) == (options.kms_key, "publicRead")
        opened = [x for x in server.requests if x.method != "PUT" and "/o" in x.path]
        assert opened
        assert [x.path for x in opened if "userProject=payer" not in x.query] == []
        client.close()
