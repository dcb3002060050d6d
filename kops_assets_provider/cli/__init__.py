"""The ``kops-assets`` command: the package's use cases from a shell, without Airflow."""

from __future__ import annotations

import gc
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: see ``cli.entry_point``."""
    try:
        # Nothing of what is imported will be garbage: looking for it is a tenth of the start.
        gc.disable()
        # Here, so that Ctrl-C is no traceback either while it starts.
        from kops_assets_provider.cli.entry_point import main as run

        gc.freeze()
        gc.enable()
        return run(argv)
    except KeyboardInterrupt:
        return 130
