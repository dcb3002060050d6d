"""Print what was seen, and end with exit status 1 if it is not what was described."""

import atexit
import os

_changed = []


def expect(what: str, seen: object, described: object) -> None:
    """Print one observation and compare it with the description."""
    print(f"{what}: {seen}")
    if seen != described:
        _changed.append(f"{what}: described as {described}, seen {seen}")


@atexit.register
def _end() -> None:
    print("\n".join(_changed) or "as described", flush=True)
    if _changed:
        os._exit(1)
