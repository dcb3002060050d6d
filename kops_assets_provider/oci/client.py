"""A registry behind HTTP: requests that carry what it asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient, Response
from kops_assets_provider.http.urls import origin
from kops_assets_provider.oci.auth import Login, RegistryAuth


class RegistryClient:
    """
    Speaks to one registry as one user; shared by all of its repositories, so that tokens are.

    :param url: the registry's base URL, such as ``https://registry.k8s.io``.
    :param side: whether it is copied from or to, for messages.
    """

    def __init__(self, http: HttpClient, url: str, login: Login | None, side: Side) -> None:
        self._http = http
        self._auth = RegistryAuth(http, url, login, side)
        self.url = url.rstrip("/")
        self.side = side

    def ping(self) -> None:
        """Ask whether we may speak to the registry at all; raises KopsAssetsError if not."""
        with self.request("GET", f"{self.url}/v2/", scope=""):
            pass

    @contextmanager
    def request(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        accept: Collection[int] = (),
    ) -> Iterator[Response]:
        """
        Send a request, and send it once more if the registry asks who we are.

        :param scope: the token scope that it needs, ``repository:<name>:<rights>``.
        :param body: bytes; or an iterator, which is sent once, after another request of the same
            scope.
        :param accept: statuses beside 2xx that the caller wants to see.
        :raises KopsAssetsError: see ``HttpClient.request``.
        """
        send = partial(
            self._http.request, method, url, side=self.side, body=body, hint=self._auth.hint
        )
        own = dict(headers or {})
        # What cannot be sent twice, or is sent elsewhere, is no occasion to tell who we are.
        asks = not isinstance(body, Iterator) and self._is_ours(url)
        with send(
            headers=own | self._headers(url, scope), accept=(*accept, *((401,) if asks else ()))
        ) as response:
            if response.status != 401 or not asks:
                yield response
                return
            challenge = response.headers.get("WWW-Authenticate", "")
            # A registry redirects to its storage; what that asks for is not the registry's to get.
            redirected = not self._is_ours(response.url)
        if not redirected:
            self._auth.accept_challenge(challenge, scope)
        with send(headers=own | self._headers(url, scope), accept=accept) as response:
            yield response

    def forget(self, scope: str) -> None:
        """Drop what was learnt of ``scope``: the registry refused what it had accepted."""
        self._auth.forget(scope)

    def _is_ours(self, url: str) -> bool:
        return origin(url) == origin(self.url)

    def _headers(self, url: str, scope: str) -> dict[str, str]:
        # An upload may be sent to another host, which must not see our credentials.
        return self._auth.headers(scope) if self._is_ours(url) else {}
