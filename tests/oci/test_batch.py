"""Copying images together: each blob once, and no image waits for another to finish."""

import json
import threading
from collections import Counter
from urllib.parse import parse_qs

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    NotFoundError,
    PermanentError,
)
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import parse_manifest
from kops_assets_provider.oci.remote import RemoteRepository
from tests.copies import copy_planned_images
from tests.oci.batches import (
    ECR,
    Registry,
    client,
    errors,
    gets,
    is_whole,
    job_of,
    named,
    quick,
    remote_jobs,
    run,
    tiny,
    tiny_index,
)
from tests.support.images import put_image
from tests.support.messages import Fault
from tests.support.oci_registry import BasicAuth, OciRegistryServer, Quirks
from tests.support.pull import pull_image


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


def test_each_blob_is_read_once_from_a_real_source(servers):
    """One GET at the source for each blob of a whole list; the others are mounted."""
    source, target = servers
    images = named("one", "two", "three", "four")
    for name, image in images:
        put_image(source, f"{name}:1", image)
    assets = [
        ImageAsset(canonical=f"{source.host}/{x}:1", download=f"{target.host}/kops/{x}:1")
        for x, _ in images
    ]
    registries = Registries()
    plan = plan_images(assets, registries)
    outcomes = copy_planned_images(plan.to_copy, registries, retries=quick())
    distinct = {digest for _, x in images for digest in x.blobs}
    assert gets(source) == dict.fromkeys(distinct, 1)
    assert {x.state for x in outcomes} == {State.COPIED}
    assert sorted(x.cost.mounts for x in outcomes) == [0, 2, 2, 2]
    for name, image in images:
        assert pull_image(target.url, f"kops/{name}", "1") == image


@pytest.mark.parametrize("how", ["registries", "credentials"])
def test_nothing_is_shared_across_registries_or_users(how):
    """Mounts stay in one registry, as one user: others may not see what is there."""
    auth = BasicAuth("robot", "secret")
    login = Login(username="robot", password="secret")
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


def test_an_image_whose_blobs_are_all_there():
    """Nothing is to be uploaded, so it is published at once, also beside others."""
    registry = Registry()
    image = tiny("config")
    registry["r0"].blobs |= image["blobs"]
    jobs = [
        job_of(image, registry["r0"], has=frozenset(image["blobs"])),
        job_of(tiny("other config"), registry["r1"]),
    ]
    assert errors(run(jobs)) == [None, None]
    assert is_whole(registry["r0"], "1", image)
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


def test_a_blob_of_another_size_is_not_shared():
    """An image that is wrong about a blob's size fails, although another one has uploaded it."""
    image, liar = tiny("config", "layer"), tiny("config", "layer")
    document = json.loads(image["root"].raw)
    document["layers"][0]["size"] += 1
    liar["root"] = parse_manifest(json.dumps(document).encode(), "")
    registry = Registry()
    results = run([job_of(image, registry["r0"]), job_of(liar, registry["r1"])])
    assert errors(results)[0] is None
    assert isinstance(results[1].error, ChecksumMismatchError)
    assert "1" not in registry["r1"].manifests
