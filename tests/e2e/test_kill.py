"""
A copy that is killed, at any byte: the tag is right all the time, and the next copy finishes.

A child process copies through a proxy in this one, which counts what passes to and from the target
and kills the child by SIGKILL when as much has passed as the test says.
"""

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from kops_assets_provider.http.retries import Retries
from kops_assets_provider.mirror.places.registries import Registries
from tests.copies import copy_between
from tests.e2e.kill_wire import KillWire
from tests.support.components import docker_registry
from tests.support.images import make_image, push_image
from tests.support.oci_registry import OciRegistryServer
from tests.support.pull import pull_image
from tests.support.tcp_proxy import TcpProxy

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/s390x"]
OLD = make_image("old", platforms=PLATFORMS, layers=2, base_layers=1)
NEW = make_image("new", platforms=PLATFORMS, layers=3, base_layers=1, size=700_000)
WORKERS = 4
CHILD = """
import sys
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.mirror.copy.control import Control
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.copy.images import ImageCopy, copy_image
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.places.registries import Registries

source, target, workers = sys.argv[1:]
job = ImageCopy(
    image=PlannedImage(canonical=source, download=target),
    registries=Registries(),
    rules=ImageRules(on_drift=OnDrift.TAKE),
)
copy_image(job, Control(workers=int(workers))).raise_error()
"""
BEFORE, WITHIN = "before publishing", "publishing"


class Wire(KillWire):
    """Before the first manifest is put, and since."""

    first, second = BEFORE, WITHIN

    def begins_second(self, data):
        line = data.partition(b"\r\n")[0]
        return line.startswith(b"PUT ") and b"/manifests/" in line


@dataclass
class World:
    source: object
    target: object
    port: int
    sizes: dict = field(default_factory=dict)
    count: int = 0

    def run(self, wire, workers):
        """Copy in a child until the wire ends it; return its exit status and the repository."""
        self.count += 1
        repository = f"kops/app{self.count}"
        push_image(self.target.url, repository, "1", OLD)
        with ExitStack() as stack:
            children = []
            proxy = TcpProxy(self.port, wire, on_cut=lambda: children[0].kill())
            stack.enter_context(proxy)
            names = f"{self.source.host}/app:1", f"{proxy.host}/{repository}:1"
            command = [sys.executable, "-c", CHILD, *names, str(workers)]
            children.append(stack.enter_context(subprocess.Popen(command)))
            return children[0].wait(60), repository

    def measure(self):
        """Let one copy finish, to know how many bytes it is."""
        wire = Wire()
        status, repository = self.run(wire, 1)
        assert status == 0
        assert pull_image(self.target.url, repository, "1") == NEW
        self.sizes = wire.passed


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.component)])
def world(request, tmp_path_factory):
    with ExitStack() as stack:
        source = stack.enter_context(OciRegistryServer())
        push_image(source.url, "app", "1", NEW)
        if request.param == "fake":
            target = stack.enter_context(OciRegistryServer())
            port = int(target.host.rpartition(":")[2])
        else:
            target = stack.enter_context(docker_registry(tmp_path_factory.mktemp("registry")))
            port = target.port
        found = World(source, target, port)
        found.measure()
        yield found


def cases(before, within):
    """Return offsets all over the wire, as fractions of either part, in turn with few threads."""
    parts = {BEFORE: before, WITHIN: within}
    return [
        pytest.param(phase, (n + 0.5) / count, 1 + (n % 2) * (WORKERS - 1), id=f"{phase}-{n}")
        for phase, count in parts.items()
        for n in range(count)
    ]


def check_kill(world, phase, fraction, workers):
    size = world.sizes[phase]
    wire = Wire(phase, max(1, int(size * fraction * (0.9 if workers > 1 else 1))))
    status, repository = world.run(wire, workers)
    assert wire.is_cut
    assert status == -9
    url = world.target.url
    # The tag leads to the old image or the new one, and all that is there by its digest is whole.
    assert pull_image(url, repository, "1") in (OLD, NEW)
    for digest in NEW.manifests:
        found = pull_image(url, repository, digest)
        assert found is None or found.digest == digest
    registries = Registries()
    copy_between(
        *registries.source(f"{world.source.host}/app:1"),
        *registries.target(f"{world.target.host}/{repository}:1"),
        retries=Retries(first_wait_seconds=0.01),
    )
    assert pull_image(url, repository, "1") == NEW


@pytest.mark.parametrize(("phase", "fraction", "workers"), cases(3, 2))
def test_a_killed_copy_leaves_no_wrong_tag(world, phase, fraction, workers):
    """At a few bytes of the way, two of them while manifests are put."""
    check_kill(world, phase, fraction, workers)


@pytest.mark.long
@pytest.mark.parametrize(("phase", "fraction", "workers"), cases(40, 10))
def test_a_copy_killed_anywhere_leaves_no_wrong_tag(world, phase, fraction, workers):
    """At many bytes of the way, ten of them while manifests are put."""
    check_kill(world, phase, fraction, workers)
