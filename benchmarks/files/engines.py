"""The programs that copy files, and how each is told what to copy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files import upload_fileobj
from benchmarks.files.file_set import SourceFile
from benchmarks.files.servers import BUCKET, Target
from benchmarks.measuring.client import Client
from benchmarks.measuring.engines import OURS, is_installed
from tests.support.processes import find_program


@dataclass(frozen=True, slots=True)
class Job:
    """
    What to copy from a web server to a target, so many files at a time.

    :param source: URL below which the files are.
    :param skip_present: what is at the target is to be left alone.
    """

    source: str
    target: Target
    files: Sequence[SourceFile]
    at_a_time: int
    skip_present: bool = False


@dataclass(frozen=True, slots=True)
class Engine:
    """
    A program and its command line.

    In it ``{list}`` is a saved list of assets, ``{endpoint}`` the target's URL and ``{jobs}`` how
    many files at a time. With ``{file}`` there is a process for each file, so many at a time.

    :param skip_options: make it leave alone what is there; None if nothing does.
    :param is_python: it is an interpreter's program, whose own memory is that of Python.
    :param writes_hashes: it writes the hash of each file beside it.
    :param is_tried: some versions of it cannot do this: it is tried before it is measured.
    """

    name: str
    command: tuple[str, ...]
    skip_options: tuple[str, ...] | None = None
    is_python: bool = True
    writes_hashes: bool = True
    is_tried: bool = False

    def client(self, job: Job, directory: Path) -> Client:
        """Write what the program reads into ``directory``; return what copies all."""
        options = self.skip_options if job.skip_present else None
        program, *arguments = (*self.command, *(options or ()))
        one_by_one = any("{file}" in argument for argument in arguments)
        names = [file.name for file in job.files] if one_by_one else [""]
        values = {**_values(job), "list": str(_write_list(job, directory))}
        start = str(find_program(program))
        commands = [[start, *(x.format(**values, file=name) for x in arguments)] for name in names]
        return Client(commands, job.at_a_time, job.target.environment)

    def is_there(self) -> bool:
        """Tell whether the program is installed."""
        return is_installed(self.command[0])


_OURS_TO = ("--file-target", "{download}=s3://{bucket}")
_RCLONE_S3 = ("--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", "{endpoint}")

ENGINES = (
    Engine(
        OURS,
        ("kops-assets", "copy", "--from", "{list}", *_OURS_TO, "--jobs", "{jobs}", "--quiet"),
        skip_options=(),
    ),
    Engine(
        "upload_fileobj",
        ("python", upload_fileobj.__file__, "{list}", "{bucket}", "{jobs}"),
        skip_options=("--skip-present",),
    ),
    Engine(
        "rclone",
        ("rclone", "copyurl", *_RCLONE_S3, "{source}/{file}", ":s3:{bucket}/{file}"),
        is_python=False,
        writes_hashes=False,
        is_tried=True,
    ),
)


def _values(job: Job) -> dict[str, str]:
    return {
        "bucket": BUCKET,
        "download": f"{job.target.url}/{BUCKET}",
        "endpoint": job.target.url,
        "source": job.source,
        "jobs": str(job.at_a_time),
    }


def _write_list(job: Job, directory: Path) -> Path:
    files = [
        {
            "canonical": f"{job.source}/{file.name}",
            "download": f"{job.target.url}/{BUCKET}/{file.name}",
            "sha": file.sha,
        }
        for file in job.files
    ]
    names = {"cluster": "benchmark.example.com", "kops_version": "1.36.2"}
    path = directory / "list.json"
    path.write_text(json.dumps({**names, "images": [], "files": files}))
    return path
