"""Where files are fetched: upstream, kOps' mirror on GitHub, or where the user says."""

from __future__ import annotations

from functools import partial

import pytest

from kops_assets_provider.mirror.places.rewrites import rewrite
from kops_assets_provider.mirror.places.well_known_mirrors import file_sources

BASE = "https://artifacts.k8s.io/binaries/kops/1.36.2/linux/amd64"
GITHUB = "https://github.com/kubernetes/kops/releases/download/v1.36.2"
NODEUP = f"{BASE}/nodeup"


@pytest.mark.parametrize(
    ("canonical", "rewrites", "expected"),
    [
        (NODEUP, {}, [NODEUP, f"{GITHUB}/nodeup-linux-amd64"]),
        (f"{BASE}/channels", {}, [f"{BASE}/channels", f"{GITHUB}/channels-linux-amd64"]),
        ("https://dl.k8s.io/a/kubelet", {}, ["https://dl.k8s.io/a/kubelet"]),
        (f"{BASE}/a/b", {}, [f"{BASE}/a/b"]),
        # Who says where it is fetched wants it from nowhere else.
        (NODEUP, {BASE: "https://c.example/k"}, ["https://c.example/k/nodeup"]),
        (NODEUP, {GITHUB: "https://g.example"}, [NODEUP, "https://g.example/nodeup-linux-amd64"]),
        (
            NODEUP,
            {BASE: "https://c.example/k", "https://github.com": "https://g.example"},
            [
                "https://c.example/k/nodeup",
                "https://g.example/kubernetes/kops/releases/download/v1.36.2/nodeup-linux-amd64",
            ],
        ),
    ],
)
def test_sources(canonical, rewrites, expected):
    """In the order in which they are tried; each must have the same hash."""
    assert list(file_sources(canonical, partial(rewrite, rewrites=rewrites))) == expected
