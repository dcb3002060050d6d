"""
The name of an image.

::

    reference  := name [ ":" tag ] [ "@" digest ]
    name       := [ registry "/" ] path { "/" path }
    registry   := host [ ":" port ]            has a "." or a ":", or is "localhost"
    path       := [a-z0-9]+ ( ( "." | "_" | "__" | "-"+ ) [a-z0-9]+ )*
    tag        := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}

A name without a registry is one of Docker Hub's, and there without a "/" one of ``library/``;
without tag and digest it means ``latest``. See the distribution spec v1.1.1, "Pulling manifests",
and distribution/reference v0.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kops_assets_provider.exceptions import InvalidManifestError, InvalidReferenceError
from kops_assets_provider.oci.digest import Digest

DOCKER_HUB = "docker.io"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH}(?:/{_PATH})*")
_REGISTRY = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MAX_REPOSITORY = 255  # characters, as distribution/reference has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image's name in its parts, valid once made; the registry in lower case, as hosts are."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read an image's name; raises InvalidReferenceError with all that is wrong in it."""
        name, _, digest = text.partition("@")
        name, tag = _split_tag(name)
        registry, repository = _split_registry(name)
        problems = [
            *_mismatch("registry", registry, _REGISTRY),
            *_mismatch("repository", repository[:_MAX_REPOSITORY], _REPOSITORY),
            *(_mismatch("tag", tag, _TAG) if tag is not None else ()),
        ]
        if len(repository) > _MAX_REPOSITORY:
            problems.append(f"the repository is longer than {_MAX_REPOSITORY} characters")
        parsed = _parse_digest(digest, problems) if "@" in text else None
        if problems:
            raise InvalidReferenceError(f"image {text!r}", problems)
        if tag is None and parsed is None:
            tag = "latest"
        return cls(registry=registry, repository=repository, tag=tag, digest=parsed)

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def pull_by(self) -> str:
        """What to ask the registry for: the digest if there is one, which pins, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def push_as(self) -> str:
        """What to call a pushed manifest: the tag if there is one, else the digest."""
        return self.tag or self.digest or "latest"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def _split_tag(name: str) -> tuple[str, str | None]:
    head, colon, tail = name.rpartition(":")
    # A colon before a slash belongs to the registry's port.
    return (head, tail) if colon and "/" not in tail else (name, None)


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = DOCKER_HUB, name
    registry = registry.lower()
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _mismatch(what: str, value: str, pattern: re.Pattern[str]) -> list[str]:
    return [] if pattern.fullmatch(value) else [f"{value!r} is not a valid {what}"]


def _parse_digest(text: str, problems: list[str]) -> Digest | None:
    try:
        return Digest(text)
    except InvalidManifestError as err:
        problems.append(str(err))
        return None
