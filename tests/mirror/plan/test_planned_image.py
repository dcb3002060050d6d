"""What a plan hands to the tasks: little, and what it leaves out costs only bytes."""

import json
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.mirror.plan.planned_image import PlannedImage, resolve_hints, with_hints
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.manifest import OCI_MANIFEST, Descriptor, Manifest
from kops_assets_provider.oci.tree import ImageTree
from tests.support.memory_registry import MemoryRegistry, MemoryRepository

REGISTRY = MemoryRegistry()


def digest(number):
    return Digest.of(str(number).encode())


def descriptor(number):
    """Return a blob whose size is its number: the larger the number, the larger."""
    return Descriptor(media_type="application/x", digest=digest(number), size=number)


def planned(name, blobs, *, repository=None, registry=REGISTRY):
    """Return an image of a platform for each list of blobs."""
    manifests = tuple(
        Manifest(
            media_type=OCI_MANIFEST,
            raw=b"{}",
            digest=digest(f"{name}{n}"),
            blobs=tuple(map(descriptor, x)),
        )
        for n, x in enumerate(blobs)
    )
    target = registry[repository or f"kops/{name}"]
    tree = ImageTree(manifests=manifests, source_digest=manifests[-1].digest)
    job = ImageJob(source=MemoryRepository(), target=target, push_as="1", tree=tree)
    return PlannedImage(
        canonical=f"r.example/{name}:1",
        download=f"t.example/kops/{name}:1",
        digest=digest(name),
        job=job,
    )


def handed_on(image):
    """Return what a task gets."""
    return PlannedImage.from_dict(json.loads(json.dumps(image.to_dict())))


def prefix(number):
    return digest(number).hex[:8]


def test_the_first_that_has_a_blob_leads():
    """The others mount it from there, and the first is told that it is wanted."""
    one, two, three = with_hints(
        [planned("one", [[1, 2]]), planned("two", [[2, 3]]), planned("three", [[2, 3]])]
    )
    assert (one.mounts, set(one.wanted)) == ({}, {prefix(2)})
    assert (two.mounts, set(two.wanted)) == ({"kops/one": [prefix(2)]}, {prefix(3)})
    assert three.mounts == {"kops/two": [prefix(3)], "kops/one": [prefix(2)]}


def test_leaders_come_first():
    """Whoever runs the tasks in order has uploads before those that wait for them."""
    images = [planned("alone", [[9]]), planned("one", [[1]]), planned("x", [[8]])]
    names = [x.canonical for x in with_hints([*images, planned("two", [[1]])])]
    assert names == [f"r.example/{x}:1" for x in ("one", "alone", "x", "two")]


GRAPHS = st.lists(
    st.lists(st.lists(st.integers(0, 30), max_size=6), min_size=1, max_size=3), max_size=8
)


@given(graphs=GRAPHS)
def test_nobody_waits_for_one_that_comes_later(graphs):
    """The repository that a hint names is that of an image further up, which has the blob."""
    images = with_hints([planned(f"n{n}", x) for n, x in enumerate(graphs)])
    seen = {}
    for image in images:
        for repository, prefixes in image.mounts.items():
            assert set(prefixes) <= seen[repository]
        seen[image.job.target.name] = {x.digest.hex[:8] for x in image.job.tree.blobs}


@given(graphs=GRAPHS)
def test_hints_resolve_to_what_they_were_made_of(graphs):
    """What a task reads of them are the blobs that the plan meant."""
    images = with_hints([planned(f"n{n}", x) for n, x in enumerate(graphs)])
    by_name = {x.job.target.name: x for x in images}
    wanted_of = {x.job.target.name: set() for x in images}
    for image in images:
        task = handed_on(image)
        mounts, _ = resolve_hints(image.job.tree.blobs, task.mounts, task.wanted)
        for found, repository in mounts.items():
            assert found in {x.digest for x in by_name[repository].job.tree.blobs}
            wanted_of[repository].add(found)
        assert len(mounts) == sum(map(len, task.mounts.values()))
    for name, image in by_name.items():
        task = handed_on(image)
        _, wanted = resolve_hints(image.job.tree.blobs, task.mounts, task.wanted)
        if sum(map(len, task.wanted)) == sum(map(len, image.wanted)):
            assert wanted_of[name] <= wanted


def test_registries_do_not_share():
    """Nor do two users of one: their clients are two."""
    images = [planned("one", [[1]]), planned("two", [[1]], registry=MemoryRegistry())]
    assert [(x.mounts, x.wanted) for x in with_hints(images)] == [({}, ())] * 2


