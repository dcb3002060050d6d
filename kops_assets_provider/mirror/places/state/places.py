"""Opens state stores, and whatever else is read from beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.files.targets import Scheme, locate_place, refuse_query, show_place
from kops_assets_provider.mirror.places.state.directory import DirectoryStateStore
from kops_assets_provider.mirror.places.state.gcs import GCSStateStore, gcs_told
from kops_assets_provider.mirror.places.state.ports import StateStore
from kops_assets_provider.mirror.places.state.s3 import S3StateStore
from kops_assets_provider.mirror.places.state.s3_errors import s3_client_told

_SOMETHING = "x"
_MAKING: Mapping[Scheme, Callable[[], AbstractContextManager[None]]] = {
    Scheme.S3: s3_client_told,
    Scheme.GS: partial(gcs_told, "Google Cloud Storage", "credentials"),
}


def default_s3_client() -> Any:
    """Return a client with boto3's default chain of credentials, region and endpoint."""
    import boto3

    return boto3.Session().client("s3")


def default_gcs_client() -> Any:
    """Return a client with Google's application default credentials."""
    from google.cloud.storage import Client

    # Nothing is made, so it does not matter in which project.
    return Client(project=None)


def split_place(url: str) -> tuple[str, str]:
    """
    Split the place of a document into that of its folder, and its name.

    :raises InvalidInputError: it has a query.
    """
    refuse_query(url)
    folder, slash, name = url.rpartition("/")
    if not slash:
        return url, name  # no place at all, as whoever opens it will say
    return folder or "/", name


class StateStores:
    """
    Opens places. One object for each task or command: it keeps clients.

    :param s3_client: makes a boto3 client for S3, when the first ``s3://`` place is opened.
    :param gcs_client: makes a ``google.cloud.storage.Client``, likewise.
    """

    def __init__(
        self,
        s3_client: Callable[[], Any] = default_s3_client,
        gcs_client: Callable[[], Any] = default_gcs_client,
    ) -> None:
        self._makers = {Scheme.S3: s3_client, Scheme.GS: gcs_client}
        self._clients: dict[Scheme, Any] = {}

    def open(self, place: str) -> StateStore:
        """
        Open ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``file:///dir`` or ``/dir``.

        :raises InvalidInputError: it is none of these.
        """
        target = locate_place(place, _SOMETHING)
        if target.scheme is Scheme.FILE:
            return DirectoryStateStore(target.root)
        prefix = target.path.removesuffix(_SOMETHING).rstrip("/")
        if target.scheme is Scheme.S3:
            return S3StateStore(self._client(Scheme.S3), target.root, prefix)
        return GCSStateStore(self._client(Scheme.GS), target.root, prefix)

    def read(self, url: str) -> bytes:
        """Return a single document by its place; raises InvalidInputError if there is none."""
        folder, name = split_place(_followed(url))
        data = self.open(folder).read(name) if name else None
        if data is None:
            raise InvalidInputError(show_place(url), ["there is no such document"])
        return data

    def _client(self, scheme: Scheme) -> Any:
        if scheme not in self._clients:
            with _MAKING[scheme]():
                self._clients[scheme] = self._makers[scheme]()
        return self._clients[scheme]


def _followed(url: str) -> str:
    """Return a file without links: who names a single one means what its links lead to."""
    path = url.removeprefix("file://")
    is_file = path.startswith("/") and path[-1] != "/" and path.isprintable()
    return os.path.realpath(path) if is_file else url
