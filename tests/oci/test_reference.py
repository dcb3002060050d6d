"""The name of an image, in its parts and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidReferenceError
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.reference import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("registry.k8s.io/pause:3.10", "registry.k8s.io", "pause", "3.10"),
        ("registry.k8s.io/kops/channels:1.36.2", "registry.k8s.io", "kops/channels", "1.36.2"),
        ("localhost/app:1", "localhost", "app", "1"),
        ("127.0.0.1:5000/kops/pause:3.9", "127.0.0.1:5000", "kops/pause", "3.9"),
        ("[::1]:5000/app:1", "[::1]:5000", "app", "1"),
        ("kopeio/auth-api:1.0", "docker.io", "kopeio/auth-api", "1.0"),
        ("index.docker.io/calico/cni:v1", "docker.io", "calico/cni", "v1"),
        ("docker.io/calico/cni:v1", "docker.io", "calico/cni", "v1"),
        ("alpine:3", "docker.io", "library/alpine", "3"),
        ("alpine", "docker.io", "library/alpine", "latest"),
    ],
)
def test_names_are_read_as_docker_reads_them(text, registry, repository, tag):
    """A first part with a dot or a colon is a registry; Docker Hub's names may be short."""
    reference = Reference.parse(text)
    assert (reference.registry, reference.repository, reference.tag) == (registry, repository, tag)


def test_a_digest_pins_and_a_tag_names():
    """With both, the digest says what is pulled, and the tag what it is called when pushed."""
    reference = Reference.parse(f"quay.io/cilium/cilium:v1.18@{DIGEST}")
    assert (reference.pull_by, reference.push_as) == (DIGEST, "v1.18")


def test_a_digest_alone_has_no_tag():
    """A name with a digest does not mean ``latest``."""
    assert Reference.parse(f"quay.io/cilium/cilium@{DIGEST}").tag is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "registry.k8s.io/",
        "registry.k8s.io/Pause:1",
        "registry.k8s.io/../etc:1",
        "registry.k8s.io/pause:a b",
        "registry.k8s.io/pause:",
        "https://registry.k8s.io/pause:1",
        "user@registry.k8s.io/pause:1",
        f"registry.k8s.io/pause@{DIGEST[:-1]}",
        "registry.k8s.io/pause@sha256:../../x",
        "registry.k8s.io/" + "a" * 256,
    ],
)
def test_what_is_no_name_is_refused(text):
    """A name becomes part of a URL, so nothing but the grammar is let through."""
    with pytest.raises(InvalidReferenceError):
        Reference.parse(text)


def test_all_problems_are_told_at_once():
    """Whoever mends a name wants to mend it once."""
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse("registry.k8s.io/Pause:a b")
    assert len(caught.value.problems) == 2


names = st.from_regex(r"[a-z0-9]+(/[a-z0-9]+){0,3}", fullmatch=True)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(registry=st.sampled_from(["quay.io", "docker.io", "h:5000"]), name=names, tag=tags)
def test_a_reference_reads_what_it_writes(registry, name, tag):
    """Parsing what a reference prints gives the same reference."""
    reference = Reference.parse(f"{registry}/{name}:{tag}@{DIGEST}")
    assert Reference.parse(str(reference)) == reference
    assert reference.digest == Digest(DIGEST)


def test_a_host_has_no_case():
    """Or a registry's connection would not be found, and two names would seem two places."""
    assert Reference.parse("Registry.Example.COM:5000/a/b:V1") == Reference.parse(
        "registry.example.com:5000/a/b:V1"
    )
    assert Reference.parse("r.test/a:V1").tag == "V1"
