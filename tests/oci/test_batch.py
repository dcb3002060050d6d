"""Copying images together: each blob once, and no image waits for another to finish."""

import hashlib
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import cache
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    NotFoundError,
    PermanentError,
    ServerFailedError,
    Side,
    StoppedError,
)
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.images import copy_planned_images, plan_images
from kops_assets_provider.mirror.outcome import State
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.batch import copy_images
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.manifest import OCI_INDEX, OCI_MANIFEST, parse_manifest
from kops_assets_provider.oci.memory import MemoryRegistry, MemoryRepository
from kops_assets_provider.oci.profile import GENERIC, Profile
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.retries import Retries
from kops_assets_provider.oci.tree import read_tree
from kops_assets_provider.testing.images import make_image, put_image
from kops_assets_provider.testing.messages import Fault
from kops_assets_provider.testing.oci_registry import BasicAuth, OciRegistryServer, Quirks
from kops_assets_provider.testing.pull import pull_image

PLATFORM = ["linux/amd64"]
ECR = Profile(mounts_published=True)


def quick():
    return Retries(first_wait_seconds=0.001)


# Images in memory: tiny, and as their test wants them.


def descriptor(data, media_type="application/x"):
    return {"mediaType": media_type, "digest": Digest.of(data), "size": len(data)}


def tiny(*layers):
    """Return an image's manifest and blobs; the first layer is its config."""
    config, *rest = [x if isinstance(x, bytes) else x.encode() for x in layers]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    document |= {"config": descriptor(config), "layers": [descriptor(x) for x in rest]}
    raw = json.dumps(document).encode()
    return {"root": parse_manifest(raw, ""), "blobs": {Digest.of(x): x for x in (config, *rest)}}


def tiny_index(*images):
    """Return an index of images, with all that is below it."""
    children = [x["root"] for x in images]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    document["manifests"] = [descriptor(x.raw, x.media_type) for x in children]
    root = parse_manifest(json.dumps(document).encode(), "")
    blobs = {k: v for x in images for k, v in x["blobs"].items()}
    return {"root": root, "blobs": blobs, "children": children}


class Faulty(MemoryRepository):
    """A repository where some things fail, and some take until an event."""

    def __init__(self, name="memory", registry=None):
        super().__init__(name, registry)
        self.fails = {}
        self.waits = {}
        self.opened = Counter()
        self.asked = Counter()

    def _pass(self, what):
        if what in self.waits:
            assert self.waits[what].wait(20), f"{what} was waited for in vain"
        if what in self.fails:
            raise self.fails[what]

    @contextmanager
    def open_blob(self, blob, offset=0):
        self._pass(blob.digest)
        self.opened[blob.digest] += 1
        with super().open_blob(blob, offset) as chunks:
            yield chunks

    def push_blob(self, blob, *args, **options):
        self._pass(blob.digest)
        self.asked[blob.digest] += 1
        return super().push_blob(blob, *args, **options)

    def push_manifest(self, reference, manifest):
        self._pass(reference)
        super().push_manifest(reference, manifest)


class Registry(MemoryRegistry):
    def __missing__(self, name):
        self[name] = Faulty(name, self)
        return self[name]


def source_of(image):
    source = Faulty("source")
    source.blobs = dict(image["blobs"])
    for x in (*image.get("children", ()), image["root"]):
        source.manifests[x.digest] = x
    return source


def job_of(image, target, tag="1", **options):
    source = source_of(image)
    root = image["root"]
    return ImageJob(source, target, tag, read_tree(source, root, root.digest), **options)


def run(jobs, **options):
    return copy_images(jobs, **{"retries": quick(), **options})


def errors(results):
    return [x.error and type(x.error) for x in results]


def is_whole(target, tag, image):
    """Tell whether all that the tag leads to is there and hashes to its digest."""
    found = target.manifests.get(tag)
    return (
        found is not None
        and found.digest == image["root"].digest
        and all(target.manifests[x.digest].raw == x.raw for x in image.get("children", ()))
        and all(target.blobs.get(k) == v for k, v in image["blobs"].items())
    )


