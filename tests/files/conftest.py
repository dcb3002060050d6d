"""What the tests of the file engine share."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore.config import Config

from kops_assets_provider.http.client import HttpClient


@pytest.fixture
def http():
    return HttpClient(connect_seconds=2, stall_seconds=2)


@pytest.fixture
def s3_client():
    """Return a function that makes an S3 client for an endpoint."""

    def make(url, **keys):
        return boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=keys.get("access_key", "access"),
            aws_secret_access_key=keys.get("secret_key", "secret"),
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    return make


@pytest.fixture
def without_length():
    """Return a function that serves one body without Content-Length, and returns its URL."""
    servers = []

    def serve(body):
        class Handler(BaseHTTPRequestHandler):
            """HTTP/1.0: the body ends where the connection does."""

            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/file"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
