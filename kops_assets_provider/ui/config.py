"""The page's section in Airflow's configuration."""

from __future__ import annotations

SECTION = "kops_assets"