def test_each_blob_crosses_once():
    """However many images of a registry share a blob, its bytes are read and sent once."""
    registry = Registry()
    images = [tiny(f"config {n}", "base" * 99, "more") for n in range(5)]
    jobs = [job_of(x, registry[f"r{n}"]) for n, x in enumerate(images)]
    results = run(jobs)
    assert errors(results) == [None] * 5
    opened = sum((x.source.opened for x in jobs), Counter())
    assert set(opened.values()) == {1}
    assert all(is_whole(x.target, "1", y) for x, y in zip(jobs, images, strict=True))
    assert [x.mounts for x in results] == [0, 2, 2, 2, 2]
    assert [x.mounted for x in results] == [0, *[len("base" * 99) + len("more")] * 4]
    assert [x.late for x in results] == [0] * 5


@pytest.fixture
def servers():
    with OciRegistryServer() as source, OciRegistryServer() as target:
        yield source, target


@cache
def http_client():
    # To read the system's authorities takes longer than most copies here.
    return HttpClient(stall_seconds=20)


def client(server, side=Side.TARGET, login=None):
    return RegistryClient(http_client(), server.url, login, side)


def remote_jobs(source, target, *images, profile=GENERIC, **options):
    """Return jobs for images of a real-enough registry; ``target`` is a client."""
    jobs = []
    from_client = client(source, Side.SOURCE)
    for name, image in images:
        put_image(source, name, image)
        there = RemoteRepository(from_client, name)
        tree = read_tree(there, there.fetch_manifest(image.digest), image.digest)
        to = RemoteRepository(target, f"kops/{name}", profile)
        jobs.append(ImageJob(there, to, "1", tree, **options))
    source.clear()
    return jobs


def gets(source):
    """Count the reads of each blob."""
    paths = [x.path for x in source.requests if x.method == "GET" and "/blobs/" in x.path]
    return Counter(x.rpartition("/")[2] for x in paths)


def named(*names, **options):
    options = {"platforms": PLATFORM, "layers": 3, "base_layers": 2, **options}
    return [(x, make_image(x, **options)) for x in names]


def test_each_blob_is_read_once_from_a_real_source(servers):
    """One GET at the source for each blob of a whole list; the others are mounted."""
    source, target = servers
    images = named("one", "two", "three", "four")
    for name, image in images:
        put_image(source, f"{name}:1", image)
    assets = [ImageAsset(f"{source.host}/{x}:1", f"{target.host}/kops/{x}:1") for x, _ in images]
    registries = Registries()
    plan = plan_images(assets, registries)
    outcomes = copy_planned_images(plan.to_copy, registries, retries=quick())
    distinct = {digest for _, x in images for digest in x.blobs}
    assert gets(source) == dict.fromkeys(distinct, 1)
    assert {x.state for x in outcomes} == {State.COPIED}
    assert sorted(x.mounts for x in outcomes) == [0, 2, 2, 2]
    for name, image in images:
        assert pull_image(target.url, f"kops/{name}", "1") == image


@pytest.mark.parametrize("how", ["registries", "credentials"])
def test_nothing_is_shared_across_registries_or_users(how):
    """Mounts stay in one registry, as one user: others may not see what is there."""
    auth = BasicAuth("robot", "secret")
    login = Login("robot", "secret")
    with (
        OciRegistryServer() as source,
        OciRegistryServer(auth=auth) as first,
        OciRegistryServer(auth=auth) as second,
    ):
        images = named("one", "two")
        other = second if how == "registries" else first
        clients = [client(x, login=login) for x in (first, other)]
        jobs = [
            job
            for image, to in zip(images, clients, strict=True)
            for job in remote_jobs(source, to, image)
        ]
        assert jobs[0].target.registry != jobs[1].target.registry
        assert errors(run(jobs)) == [None, None]
        shared = set(images[0][1].blobs) & set(images[1][1].blobs)
        assert {gets(source)[x] for x in shared} == {2}
        starts = [x for y in (first, second) for x in y.requests if x.method == "POST"]
        for x in starts:
            own = x.path.removeprefix("/v2/").partition("/blobs/")[0]
            assert parse_qs(x.query)["from"] == [own]


