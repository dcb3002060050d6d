"""Plan and copy a cluster's files."""

from __future__ import annotations

