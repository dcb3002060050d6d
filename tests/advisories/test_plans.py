"""Row 23: a tag that is moved between the plan, which may have been reviewed, and the copy."""

from __future__ import annotations

from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.copy import images
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from tests.copies import copy_planned_image
from tests.support.images import make_image, put_image
from tests.support.oci_registry import OciRegistryServer


def test_what_was_planned_is_what_is_copied(defended):
    """Whoever can move a tag at the right moment does not get into the mirror; it is told."""

    def check():
        planned, moved = make_image("planned"), make_image("moved")
        with OciRegistryServer() as source, OciRegistryServer() as target:
            put_image(source, "app/app:1", planned)
            asset = ImageAsset(
                canonical=f"{source.host}/app/app:1", download=f"{target.host}/kops/app:1"
            )
            (image,) = plan_images([asset], Registries()).to_copy
            put_image(source, "app/app:1", moved)
            outcome = copy_planned_image(PlannedImage.from_dict(image.to_dict()), Registries())
            assert target.storage.find_tag("kops/app", "1") == planned.digest
            assert (outcome.facts.content, outcome.facts.drift) == (planned.digest, moved.digest)

    def by_tag_alone(source, reference, digest):
        return source.fetch_manifest(reference.pull_by), None

    defended(check, lambda patch: patch.setattr(images, "_read_root", by_tag_alone))
