"""
Decide which records the page may open: XComs name their places, and others write XComs.

Whoever can write an XCom of a DAG must not make the API server read what it likes, with whatever
connection it has.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.files.targets import Scheme, locate_place, show_place
from kops_assets_provider.mirror.places.state.places import split_place
from kops_assets_provider.operators.cluster_status import ClusterStatus
from kops_assets_provider.options.copy_options import AWS_CONN_ID, GCP_CONN_ID
from kops_assets_provider.ui.config import SECTION

DEFAULT_CONN_IDS = (AWS_CONN_ID.default, GCP_CONN_ID.default)
_PLACES = f"[{SECTION}] allowed_record_urls"
_CONN_IDS = f"[{SECTION}] allowed_record_conn_ids"


class Place(NamedTuple):
    """A record's folder, its path below that, and the connections that read it."""

    folder: str
    path: str
    aws_conn_id: str | None = None
    gcp_conn_id: str | None = None

    @property
    def url(self) -> str:
        """The whole place."""
        return f"{self.folder.rstrip('/')}/{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlaces:
    """
    What the configuration allows.

    :param prefixes: places that records may lie below, such as ``s3://bucket/kops-assets`` or
        ``/srv/mirror/kops-assets``. Without any, any bucket is allowed and no directory.
    :param conn_ids: connections that records may be read with. The SDKs' default credentials may
        always be used.
    """

    prefixes: Sequence[str] = ()
    conn_ids: Collection[str] = DEFAULT_CONN_IDS

    def allowed(self, status: ClusterStatus) -> Place:
        """
        Return where to read the record that a run names.

        :raises InvalidInputError: the page must not read it; the message says why.
        """
        scheme, folder, name = _parse(status.record or "")
        if name != f"{status.cluster}.json":
            raise _refused(status, f"a record of {status.cluster} has another name")
        folder, path = self._below_prefix(status, scheme, folder, name)
        aws = status.aws_conn_id if scheme is Scheme.S3 else None
        google = status.gcp_conn_id if scheme is Scheme.GS else None
        for conn_id in (aws, google):
            if conn_id is not None and conn_id not in self.conn_ids:
                raise _refused(status, f"the connection {conn_id!r} is not in {_CONN_IDS}")
        return Place(folder=folder, path=path, aws_conn_id=aws, gcp_conn_id=google)

    def _below_prefix(
        self, status: ClusterStatus, scheme: Scheme, folder: str, name: str
    ) -> tuple[str, str]:
        if not self.prefixes:
            if scheme is Scheme.FILE:
                raise _refused(status, f"a directory is read only if {_PLACES} has it")
            return folder, name
        for prefix in map(_normal_prefix, self.prefixes):
            if f"{folder}/".startswith(f"{prefix}/"):
                # A store of the prefix itself: links must not lead out of that.
                path = f"{folder.removeprefix(prefix)}/{name}".removeprefix("/")
                return prefix or "/", path
        raise _refused(status, f"it is not below one of {_PLACES}")


def _parse(url: str) -> tuple[Scheme, str, str]:
    """Return scheme, folder and name of a place in its normal form; raises InvalidInputError."""
    folder, name = split_place(url)
    target = locate_place(folder, name)
    is_file = target.scheme is Scheme.FILE
    folder = folder.removeprefix("file://") if is_file else folder
    # Several spellings of one place would pass or not pass for one prefix.
    is_normal = _is_normal_directory(folder) if is_file else str(target) == url
    if not is_normal or unquote(url) != url:
        problem = "it is not a plain path: no '..', '//' or percent-encoding"
        raise InvalidInputError(show_place(url), [problem])
    return target.scheme, folder, name


def _normal_prefix(prefix: str) -> str:
    try:
        target = locate_place(prefix, "x")
    except InvalidInputError as err:
        raise InvalidInputError(f"{_PLACES}, {show_place(prefix)}", err.problems) from err
    if target.scheme is Scheme.FILE:
        if not _is_normal_directory(target.root):
            raise InvalidInputError(f"{_PLACES}, {prefix}", ["it is not a plain path"])
        return target.root.removesuffix("/")
    return str(target).removesuffix("/x")


def _is_normal_directory(path: str) -> bool:
    # POSIX gives two slashes at the beginning a meaning of their own.
    return posixpath.normpath(path) == path and not path.startswith("//")


def _refused(status: ClusterStatus, why: str) -> InvalidInputError:
    return InvalidInputError(show_place(status.record or ""), [why])
