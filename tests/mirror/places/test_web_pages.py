"""Where somebody who wants to look at an asset is led."""

import pytest

from kops_assets_provider.mirror.model.asset import Kind
from kops_assets_provider.mirror.places.web_pages import web_page

DIGEST = f"sha256:{'a' * 64}"
ECR = "ecr/repositories/private/123456789012/kops/pause"


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("nginx:1", "https://hub.docker.com/_/nginx"),
        ("docker.io/calico/node:v3", "https://hub.docker.com/r/calico/node"),
        ("quay.io/cilium/cilium:v1", "https://quay.io/repository/cilium/cilium"),
        ("gcr.io/p/app:1", "https://gcr.io/p/app"),
        (
            "europe-docker.pkg.dev/p/repo/app:1",
            "https://europe-docker.pkg.dev/p/repo/app",
        ),
        ("public.ecr.aws/eks/pause:1", "https://gallery.ecr.aws/eks/pause"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/kops/pause:1",
            f"https://eu-west-1.console.aws.amazon.com/{ECR}?region=eu-west-1",
        ),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/kops/pause:1",
            f"https://cn-north-1.console.amazonaws.cn/{ECR}?region=cn-north-1",
        ),
        (
            "123456789012.dkr-ecr.us-gov-west-1.on.aws/kops/pause:1",
            f"https://us-gov-west-1.console.amazonaws-us-gov.com/{ECR}?region=us-gov-west-1",
        ),
        ("registry.k8s.io/pause:3.10", "https://registry.k8s.io/v2/pause/manifests/3.10"),
        (
            f"r.example.com:5000/a/b@{DIGEST}",
            f"https://r.example.com:5000/v2/a/b/manifests/{DIGEST}",
        ),
        ("localhost:5000/a:1", "http://localhost:5000/v2/a/manifests/1"),
        ("NOT an image", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_an_image_has_the_page_that_people_open(name, page):
    """Its registry's page where that is known; else the API, plain HTTP on loopback alone."""
    assert web_page(Kind.IMAGE, name) == page


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://dl.example.com/a/b", "https://dl.example.com/a/b"),
        (
            "https://user:secret@dl.example.com:8443/a?token=secret#x",
            "https://dl.example.com:8443/a",
        ),
        ("http://localhost/a", "http://localhost/a"),
        ("javascript:alert(1)", ""),
        ("s3://bucket/key", ""),
        ("https:///a", ""),
        ("https://[", ""),
    ],
)
def test_a_file_has_its_url_without_secrets(url, page):
    """A browser is led to web servers alone."""
    assert web_page(Kind.FILE, url) == page
