"""A file of pinned hashes says what a file must be, so nothing in it is guessed."""

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.lists.get_list import read_shas

SHA = "ab" * 32


def test_hashes_are_found_by_canonical_url(tmp_path):
    """YAML, and so JSON."""
    path = tmp_path / "shas.yaml"
    path.write_text(f"https://a/x: {SHA}\n")
    find_sha = read_shas(str(path))
    assert (find_sha("https://a/x"), find_sha("https://a/y")) == (SHA, None)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"a: [", b"https://a/x: no-sha", b"https://a/x: " + SHA.upper().encode(), b"\xff\xfe"]
    + [f"https://a/x: {sha}".encode() for sha in ("1" * 64, "[]", "~")]
    + [f"https://a/x: {SHA}\nhttps://a/x: {SHA}\n".encode(), b"a: b\n---\na: b\n"],
)
def test_what_is_no_such_file_is_refused(tmp_path, content):
    """One permanent error that names the file; digits alone are a number, unless in quotes."""
    path = tmp_path / "shas.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"shas\.yaml"):
        read_shas(str(path))
