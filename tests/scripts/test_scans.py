"""What a scan of a tree finds, and how it names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_release.evidence import read_evidence, release_of, scan
from import_release.findings import Finding
from import_release.golang import find_function, lines_of, scan_go
from import_release.templates import ADDONS, scan_addons

DEFAULTS = "pkg/model/components/x.go"


def write(tree: Path, path: str, text: str) -> None:
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def in_template(tree: Path, text: str) -> list[Finding]:
    write(tree, f"{ADDONS}/a/k8s.yaml.template", text)
    return list(scan_addons(tree, "1.2.3"))


def in_go(tree: Path, text: str, path: str = DEFAULTS) -> list[Finding]:
    write(tree, path, text)
    return list(scan_go(tree, "1.2.3"))


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("image: a/b:v1.0", ("a/b:v1.0",)),
        ("  - image: 'a/b:v1.0' # why", ("a/b:v1.0",)),
        ('"image": "a/b:v1.0"', ("a/b:v1.0",)),
        ('image: {{ or .Image "a/b:v1.0" }}', ("a/b:v1.0",)),
        ("image: a/b:{{ or .Version\n  `v1.0` }}", ("v1.0", "a/b:")),
        ("image: a/b:{{ KopsVersion }}", ("a/b:",)),
        ("image: a/b:1.2.3", ("a/b:",)),
        ("image: a/b:v1.2.3", ("a/b:v1.2.3",)),
        ("image: {{ .Image }}", ()),
    ],
)
def test_images_in_templates(tmp_path: Path, line: str, values: tuple[str, ...]) -> None:
    """Constants of an image are its values; the release's own version is none."""
    (finding,) = in_template(tmp_path, line)
    assert (finding.path, finding.line) == ("addons/a/k8s.yaml.template", 1)
    assert finding.values == values


@pytest.mark.parametrize("line", ["image:", "image: # later", "# image: a/b:v1.0", "images: a/b"])
def test_what_is_no_image_in_a_template(tmp_path: Path, line: str) -> None:
    """A block of that name and a comment are none."""
    assert in_template(tmp_path, line) == []


def test_blocks_around_an_image_in_a_template(tmp_path: Path) -> None:
    """The blocks that are open stand around a line, and what an else is not."""
    text = """
{{- if .A }}
{{ with .B -}} {{ end }}
{{ range .C }}
image: one
{{ else if .D }}
image: two
{{ end }}{{ else }}
image: three
{{ end }}
image: four
"""
    assert [finding.stack for finding in in_template(tmp_path, text)] == [
        ("if .A", "range .C"),
        ("if .A", "not range .C, if .D"),
        ("not if .A",),
        (),
    ]


GO = """
package x

import "github.com/a/b/v1.2"

// const old = "a/b:v0.9"
const image = "registry.example.com/a/b:v1.0"

func (b *Builder) Build(o *Cluster) error {
\tif o.Version == "" &&
\t\to.Other {
\t\tswitch {
\t\tcase o.IsKubernetesLT("1.32"): // as tested
\t\t\to.Version = fi.PtrTo("1.7.0")
\t\tdefault:
\t\t\to.Version = new("2.2.0")
\t\t}
\t} else if o.Third {
\t\to.Image = b.RemapImage(image)
\t} else {
\t\to.Address = "127.0.0.1:4001"
\t\tklog.Infof("see https://example.com/1.0")
\t}
}
"""


def test_lines_of_defaults(tmp_path: Path) -> None:
    """Values and calls of the asset builder are found, and what is only told or linked is not."""
    found = [(finding.text, finding.values) for finding in in_go(tmp_path, GO)]
    assert found == [
        ('const image = "registry.example.com/a/b:v1.0"', ("registry.example.com/a/b:v1.0",)),
        ('case o.IsKubernetesLT("1.32"):', ("1.32",)),
        ('o.Version = new("1.7.0")', ("1.7.0",)),
        ('o.Version = new("2.2.0")', ("2.2.0",)),
        ("o.Image = b.RemapImage(image)", ()),
    ]


def test_blocks_around_a_line_of_go(tmp_path: Path) -> None:
    """Headers stand around a line, whole ones, and what an else is not."""
    condition = 'if o.Version == "" && o.Other'
    *_, switched, default, otherwise = (finding.stack for finding in in_go(tmp_path, GO))
    assert switched == (
        "func Build",
        condition,
        "switch",
        'case o.IsKubernetesLT("1.32"):',
    )
    assert default == ("func Build", condition, "switch", "default:")
    assert otherwise == ("func Build", f"not {condition}, else if o.Third")


