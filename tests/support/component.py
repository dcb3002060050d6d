"""What a running server is to those who use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.access_log import read_access_log
from tests.support.messages import RecordedRequest


@dataclass(frozen=True, slots=True)
class Component:
    """A server that runs. ``log`` has its output, ``access_log`` its requests if it logs them."""

    port: int
    log: Path
    access_log: Path | None = None
    scheme: str = "http"

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Scheme and host, without a slash at the end."""
        return f"{self.scheme}://{self.host}"

    def requests(self) -> list[RecordedRequest]:
        """Return the requests so far. A request is logged a moment after it was answered."""
        return read_access_log(self.access_log) if self.access_log else []


@dataclass(frozen=True, slots=True)
class S3Component(Component):
    """An S3 service that runs, with the keys of who may do everything."""

    access_key: str = "testing"
    secret_key: str = field(default="testing", repr=False)

    def client(self, **config: Any) -> Any:
        """Return a boto3 client for it; ``config`` goes to ``botocore.config.Config``."""
        import boto3
        from botocore.config import Config

        # Without the name, boto3 presigns for an endpoint of one's own with version 2.
        settings = {"signature_version": "s3v4", "s3": {"addressing_style": "path"}, **config}
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(**settings),
        )
