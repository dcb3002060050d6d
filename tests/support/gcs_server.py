"""
Google Cloud Storage in this process, with faults and a record of every request.

https://docs.cloud.google.com/storage/docs/json_api/v1: what ``google-cloud-storage`` and our store
need of it: descriptions, downloads, lists, and resumable uploads with conditions, hashes and
cancelling, which emulators lack. The JSON API lets everybody do everything, as its clients with
``AnonymousCredentials`` expect of an emulator. What it does not know it refuses with 501, for
instance uploads in one request, other conditions, copies and deletions. Objects are in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.support.content import content_response
from tests.support.gcs.errors import JsonError, invalid, not_implemented
from tests.support.gcs.objects import Bucket, StoredObject
from tests.support.gcs.uploads import Session, Uploads
from tests.support.http_server import HttpServer
from tests.support.messages import Request, Response
from tests.support.registry.errors import json_response
from tests.support.s3.errors import XmlError, access_denied
from tests.support.s3.pages import page_of

__all__ = ["Bucket", "GCSServer", "Session", "StoredObject"]

_MAX_RESULTS = 1000
_API = "/storage/v1/b/(?P<bucket>[^/]+)"


class _Route(NamedTuple):
    methods: str
    path: re.Pattern[str]
    handler: Callable[..., Response]


class GCSServer(HttpServer):
    """
    A fake Google Cloud Storage. Its options are attributes too, and may be changed while it runs.

    :param buckets: their names.
    :param public: everybody may read objects by ``/BUCKET/NAME``. Otherwise that needs an
        ``Authorization``, whatever is in it, or an object that everybody may read.
    :param page_size: of lists, at most.
    :param options: port, certificate, key and access_log, see :class:`HttpServer`.
    """

    def __init__(
        self,
        buckets: Iterable[str] = ("files",),
        *,
        public: bool = False,
        page_size: int = _MAX_RESULTS,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.buckets = {name: Bucket(name) for name in buckets}
        self.public = public
        self.page_size = page_size
        self._uploads = Uploads()
        self._routes = self._table()

    @property
    def sessions(self) -> dict[str, Session]:
        """The uploads that were begun and not cancelled, by their ids: ``session-0`` and so on."""
        return self._uploads.sessions

    @property
    def cancelled(self) -> list[str]:
        """The ids of the uploads that were cancelled."""
        return self._uploads.cancelled

    def put(self, bucket: str, name: str, data: bytes, **said: Any) -> StoredObject:
        """Store an object without a request; ``said`` goes to :class:`StoredObject`."""
        stored = self.buckets[bucket].objects[name] = StoredObject(bucket, name, data, **said)
        return stored

    def client(self) -> Any:
        """Return a client for it, ``google.cloud.storage.Client``, to be closed by the caller."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        return Client(
            project="test",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]  # Google's
            client_options={"api_endpoint": self.url},
        )

    def answer(self, request: Request) -> Response:
        """Answer as Google does, refusals included."""
        try:
            return self._route(request)
        except JsonError as error:
            return error.response()
        except XmlError as error:
            return error.response(request.method)

    def _table(self) -> list[_Route]:
        uploads = re.compile(f"/upload{_API}/o")
        one = re.compile(f"(?P<download>/download)?{_API}/o/(?P<name>.+)", re.DOTALL)
        return [
            _Route("POST", uploads, self._open_session),
            _Route("PUT", uploads, lambda request, bucket: self._uploads.send(request)),
            _Route("DELETE", uploads, lambda request, bucket: self._uploads.cancel(request)),
            _Route("GET", re.compile(_API), self._describe_bucket),
            _Route("GET", re.compile(f"{_API}/o"), self._list),
            _Route("GET", one, self._read),
        ]

    def _route(self, request: Request) -> Response:
        if not re.match("(/upload|/download)?/storage/v1/", request.path):
            return self._read_by_path(request)
        for route in self._routes:
            match = route.path.fullmatch(request.path)
            if match and request.method in route.methods:
                return route.handler(request, **match.groupdict())
        raise not_implemented(f"{request.method} {request.path}")

    def _open_session(self, request: Request, bucket: str) -> Response:
        # The name by which the client came: it may have come by a proxy.
        host = request.headers.get("Host", self.host)
        url = f"{self.url.partition('://')[0]}://{host}{request.target.partition('?')[0]}"
        return self._uploads.open(request, self._bucket(bucket), url)

    def _describe_bucket(self, request: Request, bucket: str) -> Response:
        name = self._bucket(bucket).name
        return json_response({"kind": "storage#bucket", "id": name, "name": name})

    def _list(self, request: Request, bucket: str) -> Response:
        objects = self._bucket(bucket).snapshot()
        params = request.params
        start, end = params.get("startOffset", ""), params.get("endOffset")
        asked = params.get("maxResults", str(_MAX_RESULTS))
        try:
            page = page_of(
                (name for name in objects if start <= name and (not end or name < end)),
                min(int(asked) or _MAX_RESULTS, _MAX_RESULTS, self.page_size),
                prefix=params.get("prefix", ""),
                delimiter=params.get("delimiter", ""),
                token=params.get("pageToken", ""),
            )
        except ValueError as err:
            raise invalid("Invalid argument.") from err
        found = {
            "items": [objects[name].description() for name in page.names],
            "prefixes": page.prefixes,
            "nextPageToken": page.next_token,
        }
        told = {name: value for name, value in found.items() if value}
        return json_response({"kind": "storage#objects", **told})

    def _read(self, request: Request, download: str | None, bucket: str, name: str) -> Response:
        place = self._bucket(bucket)
        stored = place.objects.get(name)
        wanted = request.params.get("generation")
        if stored is None or wanted not in {None, str(stored.generation)}:
            raise JsonError(404, "notFound", f"No such object: {bucket}/{name}")
        place.check_conditions(request.params, name)
        if request.params.get("alt") == "media":
            return _content(request, stored)
        if download:
            raise invalid("a download needs alt=media")
        return json_response(stored.description())

    def _read_by_path(self, request: Request) -> Response:
        """Answer for an address that browsers and nodes read from, in the manner of S3."""
        if request.method not in {"GET", "HEAD"}:
            raise XmlError(501, "NotImplemented", f"{request.method} is not implemented")
        bucket, _, name = request.path.removeprefix("/").partition("/")
        if bucket not in self.buckets:
            raise XmlError(404, "NoSuchBucket", "The specified bucket does not exist.")
        stored = self.buckets[bucket].objects.get(name)
        identified = "Authorization" in request.headers or "X-Goog-Signature" in request.params
        if not (identified or self.public or (stored and stored.is_public)):
            raise access_denied()
        if stored is None:
            raise XmlError(404, "NoSuchKey", "The specified key does not exist.")
        return _content(request, stored)

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise JsonError(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]


def _content(request: Request, stored: StoredObject) -> Response:
    return content_response(request, stored.data, f'"{stored.generation}"', stored.headers())
