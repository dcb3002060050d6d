"""
Fuzz one target, guided by the coverage of our code.

``python -m tests.fuzz.run_atheris TARGET CORPUS [libFuzzer's options]``
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kops_assets_provider"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Put the examples into the corpus, and run until libFuzzer is done."""
    name, corpus, *options = sys.argv[1:]
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, corpus], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
