"""A registry behind HTTP: requests that carry what it asks for."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient, Response
from kops_assets_provider.http.urls import origin
from kops_assets_provider.oci.auth import Login, RegistryAuth
from kops_assets_provider.oci.limits import Limits

_ATTEMPTS = 3  # without a token, with one for many scopes, with one for its own


class RegistryClient:
    """
    Speaks to one registry as one user; shared by all of its repositories, so that tokens are.

    :param url: the registry's base URL, such as ``https://registry.k8s.io``.
    :param side: whether it is copied from or to, for messages.
    :param limits: how much may be asked of it at a time.
    """

    def __init__(
        self,
        http: HttpClient,
        url: str,
        login: Login | None,
        side: Side,
        limits: Limits | None = None,
    ) -> None:
        self._http = http
        self._auth = RegistryAuth(http, url, login, side)
        self._limits = limits or Limits()
        self._meeting = threading.Lock()
        self._has_met = False
        self.url = url.rstrip("/")
        self.side = side

    def expect(self, scopes: Iterable[str]) -> None:
        """Get ready for requests with these scopes: one token for them all, if there are tokens."""
        self._auth.scopes.expect(scopes)

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
        ours = self._is_ours(url)
        send = partial(
            self._http.request,
            method,
            url,
            side=self.side,
            body=body,
            hint=self._auth.hint,
            led_by=None if ours else self.url,
        )
        own = dict(headers or {})
        # What cannot be sent twice, or is sent elsewhere, is no occasion to tell who we are.
        asks = not isinstance(body, Iterator) and ours
        with ExitStack() as stack:
            for attempt in range(_ATTEMPTS):
                last = not asks or attempt > self._auth.scopes.is_shared(scope)
                allowed = (*accept, *(() if last else (401,)))
                with self._introduced():
                    stack.enter_context(self._limits.request())
                    sent = send(headers=own | self._headers(url, scope), accept=allowed)
                    response = stack.enter_context(sent)
                if last or response.status != 401:
                    break
                challenge = response.headers.get("WWW-Authenticate", "")
                redirected = not self._is_ours(response.url)
                stack.close()
                # A registry redirects to its storage; what that asks for is not the registry's.
                if not redirected:
                    self._learn(challenge, scope, is_refusal=attempt > 0)
            yield response

    def _learn(self, challenge: str, scope: str, *, is_refusal: bool) -> None:
        if is_refusal:
            self._auth.scopes.refuse(scope)
        self._auth.accept_challenge(challenge, scope)

    @contextmanager
    def _introduced(self) -> Iterator[None]:
        """Let one request go before all others: its answer tells how to ask."""
        if not self._has_met:
            with self._meeting:
                if not self._has_met:
                    try:
                        yield
                    finally:
                        self._has_met = True
                    return
        yield

    def forget(self, scope: str) -> None:
        """Drop what was learnt of ``scope``: the registry refused what it had accepted."""
        self._auth.forget(scope)

    def _is_ours(self, url: str) -> bool:
        return origin(url) == origin(self.url)

    def _headers(self, url: str, scope: str) -> dict[str, str]:
        # An upload may be sent to another host, which must not see our credentials.
        return self._auth.headers(scope) if self._is_ours(url) else {}
