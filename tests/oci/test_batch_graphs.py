"""Any graph of images with any failures, in memory and over the wire."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kops_assets_provider.exceptions import AccessDeniedError, PermanentError, ServerFailedError
from kops_assets_provider.oci.digest import Digest
from tests.oci.batches import (
    PLATFORM,
    Faulty,
    Registry,
    client,
    errors,
    is_whole,
    job_of,
    remote_jobs,
    run,
    tiny,
    tiny_index,
)
from tests.support.images import make_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.pull import pull_image

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
