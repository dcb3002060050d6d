"""
The list that ``kops get assets`` itself gives, for releases that there is no catalogue for.

The program gets an environment that its caller chooses, and nothing secret as an argument, since
arguments can be seen by everybody on the machine. What it says is shown without the secrets of
that environment: they are hidden in all of its words, before anything is cut from them.
Rule: ``cmd/kops/get_assets.go`` and ``cmd/kops/version.go``, kOps v1.36.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from kops_assets_provider.exceptions import (
    InvalidInputError,
    KopsAssetsError,
    PermanentError,
    StoppedError,
    TransientError,
)
from kops_assets_provider.http.urls import redact
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.documents import load_json
from kops_assets_provider.mirror.lists.child_process import ChildProcess
from kops_assets_provider.redaction import USER_INFO, redact_urls, split_closing, without_secrets

_TIMEOUT = 600.0  # seconds; kOps asks the cloud about hundreds of things
_SHOWN = 1000  # characters of what it says, in a message
_LINE = 8  # characters from which on one line of a secret is a secret itself
_SECRET = re.compile(
    r"SECRET|TOKEN|PASS|_PWD|KEY|CRED|AUTH|SESSION|COOKIE|SIGNATURE|PRIVATE|DSN|CONN|JWT"
    r"|(?<!NO_)PROXY",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"[\r\n]+|\\[rn]")  # also as JSON writes it
_PATH = re.compile(r"(?<!\S)(?!HTTP/\d)\S*/\S*")
_LOG_LINE = re.compile(r"[IW]\d{4} \d\d:\d\d:")
# kOps ends with 1 whatever happened; Go's and the clouds' words tell what may pass. A "timeout"
# inside of a longer name is a field's (spec.timeoutSeconds) or a host's.
_MAY_PASS = re.compile(
    r"(?<![\w.-])timeout(?![\w-]|\.\w)|Client\.Timeout|RequestTimeout|timed out|deadline exceeded"
    r"|connection (?:refused|reset)|no such host|unexpected EOF|(?:^|: )EOF\b"
    r"|temporarily unavailable|Throttl|RequestLimitExceeded|SlowDown|Too ?Many ?Requests"
    r"|Service ?Unavailable|Internal ?Server ?Error|InternalError|Bad ?Gateway|Gateway ?Time-?out"
    r"|(?:status|code|error|response|responded|HTTP(?:/[\d.]+)?)(?: with)?[:=]? ?(?:429|5\d\d)\b"
    r"|^(?:429|5\d\d)(?=:|$)",
    re.IGNORECASE,
)


class KopsCommand:
    """
    A kops program.

    :param program: its path, or its name if it is on the PATH.
    :param env: all of its environment: credentials too belong here.
    :param timeout_seconds: after which it is killed.
    """

    def __init__(
        self, program: str, env: Mapping[str, str], timeout_seconds: float = _TIMEOUT
    ) -> None:
        self._program = program
        self._env = dict(env)
        self._timeout = timeout_seconds
        self._child: ChildProcess | None = None
        self._is_stopped = False

    def version(self) -> str:
        """Return the program's release, ``1.36.2``; raises what :meth:`list_assets` raises."""
        return self._run(["version", "--short"], self._env).strip()

    def list_assets(self, state_store: str, cluster: str) -> ClusterAssets:
        """
        Return what the program lists for a cluster.

        :raises InvalidInputError: the program cannot be run.
        :raises PermanentError: it failed, or printed no list; the message has what it said.
        :raises TransientError: it failed for what may pass, or did not end in time.
        :raises StoppedError: :meth:`stop` was called, at whatever time.
        """
        # The cluster's name in one word with its option: it could look like another option.
        arguments = ["get", "assets", f"--name={cluster}", "--output=json"]
        env = {**self._env, "KOPS_STATE_STORE": state_store}
        out = self._run(arguments, env, [cluster, *_names_in(state_store)])
        return ClusterAssets.from_dict(self._json(out, env), f"the output of {self._program}")

    def stop(self) -> None:
        """Kill the program, and what it has started, and let it never be started again."""
        # In this order: who starts it looks at the one after having set the other.
        self._is_stopped = True
        if self._child:
            self._child.kill()

    def _run(
        self, arguments: Sequence[str], env: Mapping[str, str], names: Sequence[str] = ()
    ) -> str:
        what = f"{self._program} {arguments[0]}"
        self._check_stopped(what)
        self._child = child = self._start(what, arguments, env)
        if self._is_stopped:
            child.kill()
        ended = child.finish(self._timeout)
        self._check_stopped(what)
        if ended.status < 0:
            raise TransientError(f"{what} was ended by signal {-ended.status}")
        if ended.status:
            said = _reason(_redacted(ended.err or ended.out, env))
            raise _failure(f"{what} failed with status {ended.status}", said, names)
        return ended.out

    def _check_stopped(self, what: str) -> None:
        if self._is_stopped:
            raise StoppedError(f"{what} was stopped, because the task was killed")

    def _start(self, what: str, arguments: Sequence[str], env: Mapping[str, str]) -> ChildProcess:
        try:
            return ChildProcess(what, [self._program, *arguments], env)
        except (OSError, ValueError) as err:
            reason = err.strerror if isinstance(err, OSError) else err
            raise InvalidInputError(f"kops command {self._program!r}", [f"{reason}"]) from err

    def _json(self, out: str, env: Mapping[str, str]) -> object:
        # kOps prints advice ("A new kops version is available") before the list: the last line.
        lines = [line for line in out.splitlines() if line.startswith("{")]
        try:
            return load_json(lines[-1])
        except (IndexError, ValueError):
            shown = " ".join(_redacted(out, env).split())[:200]
            message = f"{self._program} printed no list in JSON, but {shown!r}"
            raise PermanentError(message) from None


def _failure(what: str, said: str, names: Sequence[str]) -> KopsAssetsError:
    kind = TransientError if _may_pass(said, names) else PermanentError
    return kind(f"{what}: {said[:_SHOWN] or 'it said nothing'}")


def _reason(said: str) -> str:
    """Return kOps' last error in one line, without what it logged on the way."""
    lines = [x for x in said.splitlines() if x.strip() and not _LOG_LINE.match(x)]
    starts = [n for n, line in enumerate(lines) if line.startswith("Error:")]
    last = lines[starts[-1] :] if starts else lines[-5:]
    return " ".join(" ".join(last).split()).removeprefix("Error: ")


def _may_pass(said: str, names: Sequence[str]) -> bool:
    """Judge by kOps' words, but not by what the user named: a host may be called timeout."""
    words = _PATH.sub(lambda path: split_closing(path.group())[1], said)
    for name in filter(None, names):
        words = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "", words)
    return bool(_MAY_PASS.search(words))


def _names_in(state_store: str) -> Iterable[str]:
    """Return the words by which kOps may call a state store: its URL, and its bucket."""
    yield state_store
    yield urlsplit(redact(state_store)).netloc


def _redacted(text: str, env: Mapping[str, str]) -> str:
    """Return ``text`` without what is secret in ``env``, and its URLs without what is in them."""
    return redact_urls(without_secrets(text, _secrets(env)))


def _secrets(env: Mapping[str, str]) -> set[str]:
    """Return all that must not be shown of an environment."""
    found: set[str] = set()
    for name, value in env.items():
        if _SECRET.search(name):
            lines = (line.strip() for line in _LINE_END.split(value))
            found |= {value.strip(), *(x for x in lines if len(x) >= _LINE)}
        for match in USER_INFO.finditer(value):
            found |= {match["user"], match["password"] or ""}
    return found - {""}
