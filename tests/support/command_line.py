"""What the fake servers have in common when they are started from a shell."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path

from tests.support.http_server import HttpServer


def server_arguments(description: str) -> ArgumentParser:
    """Return a parser that knows ``--port`` and ``--access-log``."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0 (default) takes a free one")
    parser.add_argument("--access-log", type=Path, help="file that gets a line per request")
    return parser


def run_server(server: HttpServer) -> None:
    """Serve until SIGTERM or SIGINT; print the server's URL as soon as it answers."""
    # Blocked before threads start, which inherit it: sigwait is then the only one to get them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
