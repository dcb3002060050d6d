"""
How registries ask for credentials, and to whom we give them.

A registry answers 401 with a challenge, ``Basic`` or ``Bearer realm=…,service=…``. For ``Basic``
the login goes with each request to that registry. For ``Bearer`` a token is fetched from the realm,
with the login if there is one, and goes with each request until shortly before it ends
(https://distribution.github.io/distribution/spec/auth/token/).

The realm is whatever the server says, so it is the weak point: in 2026 five copiers were led to
send credentials to a stranger. Ours go to the registry's own host, to a host that the user
declared, or to one of the few that are known to belong together. A realm elsewhere is asked for
anonymous tokens alone; an insecure one, or one that points inside, is not asked at all.
"""

from __future__ import annotations

import base64
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    PermanentError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.challenges import parse_challenges
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.json_bodies import parse_json
from kops_assets_provider.http.urls import (
    DEFAULT_PORTS,
    Origin,
    is_loopback,
    lead,
    origin,
    redact,
)
from kops_assets_provider.oci.scopes import Scopes
from kops_assets_provider.redaction import remember

_KNOWN_TOKEN_HOSTS = {
    "registry-1.docker.io": frozenset({"auth.docker.io"}),
    "registry.gitlab.com": frozenset({"gitlab.com"}),
}
_DEFAULT_LIFE = 60.0  # seconds that a token lives if the server does not say
_LONGEST_LIFE = 86_400.0  # seconds
_RENEW_BEFORE = 20.0  # seconds, so that a token does not end between our clock and the server's
_RENEW_LOGIN_BEFORE = 120.0  # seconds; a cloud that keeps a token gives a new one by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """
    A registry's credentials.

    :param token_hosts: hosts (``host`` or ``host:port``) that may see them beside the registry.
    :param name: where they come from, for messages: ``connection my_registry``.
    :param expires_at: when they end, by ``time.monotonic``; None if they do not.
    :param renew: gets new ones, shortly before these end.
    """

    username: str
    password: str = field(repr=False)
    token_hosts: frozenset[str] = frozenset()
    name: str = "the given credentials"
    expires_at: float | None = None
    renew: Callable[[], Login] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hide the password in all that is shown, whoever quotes it."""
        remember(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class _CurrentLogin:
    """A login that is renewed shortly before it ends, once for all threads."""

    def __init__(self, login: Login, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._set(login)

    def get(self) -> Login:
        """Return the login, or the one that it was renewed to."""
        with self._lock:
            if self._login.renew and self._renew_at < self._clock():
                self._set(self._login.renew())
            return self._login

    def _set(self, login: Login) -> None:
        now = self._clock()
        life = math.inf if login.expires_at is None else login.expires_at - now
        self._login = login
        self._renew_at = now + max(life - _RENEW_LOGIN_BEFORE, life / 2)


class RegistryAuth:
    """
    The ``Authorization`` header for one registry; safe to share between threads.

    :param clock: tells when the login ends.
    """

    def __init__(
        self,
        client: HttpClient,
        url: str,
        login: Login | None,
        side: Side,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = url
        # As it was given: who it is, and where it may go, stay. Its password may be renewed.
        self._login = login
        self._current = _CurrentLogin(login, clock) if login else None
        self._side = side
        self._basic = False
        self._realm: Mapping[str, str] = {}
        self._tokens: dict[frozenset[str], _Token] = {}
        self._locks: dict[frozenset[str], threading.Lock] = defaultdict(threading.Lock)
        self.scopes = Scopes()

    @property
    def hint(self) -> str:
        """What to do when access is denied."""
        rights = "push" if self._side is Side.TARGET else "pull"
        if self._login:
            return f"{self._login.name} is refused, or needs {rights} rights there"
        return f"no credentials are set for this registry, and {rights} needs them"

    def headers(self, scope: str) -> dict[str, str]:
        """Return the header that the registry is known to want for ``scope``, if it is known."""
        if self._basic:
            return self._basic_header()
        if self._realm:
            return {"Authorization": f"Bearer {self._token(scope)}"}
        return {}

    def accept_challenge(
        self, headers: list[str], scope: str, sent: Mapping[str, str] | None = None
    ) -> None:
        """
        Learn from the ``WWW-Authenticate`` headers of a 401 what ``headers`` must return.

        :param sent: what ``headers`` had returned for the request that was refused.
        :raises AccessDeniedError: there is no login to answer it with.
        """
        challenges = parse_challenges(headers)
        bearers = (x.parameters for x in challenges if x.scheme == "bearer")
        if bearer := next((x for x in bearers if "realm" in x), None):
            self._realm = bearer
            self._basic = False
            self._forget_refused(scope, (sent or {}).get("Authorization"))
        elif self._login and any(x.scheme == "basic" for x in challenges):
            self._basic = True
        else:
            raise AccessDeniedError(f"{self._host} answered 401; {self.hint}", side=self._side)

    def forget(self, scope: str) -> None:
        """Drop the token for ``scope``: the registry refused it."""
        self._tokens.pop(self.scopes.group(scope), None)

    def _forget_refused(self, scope: str, sent: str | None) -> None:
        # Another thread may have got a new one since: that is not the one that was refused.
        scopes = self.scopes.group(scope)
        token = self._tokens.get(scopes)
        if token and sent == f"Bearer {token.value}":
            self._tokens.pop(scopes, None)

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    def _token(self, scope: str) -> str:
        try:
            return self._token_for(self.scopes.group(scope))
        except UntrustedServerError:
            raise
        except PermanentError:
            # One scope of many may be what is refused: then each is asked for by itself.
            if not self.scopes.is_shared(scope):
                raise
            self.scopes.refuse(scope)
            return self._token_for(self.scopes.group(scope))

    def _token_for(self, scopes: frozenset[str]) -> str:
        # Whoever needs the same token waits for it; other scopes do not wait.
        with self._locks[scopes]:
            token = self._tokens.get(scopes)
            if token is None or token.renew_at < time.monotonic():
                token = self._tokens[scopes] = self._fetch_token(scopes)
            return token.value

    def _fetch_token(self, scopes: frozenset[str]) -> _Token:
        realm = self._realm.get("realm", "")
        self._check_realm(realm)
        headers = self._basic_header()
        asked = [("service", self._realm.get("service", ""))]
        asked += [("scope", x) for x in sorted(scopes)]
        query = urlencode([(k, v) for k, v in asked if v])
        url = f"{realm}{'&' if '?' in realm else '?'}{query}"
        with self._client.request(
            "GET", url, side=self._side, headers=headers, hint=self.hint, led_by=self._url
        ) as response:
            return self._parse_token(response.read(), realm)

    def _parse_token(self, body: bytes, realm: str) -> _Token:
        try:
            answer = parse_json(body)
            value = answer.get("token") or answer["access_token"]
            life = max(0.0, float(answer.get("expires_in") or _DEFAULT_LIFE))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            value, life = None, 0.0
        # A header must not be cut in two by what a server calls its token.
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise self._untrusted(realm, "answered with something that is not a token")
        life = min(life, _LONGEST_LIFE)
        return _Token(value=value, renew_at=time.monotonic() + max(life - _RENEW_BEFORE, life / 2))

    def _basic_header(self) -> dict[str, str]:
        return {"Authorization": _basic(self._current.get())} if self._current else {}

    def _check_realm(self, realm: str) -> None:
        """Raise UntrustedServerError if ``realm`` may not be asked, with our login or without."""
        try:
            lead(self._url, realm)
            there, here = origin(realm), origin(self._url)
        except ValueError as err:
            raise self._untrusted(realm, f"must not be asked: {err}") from None
        if there == here:
            return
        if there.scheme != "https" and not is_loopback(there.host):
            raise self._untrusted(realm, "must not be asked: it is not an HTTPS URL")
        known = _KNOWN_TOKEN_HOSTS.get(here.host, frozenset())
        if self._login and not _names(there) & (known | self._login.token_hosts):
            advice = f"add it to the token hosts of {self._login.name} to trust it"
            raise self._untrusted(realm, f"is another host; {advice}")

    def _untrusted(self, realm: str, why: str) -> UntrustedServerError:
        shown = redact(realm)[:200]
        return UntrustedServerError(f"{self._host}: its token realm {shown} {why}", side=self._side)


def _names(there: Origin) -> frozenset[str]:
    """Return how a user may have written a host: with its port, or without the usual one."""
    host = f"[{there.host}]" if ":" in there.host else there.host
    usual = there.port == DEFAULT_PORTS[there.scheme]
    return frozenset({f"{host}:{there.port}", *([host] if usual else ())})


def _basic(login: Login) -> str:
    pair = f"{login.username}:{login.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
