"""Web pages that show an asset, for people who want to look at it."""

from __future__ import annotations

from urllib.parse import urlsplit

from kops_assets_provider.exceptions import InvalidReferenceError
from kops_assets_provider.http.urls import redact
from kops_assets_provider.mirror.model.asset import Kind
from kops_assets_provider.mirror.places.cloud_registries import ECR_HOST, is_google
from kops_assets_provider.mirror.places.registries import default_url
from kops_assets_provider.oci.reference import DOCKER_HUB, Reference

_OFFICIAL = "library/"  # Docker Hub's own images have pages elsewhere
# The console is at another host in each of Amazon's partitions.
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_PAGES = {
    "quay.io": "https://quay.io/repository/",
    "public.ecr.aws": "https://gallery.ecr.aws/",
}


def web_page(kind: Kind, name: str) -> str:
    """Return the page of an image or a file by its name or URL; empty if there can be none."""
    return _image_page(name) if kind is Kind.IMAGE else _file_page(name)


def _image_page(name: str) -> str:
    try:
        image = Reference.parse(name)
    except InvalidReferenceError:
        return ""
    if image.registry == DOCKER_HUB:
        return _docker_hub_page(image.repository)
    if start := _PAGES.get(image.registry):
        return f"{start}{image.repository}"
    if found := ECR_HOST.fullmatch(image.registry):
        return _ecr_page(found["account"], found["region"], image.repository)
    if is_google(image.registry):
        return f"https://{image.registry}/{image.repository}"
    # Nobody knows where another registry has its pages, if any; its API is where the image is.
    return f"{default_url(image.registry)}/v2/{image.repository}/manifests/{image.pull_by}"


def _docker_hub_page(repository: str) -> str:
    if repository.startswith(_OFFICIAL):
        return f"https://hub.docker.com/_/{repository.removeprefix(_OFFICIAL)}"
    return f"https://hub.docker.com/r/{repository}"


def _ecr_page(account: str, region: str, repository: str) -> str:
    own = (host for start, host in _CONSOLES.items() if region.startswith(start))
    console = next(own, "console.aws.amazon.com")
    path = f"ecr/repositories/private/{account}/{repository}"
    return f"https://{region}.{console}/{path}?region={region}"


def _file_page(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # What is no http(s) is not for a browser, which might run it.
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return redact(url)
