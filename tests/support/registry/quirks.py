"""Deviations of real registries from the spec, to be played by the fake one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirks:
    """How a registry behaves where they differ; all as they stand: as docker-registry does."""

    immutable_tags: bool = False
    """A tag that exists cannot be pushed again: 400 TAG_INVALID (ECR)."""
    read_only: bool = False
    """Pushes and deletions answer 405 UNSUPPORTED (a pull-through cache)."""
    omit_digest_header: bool = False
    """No ``Docker-Content-Digest`` with manifests."""
    require_existing_repositories: bool = False
    """Pushing creates no repository: 404 NAME_UNKNOWN (ECR)."""
    mount_needs_manifest: bool = False
    """A blob is mounted only if a manifest of the source repository names it (ECR)."""
    refuse_mounts: bool = False
    """Each request to mount starts an upload."""
    claim_mounts: bool = False
    """Each request to mount is answered with 201, also for a blob that is nowhere."""
    ignore_ranges: bool = False
    """A blob is always sent from its first byte on, with 200."""
    patch_status: int = 202
    """What PATCH answers (201 on ECR)."""
    patch_overwrites: bool = False
    """A second PATCH replaces what the first one sent (GHCR)."""
    max_body_bytes: int | None = None
    """More than that in one upload request is 413 (ACR)."""
    absolute_locations: bool = False
    """``Location`` is a whole URL, not a path."""


NO_QUIRKS = Quirks()
