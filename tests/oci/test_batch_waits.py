"""Blobs that another process is uploading: waited for, and mounted from there."""

import threading

import pytest

from kops_assets_provider.exceptions import AccessDeniedError
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.jobs import ImageJob
from tests.oci.batches import ECR, PLATFORM, Noticing, client, gets, named, remote_jobs, run, timed
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer, Quirks
from tests.support.pull import pull_image


def hinted(job, count=1, repository="kops/other"):
    hints = {x.digest: repository for x in job.tree.blobs[:count]}
    return ImageJob(source=job.source, target=job.target, push_as="1", tree=job.tree, mounts=hints)


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
    assert 0.6 <= seconds < 30
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
    assert seconds < 8
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
    assert seconds < 30
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
            ImageJob(
                source=job.source,
                target=job.target,
                push_as="1",
                tree=job.tree,
                mounts=hints,
                wanted=frozenset({Digest(mine)}),
            )
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
        job = ImageJob(
            source=job.source,
            target=job.target,
            push_as="1",
            tree=job.tree,
            mounts={Digest(shared): "kops/one"},
        )
        asked = []

        def is_coming(repository):
            asked.append(repository)
            if len(asked) == 2:
                put_image(target, "kops/one:1", one)
            return len(asked) < 2

        (result,) = run([job], is_coming=is_coming)
    assert (result.error, result.mounts, result.late) == (None, 1, 0)
    assert asked == ["kops/one"] * 2
