"""
What images and files are called in OpenLineage: a namespace, which is a place, and a name in it.

https://openlineage.io/docs/spec/naming has S3, Google Cloud Storage and file systems. It has
neither registries nor web servers; for them we follow its general rule: the namespace is scheme and
authority of a URI, the name is its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.files.targets import FileTarget, Scheme, locate
from kops_assets_provider.http.urls import redact
from kops_assets_provider.mirror.model.asset import Kind
from kops_assets_provider.oci.reference import Reference


class Dataset(NamedTuple):
    """A namespace, and a name that is unique in it."""

    namespace: str
    name: str

    @property
    def host(self) -> str:
        """The registry, the bucket or the host; ``file`` for a directory."""
        return self.namespace.rpartition("//")[2]


def dataset(kind: Kind, name: str, file_targets: Mapping[str, str] | None = None) -> Dataset:
    """
    Return what an image or a file is called in OpenLineage.

    :param name: of the image, or the file's URL.
    :param file_targets: prefixes of download URLs, and where what belongs under them is written.
    :raises InvalidReferenceError: the image's name is none.
    """
    return _image(name) if kind is Kind.IMAGE else _file(name, file_targets or {})


def _image(name: str) -> Dataset:
    image = Reference.parse(name)
    version = f"@{image.digest}" if image.digest else f":{image.tag}"
    return Dataset(namespace=f"oci://{image.registry}", name=f"{image.repository}{version}")


def _file(url: str, file_targets: Mapping[str, str]) -> Dataset:
    # The bucket behind a URL, so that lineage joins with that of whoever reads the bucket.
    try:
        return _in_store(locate(url, file_targets))
    except KopsAssetsError:
        shown = urlsplit(redact(url))
        return Dataset(namespace=f"{shown.scheme}://{shown.netloc}", name=shown.path)


def _in_store(target: FileTarget) -> Dataset:
    if target.scheme is Scheme.FILE:
        return Dataset(namespace="file", name=f"{target.root.rstrip('/')}/{target.path}")
    return Dataset(namespace=f"{target.scheme}://{target.root}", name=target.path)
