"""Prefixes of names and URLs are replaced at the boundaries of their parts."""

import pytest

from kops_assets_provider.mirror.places.rewrites import rewrite

REWRITES = {
    "registry.k8s.io": "cache.example.com/k8s",
    "registry.k8s.io/kops": "cache.example.com/kops",
    "https://dl.k8s.io/": "http://127.0.0.1:8000/dl/",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("registry.k8s.io/pause:3", "cache.example.com/k8s/pause:3"),
        ("registry.k8s.io/kops/channels:1", "cache.example.com/kops/channels:1"),
        ("registry.k8s.io/kopsx/channels:1", "cache.example.com/k8s/kopsx/channels:1"),
        ("registry.k8s.io.evil.example/pause:3", "registry.k8s.io.evil.example/pause:3"),
        ("https://dl.k8s.io/release/kubelet", "http://127.0.0.1:8000/dl/release/kubelet"),
        ("https://dl.k8s.io.evil/x", "https://dl.k8s.io.evil/x"),
        ("quay.io/a:1", "quay.io/a:1"),
    ],
)
def test_the_longest_whole_prefix_is_replaced(name, expected):
    """``quay.io`` is no prefix of ``quay.io.example.com``."""
    assert rewrite(name, REWRITES) == expected
