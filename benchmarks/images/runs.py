"""What is known of a copy of images besides its cost: the requests to both registries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measuring.runs import Run
from tests.support.messages import RecordedRequest


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a registry was asked for: requests, bytes of blobs it sent, manifests it was given."""

    requests: int
    blob_bytes: int
    manifest_puts: int


def traffic_of(requests: Sequence[RecordedRequest]) -> Traffic:
    """Sum an access log up."""
    return Traffic(
        requests=len(requests),
        blob_bytes=sum(x.sent_bytes for x in requests if x.method == "GET" and "/blobs/" in x.path),
        manifest_puts=sum(x.method == "PUT" and "/manifests/" in x.path for x in requests),
    )


@dataclass(frozen=True, slots=True)
class ImageRun(Run):
    """One copy of all images; ``delay`` is in seconds, each way."""

    source: Traffic
    target: Traffic
    delay: float = 0.0

    @property
    def requests(self) -> int:
        """The requests to both registries."""
        return self.source.requests + self.target.requests
