"""
Text that may be shown: without secrets, and without characters that a terminal or a browser obeys.

``clean`` is the one function that text from outside passes on its way to a terminal, a log, a page
or an exception. It removes

- every secret that this process has sent or was given (``remember``), in every usual spelling,
- user info, query and fragment of each URL: a query may be a signature,
- control characters, line breaks, and characters that are invisible or change the direction.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

_HIDDEN = "***"
_SHORT = 3  # characters that are no secret, but a part of every other word
_MOST = 8192  # spellings that are remembered; the ones sent least recently are forgotten
# Printable by ``str.isprintable``, and yet nothing is seen: Default_Ignorable_Code_Point in
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt, and the braille blank.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# AWS' keys have slashes in them, so a password may; host:5000/image@sha256:… has none. A proxy's
# URL may lack its scheme. The bounds keep the search linear.
USER_INFO = re.compile(
    r"(?P<before>://|^(?=[^\s/@]+:[^/]))(?P<user>[^\s/?#:]{0,4096})"
    r"(?::(?P<password>[^\s/?#]{0,4096}|(?!\d+[/?#])[^\s@]{0,4096}))?@"
)
_BARE_USER_INFO = re.compile(r"(?<![\w/.:@-])[\w.+~%-]{1,64}:[^\s/@:]{1,256}@(?!sha\d+:)(?=[\w.-])")
_URL = re.compile(r"[a-z][a-z0-9+.-]{0,20}://\S+", re.IGNORECASE)
_DIGEST = re.compile(r"@sha\d+:")
_CLOSING = "\"'`:,;.)]}>"  # punctuation behind a URL that is not a part of it
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization", "x-amz-security-token"}
# Parameters whose values a server may quote: they help whoever reads the message. Those of signed
# URLs that are no secrets are words such as "https" and "host", without which no message is left.
_HARMLESS = {
    *("service", "scope", "mount", "from", "digest", "n", "last", "uploadType", "name"),
    *("X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"),
    *("X-Goog-Algorithm", "X-Goog-Date", "X-Goog-Expires", "X-Goog-SignedHeaders"),
    *("Expires", "response-content-disposition", "response-content-type"),
    # https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
    *("sv", "sr", "sp", "spr", "st", "se", "ske", "sks", "skt", "skv", "rscd", "rsct"),
    *("list-type", "prefix", "start-after", "max-keys", "ifGenerationMatch"),
    *("arch", "os", "platform", "version", "checksum", "sha256"),
}
_NO_SECRET = re.compile(r"true|false|none|null|latest|v?\d{1,4}(\.\d{1,4})+", re.IGNORECASE)

_known: dict[str, None] = {}
_lock = threading.RLock()  # a signal handler may interrupt who holds it


def printable(text: str) -> str:
    """Return ``text`` with a blank for each character that a terminal obeys or nobody can see."""
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(" ", "".join(c if c.isprintable() else " " for c in text))


def redact(url: str) -> str:
    """Return ``url`` without user info, query and fragment: those may hold secrets."""
    try:
        parts = urlsplit(USER_INFO.sub(r"\g<before>", url))
    except ValueError:
        return "a malformed URL"
    host = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{host}{parts.path}" if parts.scheme else f"{host}{parts.path}"
    return printable(shown)


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return ``text`` as it may be shown, in one line.

    :param secrets: to be hidden beside those that are remembered, in every usual spelling.
    """
    text = without_secrets(text, secrets)
    text = redact_urls(text)
    if "@" in text:
        text = _BARE_USER_INFO.sub(f"{_HIDDEN}@", text)
    return printable(text)


def printable_lines(text: str) -> str:
    """Return a text of several lines in printable characters; tabs stay."""
    return re.sub(r"[^\n\t]+", lambda line: printable(line.group()), text)


def printable_values(value: Any) -> Any:
    """Return JSON values, every text in them in printable characters."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: printable_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [printable_values(inner) for inner in value]
    return value


def redact_urls(text: str) -> str:
    """Return ``text``, each URL in it without user info, query and fragment."""
    return _URL.sub(_shown, text) if "://" in text else text


def clean_lines(text: str) -> str:
    """Return a text of several lines as it may be shown; tabs stay."""
    return re.sub(r"[^\n\t]+", lambda line: clean(line.group()), text)


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` with ``***`` for each secret that is given or remembered."""
    own = {spelling for secret in secrets for spelling in spellings(secret)}
    with _lock:
        found = [x for x in (*_known, *own) if x in text]
    # One that is a part of another would leave the rest of that.
    for spelling in sorted(found, key=len, reverse=True):
        text = text.replace(spelling, _HIDDEN)
    return text