def test_repositories_of_one_registry_share_as_one_user(servers):
    """The second image's request names the first one's repository."""
    source, target = servers
    jobs = remote_jobs(source, client(target), *named("one", "two"))
    results = run(jobs)
    assert [x.mounts for x in results] == [0, 2]
    mounts = [x for x in target.requests if "from=kops%2Fone" in x.query and "two" in x.path]
    assert [x.status for x in mounts] == [201, 201]


def test_a_leader_that_fails_hands_over():
    """The next one that needs its blobs uploads them, and the rest follow that one."""
    registry = Registry()
    images = [tiny(f"config {n}", "shared") for n in range(4)]
    jobs = [job_of(x, registry[f"r{n}"]) for n, x in enumerate(images)]
    registry["r0"].fails[Digest.of(b"shared")] = AccessDeniedError("no")
    results = run(jobs)
    assert errors(results) == [AccessDeniedError, None, None, None]
    assert [x.mounts for x in results] == [0, 0, 1, 1]
    assert "1" not in registry["r0"].manifests


def test_a_leader_hands_over_to_one_that_has_not_failed():
    """A follower that failed meanwhile is passed over: it would keep the others waiting."""
    registry = Registry()
    shared = Digest.of(b"shared")
    images = [tiny(f"config {n}", "shared") for n in range(4)]
    jobs = [job_of(x, registry[f"r{n}"]) for n, x in enumerate(images)]
    # The second has failed when the first fails.
    second_failed = threading.Event()
    registry["r0"].waits[shared] = second_failed
    registry["r0"].fails[shared] = AccessDeniedError("first")
    registry["r1"].fails[Digest.of(b"config 1")] = NotFoundError("second")

    def done(job, result):
        if job is jobs[1]:
            second_failed.set()

    results = run(jobs, on_done=done)
    assert errors(results) == [AccessDeniedError, NotFoundError, None, None]
    assert all(is_whole(registry[f"r{n}"], "1", images[n]) for n in (2, 3))


