"""What is known of a copy of files besides its cost: requests, and what they brought."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measuring.runs import Run


@dataclass(frozen=True, slots=True)
class FileRun(Run):
    """
    One copy of all files.

    :param source_bytes: what the source sent in answer to GETs.
    :param target_requests: None if nobody counted them.
    :param interpreter_rss: bytes that the client's interpreter takes by itself; 0 without one.
    """

    source_requests: int
    source_bytes: int
    target_requests: int | None
    interpreter_rss: int

    @property
    def own_rss(self) -> int:
        """The peak resident set above that of the interpreter, in bytes."""
        return self.cost.peak_rss - self.interpreter_rss