def remember(*secrets: str) -> None:
    """Hide these secrets in all that is shown from now on."""
    with _lock:
        for secret in secrets:
            for spelling in spellings(secret):
                _known.pop(spelling, None)
                _known[spelling] = None
        while len(_known) > _MOST:
            del _known[next(iter(_known))]


def remember_url(url: str) -> None:
    """Hide the user info and the query of ``url`` in all that is shown from now on."""
    remember(*secrets_of_url(url))


def remember_urls_in(value: object) -> Collection[str]:
    """Remember the secrets of all URLs in a text, or in a mapping or list of texts; return them."""
    found = {
        secret for text in _texts(value) for url in _words(text) for secret in secrets_of_url(url)
    }
    remember(*found)
    return found


def remember_headers(headers: Mapping[str, str]) -> None:
    """Hide the credentials among the headers of a request that is sent."""
    for name, value in headers.items():
        if name.lower() in _SECRET_HEADERS and value not in _known:
            remember(*_secrets_of_header(value))


def forget_all() -> None:
    """Forget every remembered secret."""
    with _lock:
        _known.clear()


def secrets_of_url(url: str) -> list[str]:
    """Return what is secret in a URL: its user info, and its query as a whole and in parts."""
    if "@" not in url and "?" not in url:
        return []
    return [x for x in _parts_of_url(url) if len(x) > _SHORT and not _NO_SECRET.fullmatch(x)]


def _parts_of_url(url: str) -> Iterator[str]:
    for match in USER_INFO.finditer(url):
        password = match["password"]
        # A lone user name is a token; one beside a password names somebody.
        yield f"{match['user']}:{password}" if password else match["user"]
        yield password or ""
    query = url.partition("#")[0].partition("?")[2]
    pairs = [(name, value) for name, value in parse_qsl(query) if name not in _HARMLESS]
    if pairs:
        yield query
        # What the URL shows without its query is hidden from nobody.
        shown = redact(url)
        yield from (value for _, value in pairs if value not in shown)
    if query and "=" not in query:
        yield query


@lru_cache(maxsize=1024)
def spellings(secret: str) -> tuple[str, ...]:
    """Return a secret as it is, as URLs have it, as JSON and Go's %q have it, and in base64."""
    found: set[str] = set()
    for plain in {secret, unquote(secret)}:
        raw = plain.encode(errors="surrogateescape")
        found |= {plain, plain.lower(), json.dumps(plain, ensure_ascii=False)[1:-1]}
        found |= {json.dumps(plain)[1:-1], raw.hex()}
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(raw).decode().rstrip("="))
        for safe in ("/", ""):
            # Python's os.environ has such characters where a value is not UTF-8.
            found.add(quote(plain, safe, errors="surrogateescape"))
            found.add(quote_plus(plain, safe, errors="surrogateescape"))
    return tuple(x for x in found if len(x) > _SHORT)


@lru_cache(maxsize=256)
def _secrets_of_header(value: str) -> tuple[str, ...]:
    """Return a credential with its scheme, without it, and what it is the base64 of."""
    scheme, blank, rest = value.partition(" ")
    if not blank:
        return (value,)
    if scheme.lower() != "basic":
        return value, rest
    try:
        pair = base64.b64decode(rest, validate=True).decode()
    except (binascii.Error, ValueError):
        return value, rest
    return value, rest.rstrip("="), pair, pair.partition(":")[2]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner)


def _words(text: str) -> Iterator[str]:
    """Yield each URL in a text, and what may be one without its scheme."""
    if "://" in text:
        # In JSON, or as PREFIX=PLACE, there may be several in one word, and one in another's query.
        for word in re.findall(r"[^\s\"'<>]+", text):
            for start in re.finditer(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://", word):
                yield word[start.start() :].rstrip(_CLOSING)
    elif "@" in text and not _DIGEST.search(text):
        yield text


def _shown(match: re.Match[str]) -> str:
    url, closing = split_closing(match.group())
    return redact(url) + closing


def split_closing(word: str) -> tuple[str, str]:
    """Split off the punctuation behind a URL or a path."""
    bare = word.rstrip(_CLOSING)
    return bare, word[len(bare) :]