def test_raw_strings_have_no_blocks(tmp_path: Path) -> None:
    """A manifest in the code is scanned for its images, whatever its indentation."""
    text = 'var pod = `\nspec:\n  image: a/b:v1.0\n  if x {\n`\n\nvar x = "2.0"\n'
    first, second = in_go(tmp_path, text)
    assert (first.text, first.values, first.stack) == ("image: a/b:v1.0", ("a/b:v1.0",), ())
    assert second.stack == ()


def test_only_calls_are_found_elsewhere(tmp_path: Path) -> None:
    """Outside the defaulting code a version has no influence, but a call of the builder has."""
    (finding,) = in_go(tmp_path, GO, "pkg/other/x.go")
    assert finding.text == "o.Image = b.RemapImage(image)"


@pytest.mark.parametrize(
    "path", ["pkg/model/components/x_test.go", "pkg/model/components/tests/x.go"]
)
def test_tests_are_not_scanned(tmp_path: Path, path: str) -> None:
    """kOps' own tests make no lists."""
    assert in_go(tmp_path, GO, path) == []


def test_addons(tmp_path: Path) -> None:
    """Each addon that is added is found by its key, with the conditions around it."""
    text = 'func f() {\n\tif a {\n\t\tkey := "x.io"\n\t\taddons.Add(&Spec{\n\t\t})\n\t}\n}\n'
    path = "upup/pkg/fi/cloudup/bootstrapchannelbuilder/x.go"
    (finding,) = in_go(tmp_path, text, path)
    assert (finding.text, finding.stack) == ("adds x.io", ("func f", "if a"))


def test_a_key_does_not_depend_on_versions() -> None:
    """A newer version leaves a line's key, another text or condition makes another."""
    old = Finding("f", 1, "image: a:v1.0", ("if x",))
    assert Finding("f", 2, "image: a:v1.1.2-rc.1", ("if x",)).key == old.key
    assert Finding("f", 1, "image: b:v1.0", ("if x",)).key != old.key
    assert Finding("f", 1, "image: a:v1.0", ("if y",)).key != old.key
    assert old.key.isalpha()


def test_a_finding_is_told_with_what_is_around_it() -> None:
    """Place, key and text stand first, and then the blocks from the outside."""
    finding = Finding("f", 7, "text", ("if x", "if y"))
    assert str(finding) == f"f:7 [{finding.key}] text\n      in if x\n      in if y"


def test_functions(tmp_path: Path) -> None:
    """A function is one finding, whose key changes with its code and not with its comments."""
    write(tmp_path, DEFAULTS, GO)
    before = find_function(tmp_path, DEFAULTS, "Build", "1.2.3")
    write(tmp_path, DEFAULTS, GO.replace("as tested", "as told"))
    after = find_function(tmp_path, DEFAULTS, "Build", "1.2.3")
    assert before is not None
    assert after is not None
    assert before.key == after.key
    assert before.values == ("1.32", "1.7.0", "2.2.0")
    assert str(before) == f"{DEFAULTS} (Build):10 [{before.key}] func Build"
    write(tmp_path, DEFAULTS, GO.replace("o.Third", "o.Fourth"))
    other = find_function(tmp_path, DEFAULTS, "Build", "1.2.3")
    assert other is not None
    assert other.key != before.key


@pytest.mark.parametrize(("path", "name"), [(DEFAULTS, "Gone"), ("pkg/gone.go", "Build")])
def test_functions_that_are_gone(tmp_path: Path, path: str, name: str) -> None:
    """Neither a missing function nor a missing file is an error of the scan."""
    write(tmp_path, DEFAULTS, GO)
    assert find_function(tmp_path, path, name, "1.2.3") is None


def test_a_scan_has_it_all(tmp_path: Path) -> None:
    """Templates, code and the functions that the evidence names are scanned together."""
    write(tmp_path, "kops-version.go", 'const (\n\tKOPS_RELEASE_VERSION = "1.2.3"\n)\n')
    in_template(tmp_path, "image: a")
    write(tmp_path, DEFAULTS, GO)
    evidence = read_evidence(
        f"explained:\n  images.x:\n    {DEFAULTS} (Build): aaaa bbbb\n"
        "ignored:\n- because: it is old\n  lines:\n    pkg/y.go (Gone): cccc\n"
    )
    assert len(list(scan(tmp_path, evidence.functions))) == 1 + 5 + 1
    assert release_of(tmp_path) == "1.2.3"


def test_lines_know_their_numbers() -> None:
    """Comments and empty lines are left out, and counted."""
    assert [(line.number, line.text) for line in lines_of("a\n\n// b\n\tc // d\n")] == [
        (1, "a"),
        (4, "c"),
    ]
