"""How a fake registry asks who is there: Basic, or the token dance that Docker Hub and GHCR do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import parse_qsl

from tests.support.messages import Request, Response


class Auth(ABC):
    """A way to decide whether a request may do something."""

    @abstractmethod
    def challenge(self, request: Request, scopes: list[str], url: str) -> str | None:
        """
        Return None if the request may go on, otherwise the ``WWW-Authenticate`` of a 401.

        :param scopes: each ``repository:<name>:<action>``; none for the base endpoint.
        :param url: of the registry.
        """

    def token_response(self, request: Request) -> Response | None:
        """Return the answer of the token endpoint, if there is one."""
        return None


@dataclass(frozen=True)
class BasicAuth(Auth):
    """User name and password with every request (RFC 7617)."""

    username: str
    password: str = field(repr=False)

    def challenge(self, request: Request, scopes: list[str], url: str) -> str | None:
        """Let through who sends the right name and password."""
        if _basic_credentials(request.headers) == (self.username, self.password):
            return None
        return 'Basic realm="registry"'


@dataclass
class TokenAuth(Auth):
    """
    Short-lived bearer tokens, given out at ``/token`` of the same server for Basic credentials.

    Follows https://distribution.github.io/distribution/spec/auth/token/ in the GET form.

    :param anonymous_pull: whether a token for pulling is given without credentials.
    :param expires_in: seconds that a token is good for.
    :param realm: what the challenge names as token server instead of our own (to play an evil one).
    """

    username: str
    password: str = field(repr=False)
    anonymous_pull: bool = True
    expires_in: int = 300
    realm: str | None = None
    service: str = "registry.test"
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def expire_all(self) -> None:
        """Make all tokens that were given out so far useless."""
        self._key = secrets.token_bytes(32)

    def challenge(self, request: Request, scopes: list[str], url: str) -> str | None:
        """Let through who sends a token of ours that covers all scopes."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        granted = self._scopes_of(token) if kind.lower() == "bearer" else None
        if granted is not None and granted.issuperset(scopes):
            return None
        parameters = {"realm": self.realm or f"{url}/token", "service": self.service}
        if scopes:
            parameters["scope"] = " ".join(scopes).replace(":push", ":pull,push")
        if granted is not None:
            parameters["error"] = "insufficient_scope"
        return "Bearer " + ",".join(f'{name}="{value}"' for name, value in parameters.items())

    def token_response(self, request: Request) -> Response:
        """Answer with a token for what is asked and allowed; 401 for wrong credentials."""
        credentials = _basic_credentials(request.headers)
        if credentials not in {None, (self.username, self.password)}:
            return Response(401, {"WWW-Authenticate": 'Basic realm="token"'})
        if credentials is None and not self.anonymous_pull:
            return Response(401, {"WWW-Authenticate": 'Basic realm="token"'})
        allowed = {"pull"} if credentials is None else {"pull", "push", "delete"}
        token = self._sign(_single_scopes(request.query, allowed))
        answer = {"token": token, "access_token": token, "expires_in": self.expires_in}
        return Response(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _sign(self, scopes: list[str]) -> str:
        claims = json.dumps({"scopes": scopes, "expires": time.time() + self.expires_in})
        payload = base64.urlsafe_b64encode(claims.encode()).decode()
        return f"{payload}.{self._signature(payload)}"

    def _signature(self, payload: str) -> str:
        return hmac.new(self._key, payload.encode(), hashlib.sha256).hexdigest()

    def _scopes_of(self, token: str) -> set[str] | None:
        """Return the scopes that a token covers; None if it is expired or not ours."""
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature, self._signature(payload)):
            return None
        claims = json.loads(base64.urlsafe_b64decode(payload))
        return set(claims["scopes"]) if claims["expires"] > time.time() else None


def _single_scopes(query: str, allowed: set[str]) -> list[str]:
    """Split ``scope=repository:a:pull,push&scope=...`` into one scope per allowed action."""
    requested = " ".join(value for name, value in parse_qsl(query) if name == "scope")
    found = re.findall(r"(repository:[^\s:]+):([\w,*]+)", requested)
    return [
        f"{resource}:{action}"
        for resource, actions in found
        for action in (actions.split(",") if actions != "*" else sorted(allowed))
        if action in allowed
    ]


def _basic_credentials(headers: Message) -> tuple[str, str] | None:
    kind, _, encoded = headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ("", "")
    return name, password
