"""The language of the catalogues: what parses, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kops_assets_provider.kops.expression_parser import parse_condition
from kops_assets_provider.kops.expressions import (
    ExpressionError,
    Scope,
    expand,
    holds,
    parse_template,
)
from kops_assets_provider.kops.semver import Version


@dataclass
class Values:
    """A scope made of plain values."""

    values: dict[str, Any] = field(default_factory=dict)
    loops: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        return self.values.get(name)

    def items(self, loop: str) -> Sequence[Scope]:
        return [Values(item) for item in self.loops[loop]]

    def replaced(self, addon: str) -> bool:
        return addon == "cilium"


SCOPE = Values(
    {
        "yes": True,
        "no": False,
        "cloud": "aws",
        "k8s": Version(major=1, minor=32, patch=0),
        "minor": 32,
        "containerd.version": "2.1.0-rc.1",
        "broken": "latest",
        "empty": "",
        "block": {},
    },
    {"instance_groups": [{"gpu": True}, {}], "etcd_clusters": [{"image": "x"}]},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("no", False),
        ("unset", None),
        ("absent", False),
        ("not absent", True),
        ("yes and no", False),
        ("no or yes", True),
        ("yes or yes and no", True),
        ("(yes or yes) and no", False),
        ("not no and yes", True),
        ("not (no or yes)", False),
        ('cloud == "aws"', True),
        ('cloud != "aws"', False),
        ('absent != "aws"', True),
        ('absent == "aws"', False),
        ("absent != false", True),
        ("no != false", False),
        ("no == false", True),
        ("k8s >= 1.32.0", True),
        ("k8s < 1.32", False),
        ("k8s > 1.31.9", True),
        ("k8s <= 1.31.9", False),
        ("minor == 32", True),
        ("minor > 32", False),
        ("absent > 0", False),
        ("containerd.version >= 2.1.0", False),
        ("containerd.version < 2.1.0", True),
        ("broken >= 1.0.0", False),
        ("broken < 1.0.0", False),
        ("block is set", True),
        ("block is unset", False),
        ("empty is set", False),
        ("absent is unset", True),
        ("no is set", True),
        ("any_instance_group(gpu)", True),
        ("any_etcd_cluster(image is unset)", False),
        ('replaced("cilium")', True),
        ('not replaced("kopeio")', True),
    ],
)
def test_conditions(text: str, expected: bool | None) -> None:
    """Each form of a condition means what the grammar's description says."""
    if expected is None:
        with pytest.raises(ExpressionError):
            parse_condition(text)
    else:
        assert holds(parse_condition(text), SCOPE) is expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' where a word should be"),
        ("a and", "'' where a word should be"),
        ("a b", "'b' where the end should be"),
        ("(a", "'' where ')' should be"),
        ("a ==", "'' where a literal should be"),
        ("a == b", "'b' where a literal should be"),
        ("a is", "'' where 'unset' should be"),
        ("a = 1", "'= 1' is no token"),
        ("and a", "'and' where a name should be"),
        ("replaced(a)", "'a' where a text should be"),
        ("any_instance_group gpu", "'gpu' where '(' should be"),
        ("__import__('os')", "is no token"),
        ("1.2", "'1.2' where a word should be"),
    ],
)
def test_conditions_that_do_not_parse(text: str, problem: str) -> None:
    """The language is closed: anything else is an error that shows the place."""
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a:{cloud}-{minor}", "a:aws-32"),
        ("{absent|quay.io}/x:{cloud|v1}", "quay.io/x:aws"),
        ("{empty|default}", "default"),
        ("{absent|}", ""),
    ],
)
def test_templates(text: str, expected: str) -> None:
    """Placeholders are replaced, with their default for a field that is not set or empty."""
    assert expand(parse_template(text), SCOPE) == expected


def test_a_placeholder_needs_a_value() -> None:
    """A placeholder without value and default is an error that names the field."""
    with pytest.raises(ExpressionError, match=r"spec\.absent is not set"):
        expand(parse_template("{absent}"), SCOPE)


@pytest.mark.parametrize("text", ["{", "a}", "{a b}", "{a|{b}}", "{}"])
def test_templates_that_do_not_parse(text: str) -> None:
    """A brace belongs to a placeholder."""
    with pytest.raises(ExpressionError, match="no placeholder"):
        parse_template(text)