def test_two_tags_of_one_repository_wait_for_each_other_too():
    """Old and new version of one image: their tasks would send the same bytes at the same time."""
    images = [planned("one", [[1]]), planned("one-too", [[1]], repository="kops/one")]
    first, second = with_hints(images)
    assert len(first.wanted) == 1
    assert second.mounts == {"kops/one": list(first.wanted)}
    assert second.leaders == {"kops/one": [0]}


def test_an_image_that_could_not_be_asked_about_has_no_hints():
    """Its own task will ask."""
    bare = PlannedImage(canonical="r.example/x:1", download="t.example/x:1")
    (found,) = with_hints([bare])
    assert found == bare
    assert found.to_dict() == {
        "schema": 1,
        "canonical": "r.example/x:1",
        "download": "t.example/x:1",
    }


def many(count=8, platforms=12, shared=10, own=2):
    """Return images of many platforms that share most of their layers."""
    blobs = [
        [[1000 * p + x for x in range(shared)] + [10**6 + 1000 * n + p + x for x in range(own)]
         for p in range(platforms)]
        for n in range(count)
    ]  # fmt: skip
    return with_hints([planned(f"networking/image-{n}", x) for n, x in enumerate(blobs)])


def test_a_planned_image_is_small():
    """At most a KiB as JSON, whatever it shares: each mapped task pulls the whole list."""
    images = many()
    assert sum(len(x) for x in images[-1].mounts.values()) == 120
    for image in images:
        assert len(json.dumps(image.to_dict())) <= 1024


@given(
    name=st.text(string.ascii_lowercase + string.digits + "/._-", min_size=1, max_size=200),
    sizes=st.lists(st.integers(0, 200), max_size=6),
    wanted=st.integers(0, 200),
)
def test_any_planned_image_is_small(name, sizes, wanted):
    """However long its name is, and however many repositories its hints are of."""
    image = PlannedImage(
        canonical=f"r.example/{name}:1",
        download=f"t.example/{name}:1",
        digest=digest(name),
        mounts={f"kops/repository-{n}": [prefix(x) for x in range(y)] for n, y in enumerate(sizes)},
        wanted=[prefix(-x) for x in range(wanted)],
    )
    assert len(json.dumps(image.to_dict())) <= 1024
    cut = handed_on(image)
    assert (cut.canonical, cut.digest) == (image.canonical, image.digest)
    for repository, prefixes in cut.mounts.items():
        assert set(prefixes) <= set(image.mounts[repository])
    assert set(cut.wanted) <= set(image.wanted)
    assert handed_on(cut) == cut


def test_nothing_is_cut_from_what_fits():
    """All hints are handed on, in their order."""
    images = with_hints([planned("one", [[1, 2, 3]]), planned("two", [[1, 2, 3]])])
    for image in images:
        task = handed_on(image)
        mounts = {repository: list(x) for repository, x in task.mounts.items()}
        leaders = {repository: list(x) for repository, x in task.leaders.items()}
        assert replace(task, mounts=mounts, leaders=leaders) == image


def sizes_of(image, prefixes):
    by_prefix = {x.digest.hex[:8]: x.size for x in image.job.tree.blobs}
    return [by_prefix[x] for x in prefixes]


@pytest.mark.parametrize("key", ["mounts", "wanted"])
def test_the_largest_are_kept(key):
    """Whatever is cut is smaller than what is kept: it saves the most bytes."""
    for image in many():
        task = handed_on(image)
        kept, all_of_them = getattr(task, key), getattr(image, key)
        if key == "mounts":
            kept = [y for x in kept.values() for y in x]
            all_of_them = [y for x in all_of_them.values() for y in x]
        cut = set(all_of_them) - set(kept)
        if cut and kept:
            assert min(sizes_of(image, kept)) >= max(sizes_of(image, cut))


def test_the_largest_are_kept_whoever_has_them():
    """A repository that is named first does not crowd out the large blobs of another one."""
    small, large = list(range(100)), list(range(1000, 1100))
    # The largest blob of all is the first one's, so that it is named first.
    images = with_hints(
        [
            planned("first", [[*small, 5000]]),
            planned("second", [large]),
            planned("both", [[*small, *large, 5000]]),
        ]
    )
    image = next(x for x in images if "both" in x.canonical)
    assert list(image.mounts) == ["kops/first", "kops/second"]
    task = handed_on(image)
    sizes = {k: sizes_of(image, x) for k, x in task.mounts.items()}
    assert sizes["kops/first"] == [5000]
    assert sizes["kops/second"] == sorted(large, reverse=True)[: len(sizes["kops/second"])]
    assert len(sizes["kops/second"]) > 20


def test_a_hint_of_something_else_is_overlooked():
    """The manifests may have changed since the plan."""
    mounts, wanted = resolve_hints([descriptor(1)], {"kops/x": [prefix(2)]}, [prefix(3)])
    assert (mounts, wanted) == ({}, frozenset())
