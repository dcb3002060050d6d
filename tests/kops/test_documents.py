"""YAML that must not be believed."""

from __future__ import annotations

import pytest

from kops_assets_provider.kops.documents import YamlError, load_documents

ALIAS_BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)
)
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "it is not YAML: did not find expected node content (line"),
        ("a: 1\nb: 2\na: 3", "the key 'a' occurs twice (line 3)"),
        ("a:\n  b: 1\n  b: 1", "the key 'b' occurs twice (line 3)"),
        (ALIAS_BOMB, "expands to more than 1000000 values"),
        (MERGE_BOMB, "expands to more than 1000000 values"),
        ("a: &a [*a]", "a value contains itself (line 1)"),
        ("[" * 100_000, "nested more than 100 deep"),
        ("a: !!python/object:os.system x", "the tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !!int x", "a value that does not fit its tag"),
        ("a: !!bool x", "a value that does not fit its tag"),
        ("? [a]: b", "unhashable"),
        ("a: \x00", "it is not YAML"),
        ("x" * (16 * 1024 * 1024 + 1), "longer than"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_refuses(text: str, problem: str) -> None:
    """Broken, ambiguous and explosive texts are refused with the reason, and soon."""
    with pytest.raises(YamlError) as caught:
        load_documents(text)
    assert problem in str(caught.value)


def test_empty_documents_are_left_out() -> None:
    """Only documents with something in them count."""
    assert load_documents("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


def test_dates_are_text_as_in_go() -> None:
    """A date is text, as in the YAML library of kOps."""
    assert load_documents("a: 2020-01-01") == [{"a": "2020-01-01"}]


def test_aliases_and_merge_keys_work() -> None:
    """What a person writes with anchors is read as usual."""
    text = "base: &base {x: 1, y: 2}\nmore:\n  <<: *base\n  y: 3\n"
    assert load_documents(text) == [{"base": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3}}]
