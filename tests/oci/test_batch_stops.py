"""A batch that is stopped ends soon, and tells what became of each image."""

import time

import pytest

from kops_assets_provider.exceptions import PermanentError, StoppedError
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.oci.copy import copy_images
from kops_assets_provider.oci.jobs import ImageJob
from tests.copies import copy_planned_images
from tests.oci.batches import (
    Noticing,
    Registry,
    client,
    errors,
    job_of,
    named,
    quick,
    remote_jobs,
    run,
    timed,
    tiny,
)
from tests.support.images import put_image
from tests.support.messages import Fault


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
    assert seconds < 15
    assert target.storage.open_uploads == 0
    assert target.count("PUT", "/manifests/") == 0
    assert sorted(map(id, results)) == sorted(id(x) for _, x in told)


def test_a_stopped_run_has_an_outcome_for_each(servers):
    """Those that were not begun have one as well."""
    source, target = servers
    assets = []
    for name, image in named("one", "two", "three"):
        put_image(source, f"{name}:1", image)
        assets.append(
            ImageAsset(canonical=f"{source.host}/{name}:1", download=f"{target.host}/kops/{name}:1")
        )
    registries, retries = Registries(), quick()
    plan = plan_images(assets, registries)
    retries.stop.set()
    outcomes = copy_planned_images(plan.to_copy, registries, retries=retries)
    assert [x.problem.kind for x in outcomes] == ["StoppedError"] * 3


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
        job = ImageJob(
            source=job.source, target=job.target, push_as="1", tree=job.tree, mounts=hints
        )
        target.notice = notice
        target.inject(Fault("PUT", "/uploads/.", status=503, times=1))
        results, seconds = timed(lambda: copy_images([job], retries=retries))
        assert results[0].error is not None
        assert seconds < 15
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
    assert seconds < 15
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
    assert time.monotonic() - began < 15
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
