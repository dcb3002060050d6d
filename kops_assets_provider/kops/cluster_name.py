"""The names that clusters may have."""

from __future__ import annotations

import re

# A cluster's name is that of its record and its reports, and a host's name in kOps.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", re.ASCII)
EXPECTED_NAME = "expected a cluster's name, such as prod.example.com"


def is_cluster_name(value: object) -> bool:
    """
    Return whether ``value`` is text that may be a cluster's name.

    kOps wants a DNS name (``ValidateCluster`` in ``pkg/apis/kops/validation/legacy.go``, v1.36.2).
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
