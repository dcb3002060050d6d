"""Access logs: ours, docker-registry's and nginx's are all in Apache's Combined Log Format."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.messages import RecordedRequest, decoded_path

# host ident user [time] "method target protocol" status bytes "referer" "agent" [received]
_LINE = re.compile(
    r'^\S+ \S+ \S+ \[[^]]*\] "(?P<method>[A-Z]+) (?P<target>\S+) [^"]*" '
    r'(?P<status>\d+) (?P<sent>\d+|-)(?: "[^"]*" "[^"]*")?(?: (?P<received>\d+))?'
)


class AccessLog:
    """
    A file that gets one line per request.

    The line ends with one field more than the format has: the bytes of the request's body.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(self, request: RecordedRequest) -> None:
        """Append a line; after it returned, a reader of the file sees it."""
        time = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S %z")
        line = (
            f'127.0.0.1 - - [{time}] "{request.method} {request.target} HTTP/1.1" '
            f'{request.status} {request.sent_bytes} "-" "-" {request.received_bytes}\n'
        )
        with self._lock, self._path.open("a") as file:
            file.write(line)


def read_access_log(path: Path) -> list[RecordedRequest]:
    """Return the requests in an access log; other lines (a server's messages) are skipped."""
    if not path.exists():
        return []
    lines = path.read_text(errors="replace").splitlines()
    return [_parse(match) for line in lines if (match := _LINE.match(line))]


def _parse(line: re.Match[str]) -> RecordedRequest:
    target = line["target"]
    return RecordedRequest(
        method=line["method"],
        path=decoded_path(target),
        query=urlsplit(target).query,
        status=int(line["status"]),
        received_bytes=int(line["received"] or 0),
        sent_bytes=int(line["sent"].replace("-", "0")),
        target=target,
    )
