"""
The SHA-256 of a file that kOps has no hash on board for, read from beside the file.

Rule: ``findHash`` in ``pkg/assets/builder.go`` and ``pkg/assets/mirrors.go``, kOps v1.36.2. kOps
tries everything three times; we do not ask again a server that said that there is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from kops_assets_provider.exceptions import PermanentError, Side, TransientError
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.urls import redact

_SUFFIXES = (".sha256", ".sha256sum")
_TRIES = 3
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KOPS_BINARY = re.compile(r"https://artifacts\.k8s\.io/binaries/kops/([^/]+)/linux/([^/]+)/([^/]+)")


def fetch_sha(
    canonical: str,
    client: HttpClient,
    *,
    rewrite: Callable[[str], str] = str,
    first_wait_seconds: float = 0.5,
) -> str:
    """
    Return the SHA-256 of a file, in hex, from the hash file that stands beside it.

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
    urls = [rewrite(url) + suffix for suffix in _SUFFIXES for url in _locations(canonical)]
    return retrying(_first_sha, canonical, urls, client)


def _locations(canonical: str) -> list[str]:
    """Return where a file lies: kOps' own binaries also on GitHub, under a flattened name."""
    match = _KOPS_BINARY.fullmatch(canonical)
    if not match:
        return [canonical]
    version, arch, name = match.groups()
    releases = "https://github.com/kubernetes/kops/releases/download"
    return [canonical, f"{releases}/v{version}/{name}-linux-{arch}"]


def _first_sha(canonical: str, urls: list[str], client: HttpClient) -> str:
    failures: dict[str, PermanentError | TransientError] = {}
    for url in urls:
        try:
            return _read_sha(url, client)
        except (PermanentError, TransientError) as err:
            failures[url] = err
    # One server that may recover is reason enough to come back.
    for failure in failures.values():
        if isinstance(failure, TransientError):
            raise failure
    tried = "; ".join(f"{redact(url)} ({err})" for url, err in failures.items())
    raise PermanentError(f"no hash for {canonical}; tried {tried}")


def _read_sha(url: str, client: HttpClient) -> str:
    with client.request("GET", url, side=Side.SOURCE) as response:
        fields = response.read().split()
    first = fields[0].decode("ascii", "replace").lower() if fields else ""
    if not _SHA256.fullmatch(first):
        raise PermanentError(f"it holds {first[:20]!r}, which is no SHA-256", side=Side.SOURCE)
    return first
