"""
Every error that this package raises on purpose.

::

    KopsAssetsError
    ├── PermanentError                      retrying cannot help
    │   ├── InvalidInputError               an invalid value that the user gave
    │   │   ├── InvalidClusterError         ... in a Cluster or InstanceGroup document
    │   │   └── InvalidReferenceError       ... in an image reference
    │   ├── InvalidCatalogError             a release's data file that is damaged or incomplete
    │   ├── UnknownReleaseError             no catalogue for that kOps release
    │   ├── UnsupportedKubernetesError      a Kubernetes version that the release does not support
    │   ├── UnsupportedTargetError          a target that we cannot write to
    │   ├── ConflictingTargetsError         two different sources for one target
    │   ├── DriftedError                    a source that has changed under the same name
    │   ├── InvalidManifestError            a registry's manifest that breaks the OCI image spec
    │   ├── UntrustedServerError            a server that sends us to a forbidden address
    │   ├── ChecksumMismatchError           content without the expected digest
    │   ├── AccessDeniedError               401 or 403
    │   ├── NotFoundError                   404
    │   ├── RequestRejectedError            any other 4xx, or a 2xx that has no content
    │   │   └── BlobUnknownError            a manifest that refers to a missing blob
    │   └── MissingAssetsError              a run that ends with assets missing at the target
    └── TransientError                      a later try may succeed
        ├── StoppedError                    the copy was stopped
        ├── ConnectionFailedError           refused, reset, timed out, ended early
        ├── SourceChangedError              a file that changed while it was read
        ├── RateLimitedError                429
        └── ServerFailedError               5xx
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from kops_assets_provider.redaction import clean

__all__ = [
    "AccessDeniedError",
    "BlobUnknownError",
    "ChecksumMismatchError",
    "ConflictingTargetsError",
    "ConnectionFailedError",
    "DriftedError",
    "InvalidCatalogError",
    "InvalidClusterError",
    "InvalidInputError",
    "InvalidManifestError",
    "InvalidReferenceError",
    "KopsAssetsError",
    "MissingAssetsError",
    "NotFoundError",
    "PermanentError",
    "RateLimitedError",
    "RequestRejectedError",
    "ServerFailedError",
    "Side",
    "SourceChangedError",
    "StoppedError",
    "TransientError",
    "UnknownReleaseError",
    "UnsupportedKubernetesError",
    "UnsupportedTargetError",
    "UntrustedServerError",
]


class Side(StrEnum):
    """Whose fault it is: the place copied from, or the place copied to."""

    SOURCE = "source"
    TARGET = "target"


class KopsAssetsError(Exception):
    """
    Base of all errors that this package raises on purpose.

    A message that has a side starts with it and the place (``target registry.example.com: …``).
    Every message passes ``redaction.clean``: none holds a secret, a query string or a control
    character, whoever wrote the words that it quotes.
    """

    def __init__(self, message: str, *, side: Side | None = None) -> None:
        self.side = side
        super().__init__(clean(f"{side} {message}" if side else message))


class PermanentError(KopsAssetsError):
    """Retrying cannot help: somebody has to change something."""


class TransientError(KopsAssetsError):
    """A later try may succeed; ``retry_after`` is the wait in seconds that the server asked for."""

    def __init__(
        self, message: str, *, side: Side | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, side=side)
        self.retry_after = retry_after


class InvalidInputError(PermanentError, ValueError):
    """A value that the user gave is invalid. ``problems`` has all problems, one sentence each."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(map(clean, problems))
        super().__init__(f"{where}: " + "; ".join(problems))


class InvalidClusterError(InvalidInputError):
    """A Cluster or InstanceGroup document that kOps would not accept either."""


class InvalidReferenceError(InvalidInputError):
    """Not a valid image reference."""


class InvalidCatalogError(PermanentError):
    """A release's data file that is damaged or incomplete."""


class UnknownReleaseError(PermanentError):
    """There is no catalogue for that kOps release."""


class UnsupportedKubernetesError(PermanentError):
    """The kOps release does not support that Kubernetes version."""


class UnsupportedTargetError(PermanentError):
    """The asset's download location is a place that we cannot write to."""


class ConflictingTargetsError(PermanentError):
    """Two different sources would be copied to one target."""


class DriftedError(PermanentError):
    """The source has changed under the same name, and ``on_drift`` does not allow to copy that."""


class InvalidManifestError(PermanentError):
    """A manifest or index that breaks the OCI image spec or exceeds its limits."""


class UntrustedServerError(PermanentError):
    """A server sends us (by redirect, token realm, upload location) to a forbidden address."""


class ChecksumMismatchError(PermanentError):
    """The content does not have the expected digest, checksum or length."""


class AccessDeniedError(PermanentError):
    """The server answered 401 or 403."""


class NotFoundError(PermanentError):
    """The server answered 404."""


class RequestRejectedError(PermanentError):
    """The server answered another 4xx status, or a 2xx without the requested content."""


class BlobUnknownError(RequestRejectedError):
    """The registry lacks a blob or manifest that a manifest refers to (``BLOB_UNKNOWN``)."""


class MissingAssetsError(PermanentError):
    """The run is over and assets are still missing at the target."""


class StoppedError(TransientError):
    """The copy was stopped before it was complete."""


class ConnectionFailedError(TransientError):
    """The connection was refused, was reset, timed out or ended before the body did."""


class SourceChangedError(TransientError):
    """The source's file changed while it was read, so its copy must start anew."""


class RateLimitedError(TransientError):
    """The server answered 429."""


class ServerFailedError(TransientError):
    """The server answered 5xx."""
