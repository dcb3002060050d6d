"""The programs that copy, and how each is told what to copy."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.images.image_set import TAG
from benchmarks.measuring.engines import OURS, is_installed
from tests.support.processes import find_program


@dataclass(frozen=True, slots=True)
class Job:
    """What to copy between which registries, ``jobs`` at a time for who can do that."""

    source: str
    target: str
    images: tuple[str, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class Engine:
    """
    A program and its command line.

    In it ``{source}`` and ``{target}`` are the registries, ``{list}`` a saved list of assets,
    ``{yaml}`` skopeo's list and ``{jobs}`` how many at a time. With ``{image}`` there is a process
    for each image, one after the other, as one would script it.
    """

    name: str
    command: tuple[str, ...]

    def commands(self, job: Job, directory: Path) -> list[list[str]]:
        """Write what the program reads into ``directory``; return the commands that copy all."""
        values = {
            "source": job.source,
            "target": job.target,
            "jobs": str(job.jobs),
            "list": str(_write_list(job, directory)),
            "yaml": str(_write_yaml(job, directory)),
        }
        one_by_one = any("{image}" in argument for argument in self.command)
        images = [f"{name}:{TAG}" for name in job.images] if one_by_one else [""]
        return [self._filled({**values, "image": image}) for image in images]

    def _filled(self, values: dict[str, str]) -> list[str]:
        program, *arguments = self.command
        return [str(find_program(program)), *(x.format(**values) for x in arguments)]

    def is_there(self) -> bool:
        """Tell whether the program is installed, and has the subcommand."""
        if not is_installed(self.command[0]):
            return False
        if self.name != OURS:
            return True
        program = find_program(self.command[0])
        asked = subprocess.run([program, self.command[1], "--help"], capture_output=True)
        return asked.returncode == 0


_ARGUMENTS = ("copy", "--from", "{list}", "--jobs", "{jobs}", "--output", "json")
_SKOPEO = ("skopeo", "--insecure-policy")
_SKOPEO_PLAIN = ("--all", "--src-tls-verify=false", "--dest-tls-verify=false")
_BOTH = ("{source}/{image}", "{target}/{image}")
_BOTH_FOR_SKOPEO = tuple(f"docker://{x}" for x in _BOTH)
_REGCTL_PLAIN = ("--host", "reg={source},tls=disabled", "--host", "reg={target},tls=disabled")

ENGINES = (
    Engine(OURS, ("kops-assets", *_ARGUMENTS)),
    Engine(
        "skopeo-sync",
        (*_SKOPEO, "sync", *_SKOPEO_PLAIN, "--src=yaml", "--dest=docker", "{yaml}", "{target}"),
    ),
    Engine("skopeo-copy", (*_SKOPEO, "copy", *_SKOPEO_PLAIN, *_BOTH_FOR_SKOPEO)),
    Engine("crane", ("crane", "copy", "--insecure", *_BOTH)),
    Engine("oras", ("oras", "cp", "--recursive", "--from-plain-http", "--to-plain-http", *_BOTH)),
    Engine("regctl", ("regctl", *_REGCTL_PLAIN, "image", "copy", *_BOTH)),
)


def another_build(program: Path) -> Engine:
    """Return the engine for another build of kops-assets, such as the one of an older commit."""
    return Engine("another build", (str(program.absolute()), *_ARGUMENTS))


def _write_list(job: Job, directory: Path) -> Path:
    images = [
        {"canonical": f"{job.source}/{name}:{TAG}", "download": f"{job.target}/{name}:{TAG}"}
        for name in job.images
    ]
    document = {"cluster": "benchmark.example.com", "kops_version": "1.36.2", "images": images}
    return _written(directory / "list.json", json.dumps(document))


def _write_yaml(job: Job, directory: Path) -> Path:
    images = {name: [TAG] for name in job.images}
    document = {job.source: {"tls-verify": False, "images": images}}
    return _written(directory / "skopeo.yaml", yaml.safe_dump(document))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
