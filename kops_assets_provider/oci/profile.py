"""What is particular to a kind of registry, as far as it changes what we send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    How to treat a target registry.

    :param mounts_published: it mounts a blob only once a manifest in the blob's repository names it
        (ECR, https://github.com/aws/containers-roadmap/issues/2860), so images that share blobs
        are published one after the other.
    :param create_repository: makes a repository; for registries where a push does not (ECR).
    """

    mounts_published: bool = False
    create_repository: Callable[[str], None] | None = None


GENERIC = Profile()
