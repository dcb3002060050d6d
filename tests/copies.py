"""Shorter calls of the one way that an asset is copied, for tests of its parts."""

from __future__ import annotations

from typing import NamedTuple

from kops_assets_provider.mirror.copy.control import Control
from kops_assets_provider.mirror.copy.files import FileCopy, copy_file
from kops_assets_provider.mirror.copy.images import ImageCopy, copy_image, copy_images
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.mirror.plan.image_policy import ALL, ImageRules
from kops_assets_provider.mirror.plan.planned_image import PlannedImage


def copy_planned_image(planned, registries, rules=ALL, **control):
    """Return the outcome of a copy; raise the error of one that failed."""
    return copy_image(
        ImageCopy(image=planned, registries=registries, rules=rules), Control(**control)
    ).raise_error()


def copy_planned_images(planned, registries, rules=ALL, **control):
    """Return the outcomes of copies that are made together."""
    jobs = [ImageCopy(image=x, registries=registries, rules=rules) for x in planned]
    return [x.outcome for x in copy_images(jobs, Control(**control))]


def copy_one_file(asset, stores, source_rewrites=None, *, deep=False, http=None, **control):
    """Return the outcome of a copy; raise the error of one that failed."""
    job = FileCopy(
        asset=asset, stores=stores, source_rewrites=source_rewrites or {}, deep=deep, http=http
    )
    return copy_file(job, Control(**control)).raise_error()


class TwoRepositories:
    """Stands for the registries of one image whose repositories are open already."""

    def __init__(self, source, source_ref, target, target_ref):
        self._source, self._target = (source, source_ref), (target, target_ref)
        self.aborts = ()

    def source(self, _):
        return self._source

    def target(self, _):
        return self._target

    def expect(self, *_):
        """Ask for no token ahead."""


class Copied(NamedTuple):
    """``copied`` is False if the target had the image already."""

    digest: str
    copied: bool
    uploaded: int
    size: int | None


def copy_between(source, source_ref, target, target_ref, *, platforms=(), **control):
    """Copy an image from one repository to another, whatever the target has under its tag."""
    registries = TwoRepositories(source, source_ref, target, target_ref)
    rules = ImageRules(platforms=tuple(platforms), on_drift=OnDrift.TAKE)
    planned = PlannedImage(canonical=str(source_ref), download=str(target_ref))
    outcome = copy_planned_image(planned, registries, rules, **control)
    is_new = outcome.state is State.COPIED
    return Copied(outcome.facts.content, is_new, outcome.cost.sent, outcome.facts.size)
