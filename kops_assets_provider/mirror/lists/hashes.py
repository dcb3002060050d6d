"""
The SHA-256 of a file that kOps has no hash on board for, read from beside the file.

Rule: ``findHash`` in ``pkg/assets/builder.go``, kOps v1.36.2. kOps
tries everything three times; we do not ask again a server that said that there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from kops_assets_provider.exceptions import KopsAssetsError, PermanentError, Side, TransientError
from kops_assets_provider.files.verify import is_sha256
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.urls import redact
from kops_assets_provider.mirror.places.well_known_mirrors import file_sources
from kops_assets_provider.threads import Threads

_SUFFIXES = (".sha256", ".sha256sum")
_TRIES = 3


class FetchedSha(NamedTuple):
    """A SHA-256, in hex, and the URL of the hash file that it was read from."""

    sha: str
    url: str


def fetch_shas(
    canonicals: Collection[str],
    client: HttpClient,
    *,
    rewrite: Callable[[str], str] = str,
    first_wait_seconds: float = 0.5,
    workers: int = 8,
) -> dict[str, FetchedSha]:
    """
    Return the SHA-256 of many files by their canonical URL, ``workers`` at a time.

    The parameters and errors are those of :func:`fetch_sha`. When several fail, one that may pass
    is raised first: the others will be told when it has.
    """
    answers = try_fetch_shas(
        *(canonicals, client),
        rewrite=rewrite,
        first_wait_seconds=first_wait_seconds,
        workers=workers,
    )
    failures = [x for x in answers.values() if isinstance(x, KopsAssetsError)]
    if failures:
        raise min(failures, key=lambda err: not isinstance(err, TransientError))
    return {name: x for name, x in answers.items() if isinstance(x, FetchedSha)}


def try_fetch_shas(
    canonicals: Collection[str],
    client: HttpClient,
    *,
    rewrite: Callable[[str], str] = str,
    first_wait_seconds: float = 0.5,
    workers: int = 8,
) -> dict[str, FetchedSha | KopsAssetsError]:
    """Return the SHA-256 of each file, or what :func:`fetch_sha` raised for it."""

    def fetch(canonical: str) -> FetchedSha | KopsAssetsError:
        try:
            return fetch_sha(
                canonical, client, rewrite=rewrite, first_wait_seconds=first_wait_seconds
            )
        except KopsAssetsError as err:
            return err

    with Threads(workers, "hashes") as threads:
        return dict(zip(canonicals, threads.map(fetch, canonicals), strict=True))


def fetch_sha(
    canonical: str,
    client: HttpClient,
    *,
    rewrite: Callable[[str], str] = str,
    first_wait_seconds: float = 0.5,
) -> FetchedSha:
    """
    Return the SHA-256 of a file from the hash file that stands beside it, at most 64 KiB long.

    :param canonical: the file's canonical URL
    :param rewrite: canonical URL to the URL to read instead
    :param first_wait_seconds: after the first failed try; doubled after the second
    :raises PermanentError: there is no hash file, or one that holds none; names all URLs tried
    :raises TransientError: a server could not be reached, or failed, three times
    """
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(_TRIES),
        wait=wait_exponential(multiplier=first_wait_seconds),
        reraise=True,
    )
    sources = file_sources(canonical, rewrite)
    urls = [_beside(x, suffix) for suffix in _SUFFIXES for x in sources]
    return retrying(_first_sha, canonical, urls, client)


def _beside(url: str, suffix: str) -> str:
    """Return the URL of the hash file: a query belongs to the request, not to the file's name."""
    path, question_mark, query = url.partition("?")
    return f"{path}{suffix}{question_mark}{query}"


def _first_sha(canonical: str, urls: list[str], client: HttpClient) -> FetchedSha:
    failures: dict[str, PermanentError | TransientError] = {}
    for url in urls:
        try:
            return FetchedSha(sha=_read_sha(url, client), url=redact(url))
        except (PermanentError, TransientError) as err:
            failures[url] = err
    # One server that may recover is reason enough to come back.
    for failure in failures.values():
        if isinstance(failure, TransientError):
            raise failure
    tried = "; ".join(f"{redact(url)} ({err})" for url, err in failures.items())
    raise PermanentError(f"no hash for {redact(canonical)}; tried {tried}")


def _read_sha(url: str, client: HttpClient) -> str:
    with client.request("GET", url, side=Side.SOURCE) as response:
        fields = response.read().split()
    first = fields[0].decode("ascii", "replace").lower() if fields else ""
    if not is_sha256(first):
        raise PermanentError("it does not begin with a SHA-256 in hex", side=Side.SOURCE)
    return first
