"""A registry behind HTTP: requests that carry what it asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient, Response
from kops_assets_provider.http.rate_limits import quota
from kops_assets_provider.http.urls import origin
from kops_assets_provider.logs import get_logger
from kops_assets_provider.oci.auth import Login, RegistryAuth
from kops_assets_provider.oci.request_limits import Limits

log = get_logger(__name__)

_LOW = 1  # tenths of what a registry allows that are left when it is worth a warning


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
        self._tenth = 10
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

        Once more again if a token for many scopes was not good for this one.

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
            with self._introduced():
                response = self._answer(stack, send, url, scope, own, accept, asks=asks)
            yield response

    def _answer(
        self,
        stack: ExitStack,
        send: Callable[..., AbstractContextManager[Response]],
        url: str,
        scope: str,
        headers: dict[str, str],
        accept: Collection[int],
        *,
        asks: bool,
    ) -> Response:
        """Return the first answer that is no question who we are, or the last one."""
        attempt, tries = 0, 0
        while True:
            known = self._headers(url, scope)
            # A token that we had may have ended; the new one is then refused for other reasons.
            tries = tries or 1 + bool(known) + self._auth.scopes.is_shared(scope)
            last = not asks or attempt == tries
            stack.enter_context(self._limits.request())
            allowed = (*accept, *(() if last else (401,)))
            response = stack.enter_context(send(headers=headers | known, accept=allowed))
            self._note_quota(response)
            if last or response.status != 401:
                return response
            challenges = response.all_of("WWW-Authenticate")
            redirected = not self._is_ours(response.url)
            stack.close()
            # A registry redirects to its storage; what that asks for is not the registry's to get.
            if not redirected:
                self._learn(challenges, scope, known, is_refusal=attempt > 0)
            attempt += 1

    def _note_quota(self, response: Response) -> None:
        found = quota(response.headers)
        if found is None:
            return
        # Once for each tenth that is gone: a warning must not be one of hundreds.
        tenth = found.remaining * 10 // max(1, found.limit)
        if tenth < min(self._tenth, _LOW + 1):
            log.warning(
                "%s lets us ask for %d more manifests of %d in %d seconds",
                *(self.url, found.remaining, found.limit, found.window),
            )
        self._tenth = tenth

    def _learn(
        self, challenges: list[str], scope: str, sent: Mapping[str, str], *, is_refusal: bool
    ) -> None:
        self._auth.accept_challenge(challenges, scope, sent)
        if is_refusal:
            self._auth.scopes.refuse(scope)

    @contextmanager
    def _introduced(self) -> Iterator[None]:
        """Let one request go before all others: what it is asked tells them how to ask."""
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
