"""The reference is what the docstrings say now."""

from __future__ import annotations

import options_page
import pytest
import reference

pytestmark = pytest.mark.airflow


def test_the_reference_is_up_to_date():
    """Otherwise run ``scripts/reference``, which writes it anew."""
    assert reference.PAGE.read_text() == reference.reference()


def test_the_page_of_options_is_up_to_date():
    """Otherwise run ``scripts/reference``."""
    assert options_page.PAGE.read_text() == options_page.options_page()


def test_what_it_has():
    """Classes with what may be a template, functions with their parameters, commands."""
    text = reference.reference()
    assert "### `kops_copy_assets_dag(dag_id, schedule, dag_options, **options)`" in text
    entry = text.partition("### `KopsCopyImageOperator`")[2].partition("### ")[0]
    assert "Templates: `canonical`" in entry
    assert "- `--dry-run`: copy nothing" in text.partition("### `kops-assets copy`")[2]