def test_all_that_share_a_blob_may_fail():
    """Each is told its own error, and the batch ends."""
    registry = Registry()
    jobs = [job_of(tiny(f"config {n}", "shared"), registry[f"r{n}"]) for n in range(4)]
    for n in range(4):
        registry[f"r{n}"].fails[Digest.of(b"shared")] = AccessDeniedError(f"{n}")
    assert [str(x.error) for x in run(jobs)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("where", ["source blob", "target blob", "child", "tag"])
def test_one_bad_image_does_not_stop_others(where):
    """Whatever is wrong with it, and whether it leads or follows."""
    for bad in range(3):
        registry = Registry()
        images = [tiny_index(tiny(f"config {n}", "shared", f"own {n}")) for n in range(3)]
        jobs = [job_of(x, registry[f"r{n}"]) for n, x in enumerate(images)]
        repository = jobs[bad].source if where == "source blob" else registry[f"r{bad}"]
        child = images[bad]["children"][0].digest
        what = {"child": child, "tag": "1"}.get(where, Digest.of(f"own {bad}".encode()))
        repository.fails[what] = PermanentError("bad")
        results = run(jobs)
        assert [x.error is not None for x in results] == [n == bad for n in range(3)]
        for n in range(3):
            assert is_whole(registry[f"r{n}"], "1", images[n]) == (n != bad)
        assert "1" not in registry[f"r{bad}"].manifests


def test_two_tags_in_one_repository():
    """What one of them brought is there for the other, without a request."""
    registry = Registry()
    old, new = tiny("old", "shared"), tiny("new", "shared")
    jobs = [job_of(old, registry["r"], "old"), job_of(new, registry["r"], "new")]
    results = run(jobs)
    assert errors(results) == [None, None]
    assert is_whole(registry["r"], "old", old)
    assert is_whole(registry["r"], "new", new)
    assert [x.mounts for x in results] == [0, 0]
    assert results[1].sent == len("new")
    assert set(registry["r"].asked.values()) == {1}


@pytest.mark.parametrize("workers", [1, 4])
def test_images_that_share_everything(workers):
    """One uploads all, the others upload nothing."""
    registry = Registry()
    image = tiny("config", "a", "b", "c")
    jobs = [job_of(image, registry[f"r{n}"]) for n in range(4)]
    results = run(jobs, workers=workers)
    assert errors(results) == [None] * 4
    assert [x.sent for x in results[1:]] == [0, 0, 0]
    assert all(is_whole(registry[f"r{n}"], "1", image) for n in range(4))


def test_an_image_without_blobs():
    """An index of nothing is published all the same, also beside others."""
    registry = Registry()
    empty = tiny_index()
    jobs = [job_of(empty, registry["r0"]), job_of(tiny("config"), registry["r1"])]
    assert errors(run(jobs)) == [None, None]
    assert is_whole(registry["r0"], "1", empty)
    assert run([]) == []


def test_an_image_with_an_empty_blob(servers):
    """Nothing is sent as such: a PUT without a body."""
    empty = tiny("{}", b"")
    target = RemoteRepository(client(servers[1]), "kops/app")
    job = job_of(empty, target)
    assert errors(run([job])) == [None]
    assert target.has_blob(Digest.of(b""), "kops/app")


def test_children_come_before_the_index_and_the_tag_last():
    """Of each image, whatever is done at the same time for others."""
    registry = Registry()
    images = [tiny_index(tiny(f"a{n}", "shared"), tiny(f"b{n}")) for n in range(4)]
    run([job_of(x, registry[f"r{n}"]) for n, x in enumerate(images)])
    for n, image in enumerate(images):
        pushed = registry[f"r{n}"].pushed
        children = [x.digest for x in image["children"]]
        assert pushed[-3:] == [*children, "1"]
        assert set(pushed[:-3]) <= set(image["blobs"])


def test_an_image_is_visible_as_soon_as_it_is_whole():
    """While another one still copies: nodes can pull it."""
    registry = Registry()
    early, late = tiny("early"), tiny("late", "large" * 99)
    jobs = [job_of(late, registry["late"]), job_of(early, registry["early"])]
    is_early_done = threading.Event()
    jobs[0].source.waits[Digest.of(b"large" * 99)] = is_early_done
    seen = []

    def done(job, result):
        seen.append(
            (job.target.name, registry["early"].resolve("1"), registry["late"].resolve("1"))
        )
        is_early_done.set()

    assert errors(run(jobs, workers=2, on_done=done)) == [None, None]
    assert seen[0] == ("early", early["root"].digest, None)


def test_what_others_wait_for_goes_first():
    """Then the largest; what another process is uploading last."""
    registry = Registry()
    registry["other"].blobs[Digest.of(b"awaited" * 100)] = b"awaited" * 100
    image = tiny("config", "awaited" * 100, "large" * 50, "wanted")
    job = job_of(
        image,
        registry["r"],
        mounts={Digest.of(b"awaited" * 100): "other"},
        wanted=frozenset({Digest.of(b"wanted")}),
    )
    (result,) = run([job], workers=1)
    expected = [b"wanted", b"large" * 50, b"config"]
    assert registry["r"].pushed[:3] == [Digest.of(x) for x in expected]
    assert (result.mounts, result.late) == (1, 0)


# Registries that mount only what a manifest names (ECR).


@pytest.fixture
def ecr(servers):
    quirks = Quirks(mount_needs_manifest=True)
    with OciRegistryServer(quirks=quirks) as target:
        yield servers[0], target


@pytest.mark.parametrize("workers", [1, 4])
def test_where_only_published_blobs_are_mounted(ecr, workers):
    """A follower waits until its leader is published, and then sends nothing twice."""
    source, target = ecr
    images = named("one", "two", "three")
    jobs = remote_jobs(source, client(target), *images, profile=ECR)
    results = run(jobs, workers=workers)
    assert errors(results) == [None] * 3
    assert set(gets(source).values()) == {1}
    assert [x.mounts for x in results] == [0, 2, 2]
    requests = target.requests
    tagged = next(n for n, x in enumerate(requests) if x.path == "/v2/kops/one/manifests/1")
    mounted = [n for n, x in enumerate(requests) if "from=kops%2Fone" in x.query]
    followers = [n for n in mounted if "/kops/one/" not in requests[n].path]
    assert len(followers) == 4
    assert min(followers) > tagged
    for name, image in images:
        assert pull_image(target.url, f"kops/{name}", "1") == image


def test_a_leader_that_is_not_published_hands_over(ecr):
    """Its blobs are at the target, and still nobody can mount them."""
    source, target = ecr
    images = named("one", "two", "three")
    jobs = remote_jobs(source, client(target), *images, profile=ECR)
    target.inject(Fault("PUT", "/kops/one/manifests/", status=403, times=None))
    results = run(jobs)
    assert errors(results) == [AccessDeniedError, None, None]
    assert [x.mounts for x in results] == [0, 0, 2]
    for name, image in images[1:]:
        assert pull_image(target.url, f"kops/{name}", "1") == image


def test_a_registry_that_mounts_nothing_gets_all(servers):
    """What could not be mounted is sent by each, and told as late."""
    source, _ = servers
    with OciRegistryServer(quirks=Quirks(refuse_mounts=True)) as target:
        images = named("one", "two")
        jobs = remote_jobs(source, client(target), *images)
        results = run(jobs)
        assert errors(results) == [None, None]
        shared = set(images[0][1].blobs) & set(images[1][1].blobs)
        assert results[1].late == sum(len(images[0][1].blobs[x]) for x in shared)
        assert (results[0].late, results[1].mounted) == (0, 0)


# Stopping.


def timed(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


def test_stop_ends_a_batch_soon(servers):
    """Every image is told, as stopped; no session stays open and no tag is there."""
    source, target = servers
    images = named("one", "two", "three", size=4 << 20)
    jobs = remote_jobs(source, client(target), *images)
    retries, told = quick(), []
    results, seconds = timed(
        lambda: copy_images(
            jobs,
            retries=retries,
            on_chunk=lambda _: retries.stop.set(),
            on_done=lambda job, result: told.append((job, result)),
        )
    )
    assert errors(results) == [StoppedError] * 3
    assert seconds < 2
    assert target.storage.open_uploads == 0
    assert target.count("PUT", "/manifests/") == 0
    assert sorted(map(id, results)) == sorted(id(x) for _, x in told)


def test_a_stopped_run_has_an_outcome_for_each(servers):
    """Those that were not begun have one as well."""
    source, target = servers
    assets = []
    for name, image in named("one", "two", "three"):
        put_image(source, f"{name}:1", image)
        assets.append(ImageAsset(f"{source.host}/{name}:1", f"{target.host}/kops/{name}:1"))
    registries, retries = Registries(), quick()
    plan = plan_images(assets, registries)
    retries.stop.set()
    outcomes = copy_planned_images(plan.to_copy, registries, retries=retries)
    assert [x.error["type"] for x in outcomes] == ["StoppedError"] * 3


class Noticing(OciRegistryServer):
    """A registry that does something at a request, before it answers."""

    def notice(self, request):
        """Look at a request."""

    def answer(self, request):
        self.notice(request)
        return super().answer(request)


def test_stop_ends_every_wait(servers):
    """That between two tries, and that for a blob which another process is to bring."""
    source, _ = servers
    with Noticing() as target:
        retries = Retries(first_wait_seconds=1000, max_wait_seconds=1000)

        def notice(request):
            if request.method == "HEAD":
                retries.stop.set()

        (job,) = remote_jobs(source, client(target), *named("one"))
        hints = dict.fromkeys((x.digest for x in job.tree.blobs[:1]), "kops/other")
        job = ImageJob(job.source, job.target, "1", job.tree, hints)
        target.notice = notice
        target.inject(Fault("PUT", "/uploads/.", status=503, times=1))
        results, seconds = timed(lambda: copy_images([job], retries=retries))
        assert results[0].error is not None
        assert seconds < 2
        assert target.storage.open_uploads == 0


@pytest.mark.parametrize("error", [StoppedError("enough"), ValueError("what"), PermanentError("x")])
def test_what_on_chunk_raises_is_the_images_error(servers, error):
    """It ends the copy within a chunk, and its sessions are closed."""
    source, target = servers
    (job,) = remote_jobs(source, client(target), *named("one", size=4 << 20))

    def raises(size):
        if size:
            raise error

    (result,), seconds = timed(lambda: run([job], on_chunk=raises))
    assert result.error is error
    assert seconds < 2
    assert target.storage.open_uploads == 0


class Killed(BaseException):
    """What Airflow raises when a task has taken too long is no Exception either."""


@pytest.mark.parametrize("workers", [1, 4])
def test_what_is_no_exception_ends_everything(servers, workers):
    """It is raised at once, the other images are stopped, and none is told to be copied."""
    source, target = servers
    jobs = remote_jobs(source, client(target), *named("one", "two", "three", size=4 << 20))
    retries, told = quick(), []

    def killed(size):
        if size and not retries.stop.is_set():
            raise Killed

    began = time.monotonic()
    with pytest.raises(Killed):
        copy_images(
            jobs,
            workers=workers,
            retries=retries,
            on_chunk=killed,
            on_done=lambda job, result: told.append(result.error),
        )
    assert time.monotonic() - began < 2
    assert retries.stop.is_set()
    assert None not in told
    assert target.storage.open_uploads == 0
    assert target.count("PUT", "/manifests/") == 0


def test_what_on_done_raises_is_raised():
    """It is no image's failure."""
    registry = Registry()
    jobs = [job_of(tiny(f"config {n}"), registry[f"r{n}"]) for n in range(3)]

    def fails(job, result):
        raise ValueError("nobody listens")

    with pytest.raises(ValueError, match="nobody listens"):
        run(jobs, on_done=fails)


# Blobs that another process is uploading.


def hinted(job, count=1, repository="kops/other"):
    hints = {x.digest: repository for x in job.tree.blobs[:count]}
    return ImageJob(job.source, job.target, "1", job.tree, hints)


def test_a_blob_that_comes_is_mounted(servers):
    """It is waited for, and not read at the source."""
    source, _ = servers
    (name, image), *_ = named("one")
    with Noticing() as target:
        (job,) = remote_jobs(source, client(target), (name, image))
        job = hinted(job)
        awaited = job.tree.blobs[0]

        def notice(request):
            if request.method == "HEAD" and "/other/" in request.path:
                target.storage.put_blob("kops/other", image.blobs[awaited.digest])

        target.notice = notice
        (result,) = run([job])
        assert (result.mounts, result.mounted, result.late) == (1, awaited.size, 0)
        assert gets(source)[awaited.digest] == 0
        assert pull_image(target.url, "kops/one", "1") == image
        assert target.storage.open_uploads == 0


def test_a_blob_that_never_comes_is_sent(servers):
    """After ``patience_seconds``, and is told as late."""
    source, target = servers
    (job,) = remote_jobs(source, client(target), *named("one"))
    job = hinted(job)
    (result,), seconds = timed(lambda: run([job], patience_seconds=0.6))
    assert result.error is None
    assert 0.6 <= seconds < 5
    assert result.late == job.tree.blobs[0].size
    assert (result.mounts, result.sent) == (0, sum(x.size for x in job.tree.blobs))
    assert target.storage.open_uploads == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_blobs_that_never_come_are_waited_for_together(servers, workers):
    """The patience with a process that has died is not multiplied by its blobs."""
    source, target = servers
    (job,) = remote_jobs(source, client(target), *named("one", layers=20))
    job = hinted(job, len(job.tree.blobs))
    (result,), seconds = timed(lambda: run([job], patience_seconds=0.5, workers=workers))
    assert result.error is None
    assert seconds < 5
    assert target.count("HEAD", "/other/") <= 3 * workers


def test_patience_is_not_had_again_with_each_try(servers):
    """A PUT that fails is tried again without another wait."""
    source, target = servers
    (job,) = remote_jobs(source, client(target), *named("one"))
    job = hinted(job)
    target.inject(Fault("PUT", "/uploads/", status=500, times=3))
    (result,) = run([job], patience_seconds=0.4, workers=1)
    assert result.error is None
    assert target.count("HEAD", "/other/") <= 2


@pytest.mark.parametrize(("status", "looks"), [(401, 1), (403, 1), (400, 1), (500, 2), (429, 2)])
def test_a_look_that_fails_is_no_failure(servers, status, looks):
    """A hint may be wrong at no cost: what cannot be seen is sent."""
    source, target = servers
    (job,) = remote_jobs(source, client(target), *named("one"))
    challenge = {"WWW-Authenticate": 'Basic realm="x"'} if status == 401 else {}
    target.inject(Fault("HEAD", "/other/", status=status, headers=challenge, times=None))
    (result,) = run([hinted(job)], patience_seconds=0.6)
    assert result.error is None
    assert target.count("HEAD", "/other/") == looks
    assert target.storage.open_uploads == 0


def test_a_session_is_closed_when_the_wait_for_a_blob_is_broken_off(servers):
    """Another blob of the image fails meanwhile."""
    source, target = servers
    (job,) = remote_jobs(source, client(target), *named("one"))
    job = hinted(job)
    target.inject(Fault("PUT", "/uploads/", status=403, times=None))
    (result,), seconds = timed(lambda: run([job], workers=4))
    assert type(result.error) is AccessDeniedError
    assert seconds < 5
    assert target.storage.open_uploads == 0


def test_two_processes_that_wait_for_each_other_end(servers):
    """Each uploads what the other wants before it waits."""
    source, target = servers
    images = named("one", "two", layers=2, base_layers=2)
    base = sorted(set(images[0][1].blobs) & set(images[1][1].blobs))
    jobs = []
    for (name, image), mine, theirs in zip(images, base, reversed(base), strict=True):
        (job,) = remote_jobs(source, client(target), (name, image))
        other = "kops/two" if name == "one" else "kops/one"
        hints = {Digest(theirs): other}
        jobs.append(
            ImageJob(job.source, job.target, "1", job.tree, hints, frozenset({Digest(mine)}))
        )
    results = {}

    def process(number):
        (results[number],) = run([jobs[number]], workers=1, patience_seconds=20)

    threads = [threading.Thread(target=process, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [(x.error, x.mounts, x.late) for x in results.values()] == [(None, 1, 0)] * 2


def test_where_only_a_published_image_gives_blobs_its_whole_task_is_waited_for():
    """ECR: that the blob is there is not enough, so until then nothing is sent a second time."""
    one, two = (make_image(x, platforms=PLATFORM, layers=2) for x in ("one", "two"))
    (shared,) = set(one.blobs) & set(two.blobs)
    with (
        OciRegistryServer() as source,
        OciRegistryServer(quirks=Quirks(mount_needs_manifest=True)) as target,
    ):
        target.storage.put_blob("kops/one", one.blobs[shared])
        (job,) = remote_jobs(source, client(target), ("two", two), profile=ECR)
        job = ImageJob(job.source, job.target, "1", job.tree, {Digest(shared): "kops/one"})
        asked = []

        def is_coming(repository):
            asked.append(repository)
            if len(asked) == 2:
                put_image(target, "kops/one:1", one)
            return len(asked) < 2

        (result,) = run([job], is_coming=is_coming)
    assert (result.error, result.mounts, result.late) == (None, 1, 0)
    assert asked == ["kops/one"] * 2


# Any graph, any failure.

BLOBS = st.integers(0, 5)
IMAGES = st.lists(
    st.tuples(
        st.lists(st.lists(BLOBS, max_size=4), min_size=1, max_size=3),  # children, their blobs
        st.integers(0, 3),  # repository
        st.sets(BLOBS, max_size=2),  # blobs that the source does not give
        st.sets(BLOBS, max_size=2),  # blobs that the target does not take
        st.booleans(),  # the tag is refused
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150)
@given(
    images=IMAGES,
    workers=st.integers(1, 4),
    published=st.booleans(),
)
def test_any_batch_ends_as_it_must(images, workers, published):
    """An image fails by its own failures alone, and has no tag; any other is whole."""
    registry = Registry()
    jobs, made, doomed = [], [], []
    for number, (children, repository, not_given, not_taken, is_refused) in enumerate(images):
        image = tiny_index(*[tiny("config", *map(str, blobs)) for blobs in children])
        target = Faulty(f"r{repository}", registry)
        # Repositories of one name have one content, and each image failures of its own.
        target.__dict__ |= {k: registry[f"r{repository}"].__dict__[k] for k in SHARED}
        target.mounts_published = published
        job = job_of(image, target, f"tag{number}")
        job.source.fails = {Digest.of(str(x).encode()): PermanentError("gone") for x in not_given}
        target.fails = {Digest.of(str(x).encode()): PermanentError("no") for x in not_taken}
        if is_refused:
            target.fails[job.push_as] = PermanentError("never")
        own = {str(x) for blobs in children for x in blobs}
        doomed.append(is_refused or bool(own & {str(x) for x in not_taken}))
        jobs.append(job)
        made.append(image)
    told = []
    results = run(jobs, workers=workers, on_done=lambda job, result: told.append(id(result)))
    assert sorted(told) == sorted(map(id, results))
    for job, image, result, is_doomed in zip(jobs, made, results, doomed, strict=True):
        may_fail = is_doomed or bool(set(job.source.fails) & set(image["blobs"]))
        assert result.error is None or may_fail
        assert not (is_doomed and result.error is None) or is_there_by_another(job, jobs)
        assert is_whole(job.target, job.push_as, image) == (result.error is None)
        assert (job.push_as in job.target.manifests) == (result.error is None)


SHARED = ("blobs", "manifests", "pushed")


def is_there_by_another(job, jobs):
    """A blob that another image of the same repository brought is not pushed again."""
    return sum(x.target.name == job.target.name for x in jobs) > 1


@settings(max_examples=15)
@given(
    names=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4),
    workers=st.integers(1, 4),
    faults=st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST", "PUT"]), st.integers(0, 12), st.sampled_from([403, 503])
        ),
        max_size=3,
    ),
)
def test_any_batch_over_the_wire_ends_as_it_must(names, workers, faults):
    """The same, where requests fail: whole or without a tag, and no session is left."""
    with OciRegistryServer() as source, OciRegistryServer() as target:
        images = [
            (f"{n}/{x}", make_image(f"{n % 2}{x}", platforms=PLATFORM, size=200))
            for n, x in enumerate(names)
        ]
        jobs = remote_jobs(source, client(target), *images)
        for method, skip, status in faults:
            server = source if method == "GET" else target
            path = "/blobs/" if method == "GET" else ""
            server.inject(Fault(method, path, skip=skip, status=status, times=2))
        results = run(jobs, workers=workers)
        source.clear_faults()
        target.clear_faults()
        for (name, image), result in zip(images, results, strict=True):
            expected = None if result.error else image
            assert pull_image(target.url, f"kops/{name}", "1") == expected
            assert result.error is None or isinstance(
                result.error, (AccessDeniedError, ServerFailedError)
            )
        assert target.storage.open_uploads == 0
        again = run(jobs, workers=workers)
        assert errors(again) == [None] * len(jobs)


def test_a_digest_of_another_algorithm_is_shared_as_well():
    """SHA-512 names blobs too."""
    data = b"layer"
    config = b"{}"
    long = f"sha512:{hashlib.sha512(data).hexdigest()}"
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config),
        "layers": [{"mediaType": "application/x", "digest": long, "size": len(data)}],
    }
    root = parse_manifest(json.dumps(document).encode(), "")
    image = {"root": root, "blobs": {Digest.of(config): config, Digest(long): data}}
    registry = Registry()
    jobs = [job_of(image, registry[f"r{n}"]) for n in range(2)]
    assert errors(run(jobs)) == [None, None]
    assert is_whole(registry["r1"], "1", image)
