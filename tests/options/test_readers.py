"""A value is read alike from Python, from JSON, and from the text that a template left."""

import jinja2
import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.options.table import OPTIONS

READ = [name for name in OPTIONS if name not in ("on_readiness_change", "copy_pool")]


@pytest.mark.parametrize("name", READ)
def test_nothing_is_the_default(name):
    """Also as templates leave it."""
    option = OPTIONS[name]
    filter_ = " | tojson" if option.is_structure else ""
    rendered = jinja2.Template(f"{{{{ none{filter_} }}}}").render()
    values = {repr(option.read(x)) for x in (None, "", "None", rendered)}
    assert len(values) == 1
    if option.default not in ("aws_default", "google_cloud_default"):
        assert values == {repr(option.read(option.default))}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cluster_spec", "c.yaml", "c.yaml"),
        ("kops_version", ["1.35.2", "1.36.2"], ("1.35.2", "1.36.2")),
        ("kops_version", '["1.35.2", "1.36.2"]', ("1.35.2", "1.36.2")),
        ("kops_version", '"1.36.2"', ("1.36.2",)),
        ("kops_version", "1.36.2", ("1.36.2",)),
        ("extended", " True ", True),
        ("extended", "0", False),
        ("extra_images", '["a:1"]', ("a:1",)),
        ("extra_files", ["https://a/b"], {"https://a/b": None}),
        ("extra_files", '{"https://a/b": null}', {"https://a/b": None}),
        ("file_targets", '{"https://a": "/b"}', {"https://a": "/b"}),
        ("ecr_repositories", "{}", {}),
        ("s3_options", '{"acl": "private"}', {"acl": "private"}),
        ("warm_days", "1.5", 1.5),
        ("warm_days", 0, 0.0),
        ("warm_days", None, 7.0),
        ("on_drift", " Take ", "take"),
        ("on_drift", None, "fail"),
    ],
)
def test_values(name, value, expected):
    """Each in the spellings that it may have."""
    assert OPTIONS[name].read(value) == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cluster_spec", ["c.yaml"], "parameter cluster_spec: expected text, in quotes"),
        ("bucket_owner", 123456789012, "parameter bucket_owner: expected text, in quotes"),
        ("kops_version", 1.36, "parameter kops_version: expected a version in quotes"),
        ("kops_version", "[1.36]", "parameter kops_version: expected a version in quotes"),
        ("extended", "perhaps", "parameter extended: expected true or false"),
        ("dry_run", 2, "parameter plan_only: expected true or false"),
        ("extra_images", '"a:1"', "parameter extra_images: expected a list of names"),
        ("extra_images", "a:1", "parameter extra_images: not JSON"),
        ("extra_files", {"https://a": 1}, "parameter extra_files: expected URLs and their SHA-256"),
        ("file_targets", "{", "parameter file_targets: not JSON"),
        ("file_targets", {"https://a": 1}, "parameter file_targets: expected a mapping of strings"),
        ("ecr_repositories", "[]", "parameter ecr_repositories: expected a mapping"),
        ("warm_days", "-1", "parameter warm_days: expected a number of days, 0 or more"),
        ("warm_days", "nan", "parameter warm_days: expected a number of days, 0 or more"),
        ("warm_days", [7], "parameter warm_days: expected a number of days, 0 or more"),
        ("on_drift", "overwrite", "parameter on_drift: expected fail, keep, take, got 'overwrite'"),
    ],
)
def test_errors(name, value, words):
    """They name the parameter and what is expected."""
    with pytest.raises(InvalidInputError, match="^" + words.replace("[", r"\[")):
        OPTIONS[name].read(value)
