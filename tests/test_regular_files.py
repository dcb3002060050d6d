"""Files that come from outside are opened if they are regular ones, and pipes if a user says so."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from kops_assets_provider.exceptions import InvalidClusterError, InvalidInputError
from kops_assets_provider.http.trust import Tls
from kops_assets_provider.mirror.lists.fleet_file import read_fleet_file
from kops_assets_provider.mirror.lists.get_list import ListRequest, make_list, read_shas
from kops_assets_provider.mirror.lists.saved_lists import read_saved_list
from kops_assets_provider.mirror.places.docker_config import DockerConfig
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.regular_files import (
    MAX_DOCUMENT,
    IrregularFileError,
    open_regular,
    read_document,
)

pytestmark = pytest.mark.timeout(30)
SPEC = Path(__file__).parent / "golden" / "1.36.2" / "specs" / "own-aws-registry.yaml"
EXPECTED = yaml.safe_load((SPEC.parent.parent / "assets" / SPEC.name).read_text())
LIST = [
    *(sys.executable, "-m", "kops_assets_provider.cli", "list", "--kops-version", "1.36.2"),
    *("--no-fetch-hashes", "--output", "yaml"),
]


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    return path


def listed(path):
    request = ListRequest(cluster_spec=str(path), kops_version="1.36.2", fetch_hashes=False)
    return make_list(request)


def default_docker_config(path):
    path.rename(path.with_name("config.json"))
    DockerConfig.load()


READERS = {
    "cluster spec": (listed, InvalidClusterError),
    "saved list": (lambda path: read_saved_list(str(path), StateStores()), InvalidInputError),
    "pinned hashes": (lambda path: read_shas(str(path)), InvalidInputError),
    "fleet file": (lambda path: read_fleet_file(path, (), ()), InvalidInputError),
    "Docker's config": (default_docker_config, InvalidInputError),
    "authorities": (lambda path: tls(ca_file=str(path)), InvalidInputError),
    "certificate": (lambda path: tls(client_cert=str(path)), InvalidInputError),
    "key": (lambda path: tls(client_cert=str(SPEC), client_key=str(path)), InvalidInputError),
}


def tls(**files):
    return Tls(**files).context(with_certificate=True)


@pytest.mark.parametrize("reader", READERS)
def test_no_pipe_is_waited_for(pipe, monkeypatch, reader):
    """Each reader says what it has found instead of a file, and where."""
    monkeypatch.setenv("DOCKER_CONFIG", str(pipe.parent))
    read, error = READERS[reader]
    with pytest.raises(error, match="it is a pipe, not a regular file") as raised:
        read(pipe)
    assert str(pipe.parent) in str(raised.value)


def test_standard_input_is_the_shells_alone():
    """In a worker of Airflow it is a connection to who started it."""
    with pytest.raises(InvalidClusterError, match=r"cluster spec '-': .*No such file"):
        listed("-")


@pytest.mark.parametrize(
    "spec", ["<(cat SPEC)", "/dev/stdin < SPEC", "/dev/stdin < <(sleep 1; cat SPEC)", "- < SPEC"]
)
def test_a_shell_may_give_a_pipe(spec):
    """As a user types it."""
    command = f"{' '.join(LIST)} --spec {spec.replace('SPEC', str(SPEC))}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert yaml.safe_load(run.stdout) == EXPECTED


def test_a_shell_may_give_a_pipe_whose_writer_comes_later(pipe):
    """It is waited for, as cat would."""
    writing = threading.Timer(1, lambda: pipe.write_bytes(SPEC.read_bytes()))
    writing.start()
    run = subprocess.run([*LIST, "--spec", str(pipe)], capture_output=True, check=True)
    writing.join()
    assert yaml.safe_load(run.stdout) == EXPECTED


@pytest.mark.parametrize("spec", ["/dev/zero", "- < /dev/zero", "<(cat /dev/zero)"])
def test_what_a_shell_gives_has_an_end(spec):
    """What is longer than any manifest is an error, in one line."""
    command = f"{' '.join(LIST)} --spec {spec}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"it is longer than {MAX_DOCUMENT} bytes" in run.stderr
    assert run.stderr.count("\n") == 1


def test_pinned_hashes_and_logins_may_be_pipes(pipe):
    """For a user who has named them: a password manager gives a pipe, not a file."""
    for read, content in (
        (lambda: read_shas(str(pipe), pipes=True)("https://a/x"), f"https://a/x: '{'1' * 64}'"),
        (lambda: DockerConfig.load(pipe).login("a.example"), '{"auths": {}}'),
    ):
        writing = threading.Thread(target=pipe.write_text, args=(content,))
        writing.start()
        assert read() in ("1" * 64, None)
        writing.join()


def test_a_link_is_followed_unless_it_must_not_be(tmp_path):
    """A mounted secret is a link to a file."""
    (tmp_path / "file").write_bytes(b"a")
    (tmp_path / "link").symlink_to("file")
    assert read_document(tmp_path / "link") == b"a"
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(tmp_path / "link", follow=False)


@pytest.mark.parametrize("name", ["nul\0", "lone \ud800"])
def test_what_can_be_no_name_is_an_error_of_the_system(tmp_path, name):
    """Every reader has an answer to those, and none to Python's own for such a name."""
    with pytest.raises(OSError, match="no file can have this name"):
        open_regular(tmp_path / name)


def test_what_is_refused_is_closed(pipe):
    """No descriptor is left, whatever the path leads to."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (pipe, pipe.parent, Path("/dev/zero")):
        for pipes in (False, path.is_dir()):
            with pytest.raises(IrregularFileError):
                open_regular(path, pipes=pipes)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
