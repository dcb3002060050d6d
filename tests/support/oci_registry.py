"""
A registry in this process: the OCI Distribution Spec v1.1, with faults and real servers' quirks.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md. Where the spec leaves a
choice it does as Debian's docker-registry 2.8 does; both pass the same tests.

From a shell: ``python -m tests.support.oci_registry --port 5000 --root DIR``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.support.command_line import run_server, server_arguments
from tests.support.http_server import HttpServer
from tests.support.messages import Request, Response
from tests.support.registry.auth import Auth, BasicAuth, TokenAuth
from tests.support.registry.blobs import BlobEndpoints
from tests.support.registry.errors import RegistryError, json_response
from tests.support.registry.manifests import ManifestEndpoints
from tests.support.registry.quirks import NO_QUIRKS, Quirks
from tests.support.registry.storage import RegistryStorage

__all__ = ["BasicAuth", "OciRegistryServer", "Quirks", "TokenAuth"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"(?P<name>{_COMPONENT}(?:/{_COMPONENT})*)"


class _Route(NamedTuple):
    methods: str
    path: str
    action: str
    """What the client must be allowed to do in the repository."""
    handler: Callable[..., Response]


class OciRegistryServer(HttpServer):
    """
    A fake registry.

    :param root: directory for the content, which survives restarts; without it, a temporary one.
    :param auth: :class:`BasicAuth` or :class:`TokenAuth`; None lets everybody do everything.
    :param quirks: deviations from the spec to play.
    :param options: port, certificate, key and access_log, see :class:`HttpServer`.
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        auth: Auth | None = None,
        quirks: Quirks = NO_QUIRKS,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.auth = auth
        self.quirks = quirks
        self._temporary = None if root else TemporaryDirectory(prefix="oci-registry-")
        self.storage = RegistryStorage(root or Path(str(self._temporary and self._temporary.name)))
        self._routes = _routes(self.storage, quirks)

    def stop(self) -> None:
        """Stop serving. Content without a ``root`` is gone."""
        super().stop()
        if self._temporary:
            self._temporary.cleanup()

    def answer(self, request: Request) -> Response:
        """Answer as the spec says, refusals included."""
        try:
            response = self._route(request)
        except RegistryError as error:
            response = error.response()
        location = response.headers.get("Location", "")
        if self.quirks.absolute_locations and location.startswith("/"):
            headers = {**response.headers, "Location": self.url + location}
            response = replace(response, headers=headers)
        return response

    def _route(self, request: Request) -> Response:
        if request.path == "/token" and self.auth and (token := self.auth.token_response(request)):
            return token
        found = False
        for route in self._routes:
            match = re.fullmatch(route.path, request.path)
            found = found or match is not None
            if match and request.method in route.methods.split():
                self._admit(request, match.groupdict().get("name"), route.action)
                return route.handler(request, **match.groupdict())
        message = f"{request.method} {request.path} is not served"
        raise RegistryError(405 if found else 404, "UNSUPPORTED", message)

    def _admit(self, request: Request, name: str | None, action: str) -> None:
        """Refuse who may not do it, and what this registry does not do."""
        scopes = [f"repository:{name}:{action}"] if name else []
        if name and "from" in request.params:
            scopes.append(f"repository:{request.params['from']}:pull")
        challenge = self.auth and self.auth.challenge(request, scopes, self.url)
        if challenge:
            headers = {"WWW-Authenticate": challenge}
            raise RegistryError(401, "UNAUTHORIZED", "authentication required", headers)
        if action != "pull" and self.quirks.read_only:
            raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")
        required = action == "push" and self.quirks.require_existing_repositories
        if name and required and not self.storage.has_repository(name):
            raise RegistryError(404, "NAME_UNKNOWN", f"repository {name} does not exist")


def _routes(storage: RegistryStorage, quirks: Quirks) -> list[_Route]:
    """Return the spec's table of endpoints."""
    manifests = ManifestEndpoints(storage, quirks)
    blobs = BlobEndpoints(storage, quirks)
    manifest = f"/v2/{_NAME}/manifests/(?P<reference>[^/]+)"
    blob = f"/v2/{_NAME}/blobs/(?P<digest>[^/]+)"
    uploads = f"/v2/{_NAME}/blobs/uploads/?"
    upload = f"/v2/{_NAME}/blobs/uploads/(?P<upload_id>[^/]+)"
    return [
        _Route("GET HEAD", "/v2/?", "pull", lambda request: json_response({})),
        _Route("GET", "/v2/_catalog", "pull", manifests.list_repositories),
        _Route("GET", f"/v2/{_NAME}/tags/list", "pull", manifests.list_tags),
        _Route("GET HEAD", manifest, "pull", manifests.pull),
        _Route("PUT", manifest, "push", manifests.push),
        _Route("DELETE", manifest, "delete", manifests.delete),
        _Route("POST", uploads, "push", blobs.start_upload),
        _Route("GET", upload, "push", blobs.upload_status),
        _Route("PATCH", upload, "push", blobs.patch_upload),
        _Route("PUT", upload, "push", blobs.finish_upload),
        _Route("DELETE", upload, "push", blobs.cancel_upload),
        _Route("GET HEAD", blob, "pull", blobs.pull),
        _Route("DELETE", blob, "delete", blobs.delete),
    ]


def main() -> None:
    """Serve a directory until SIGTERM or Ctrl-C."""
    parser = server_arguments("A registry for tests and demonstrations, on 127.0.0.1.")
    parser.add_argument("--root", type=Path, required=True, help="directory with the content")
    parser.add_argument("--read-only", action="store_true", help="refuse pushes")
    arguments = parser.parse_args()
    run_server(
        OciRegistryServer(
            root=arguments.root,
            quirks=Quirks(read_only=arguments.read_only),
            port=arguments.port,
            access_log=arguments.access_log,
        )
    )


if __name__ == "__main__":
    main()
