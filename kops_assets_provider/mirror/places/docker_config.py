"""
Logins from Docker's ``config.json``, as ``docker login`` and credential helpers leave them.

https://docs.docker.com/reference/cli/docker/login/#credential-stores. A host's helper goes first
(``credHelpers``), then the store for all hosts (``credsStore``), then what the file itself has
(``auths``). Keys name hosts, with or without ``https://`` and the ``/v1/`` or ``/v2/`` of old.
Those that name a part of a registry, as Podman has them (``quay.io/team``), are passed over:
whatever they hold is not meant for the whole host.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError, TransientError
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.reference import DOCKER_HUB
from kops_assets_provider.regular_files import read_document

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = {"index.docker.io", "registry-1.docker.io", DOCKER_HUB}
_KEY = re.compile(r"(?:https?://)?(?P<host>[^/]+)(?:/v[12])?/?")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_SECONDS = 30.0
# A helper does not say when its credentials end. Those of gcloud do within the hour.
_ASK_AGAIN_SECONDS = 600.0
_TOKEN_USER = "<token>"  # noqa: S105  # how a helper says that its secret is an identity token


class DockerConfig:
    """
    What such a file says, all of it checked.

    :param where: the file, for messages.
    :param helper_seconds: limit for a helper's answer.
    """

    def __init__(
        self, document: Mapping[str, Any], where: str, helper_seconds: float = _HELPER_SECONDS
    ) -> None:
        self._where = where
        self._helper_seconds = helper_seconds
        self._auths: Any = document.get("auths") or {}
        self._helpers: Any = document.get("credHelpers") or {}
        self._store: Any = document.get("credsStore") or None
        if problems := self._problems():
            raise InvalidInputError(where, problems)

    @classmethod
    def load(cls, path: str | Path | None = None) -> DockerConfig:
        """
        Read a file of at most 16 MiB; by default Docker's own, if there is one.

        A file that is named may be a pipe, as a shell's ``<(…)`` and password managers give.

        :raises InvalidInputError: the file is not there, or not such a file.
        """
        file = Path(path) if path else _default_file()
        try:
            document = json.loads(read_document(file, pipes=path is not None))
        except FileNotFoundError as err:
            if path is None:
                return cls({}, str(file))
            raise InvalidInputError(str(file), ["there is no such file"]) from err
        except OSError as err:
            raise InvalidInputError(str(file), [f"cannot be read: {err.strerror}"]) from err
        except (ValueError, RecursionError):
            # Without its cause: a decoder's error has the whole document with it.
            raise InvalidInputError(str(file), ["it is not JSON"]) from None
        if not isinstance(document, dict):
            raise InvalidInputError(str(file), ["it is not a mapping"])
        return cls(document, str(file))

    def login(self, host: str) -> Login | None:
        """
        Return the login for a registry's host, as references spell it; None if there is none.

        :raises InvalidInputError: its entry cannot be used.
        :raises AccessDeniedError: its helper failed.
        :raises TransientError: its helper did not answer in time.
        """
        helper = _find(self._helpers, host) or self._store
        login = self._by_helper(helper, host) if helper else None
        entry = _find(self._auths, host)
        return login or (self._by_entry(entry, host) if entry else None)

    def _problems(self) -> list[str]:
        maps = {"auths": self._auths, "credHelpers": self._helpers}
        wrong = [f"{x} is not a mapping" for x, y in maps.items() if not isinstance(y, Mapping)]
        if wrong:
            return wrong
        if not all(isinstance(x, Mapping) for x in self._auths.values()):
            wrong.append("auths has something else than mappings")
        for key, helper in {**self._helpers, "credsStore": self._store or "none"}.items():
            # It becomes a part of a program's name, which must not be a path.
            if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
                wrong.append(f"the helper of {key} is not the name of one")
        return wrong

    def _by_entry(self, entry: Mapping[str, Any], host: str) -> Login | None:
        if entry.get("identitytoken"):
            raise self._unsupported(host)
        username, password = entry.get("username"), entry.get("password")
        if entry.get("auth"):
            username, password = self._decoded(entry["auth"], host)
        if not username:
            return None
        if not isinstance(username, str) or not isinstance(password, str):
            raise InvalidInputError(self._where, [f"what auths has for {host} is not text"])
        return Login(username=username, password=password, name=self._where)

    def _decoded(self, auth: Any, host: str) -> tuple[str, str]:
        try:
            text = base64.b64decode(auth, validate=True).decode()
        except (TypeError, ValueError, binascii.Error):
            text = ""
        username, colon, password = text.partition(":")
        if not colon:
            problem = f"auth of {host} is not the base64 of user:password"
            raise InvalidInputError(self._where, [problem]) from None
        # Docker's own reader drops these as well.
        return username, password.rstrip("\0")

    def _by_helper(self, helper: str, host: str) -> Login | None:
        program = f"docker-credential-{helper}"
        key = _HUB_KEY if host == DOCKER_HUB else host
        answer = _ask(program, key, self._helper_seconds)
        if answer is None:
            return None
        username, secret = answer.get("Username"), answer.get("Secret")
        if username == _TOKEN_USER:
            raise self._unsupported(host)
        if not isinstance(username, str) or not isinstance(secret, str):
            raise AccessDeniedError(f"{program} answered without user name and secret for {host}")
        if not username:
            return None
        ends = time.monotonic() + _ASK_AGAIN_SECONDS
        renew = partial(self._renewed, helper, host)
        return Login(username=username, password=secret, name=program, expires_at=ends, renew=renew)

    def _renewed(self, helper: str, host: str) -> Login:
        if login := self._by_helper(helper, host):
            return login
        raise AccessDeniedError(
            f"docker-credential-{helper} has no credentials for {host} any more"
        )

    def _unsupported(self, host: str) -> InvalidInputError:
        problem = f"it has an identity token for {host}, which is not supported"
        advice = "log in with a user name and a password or access token"
        return InvalidInputError(self._where, [f"{problem}: {advice}"])


def _default_file() -> Path:
    directory = os.environ.get("DOCKER_CONFIG")
    return (Path(directory) if directory else Path.home() / ".docker") / "config.json"


def _find(entries: Mapping[str, Any], host: str) -> Any:
    """Return the entry whose key is the host itself, or else stands for it."""
    if host in entries:
        return entries[host]
    return next((entry for key, entry in entries.items() if _host_of(key) == host), None)


def _host_of(key: str) -> str | None:
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return DOCKER_HUB if found["host"] in _HUB_HOSTS else found["host"]


def _ask(program: str, key: str, seconds: float) -> Mapping[str, Any] | None:
    """Return what a helper says of a key; None if it has nothing. Its words are not repeated."""
    status, out = _run(program, key, seconds)
    if status != 0 and b"credentials not found" in out:
        return None
    advice = f"try: echo {key} | {program} get"
    if status != 0:
        raise AccessDeniedError(f"{program} failed for {key}, with status {status}; {advice}")
    try:
        answer = json.loads(out)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, Mapping):
        raise AccessDeniedError(f"{program} answered {key} with something else than JSON; {advice}")
    return answer


def _run(program: str, key: str, seconds: float) -> tuple[int, bytes]:
    # A group of its own: what the helper has started is killed with it.
    try:
        process = subprocess.Popen(  # noqa: S603  # no shell, and it is the user's own
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as err:
        problem = f"cannot be run: {err.strerror}; is it on PATH?"
        raise InvalidInputError(program, [problem]) from err
    try:
        out, _ = process.communicate(key.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        # Without its cause, which has what the helper has printed so far.
        raise TransientError(f"{program} did not answer within {seconds:g} s") from None
    finally:
        _end(process)
    return process.returncode, out


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()
