"""How to switch redaction off, for tests that prove what they search."""

from __future__ import annotations

import argparse
import importlib
import logging
import pkgutil
import sys

import kops_assets_provider
from kops_assets_provider import logs, redaction
from kops_assets_provider.cli import entry_point
from kops_assets_provider.files import targets
from kops_assets_provider.http import errors, pools
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset
from kops_assets_provider.mirror.lists import fleet_lists
from kops_assets_provider.mirror.places import rewrites
from kops_assets_provider.operators import place_parameters

# All of them now: one that is imported while redaction is off would keep it off.
for _module in pkgutil.walk_packages(kops_assets_provider.__path__, "kops_assets_provider."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)

_FUNCTIONS = (
    *("clean", "clean_lines", "printable", "printable_lines", "redact", "redact_urls"),
    "without_secrets",
)
FILTERED = ("urllib3.connectionpool", "urllib3.connection", *logs._WHOLE)


def _as_it_is(text, *_):
    return text


def switch_off(patch):
    """Let everything through that redaction holds back, wherever it is called from."""
    originals = [getattr(redaction, name) for name in _FUNCTIONS] + [targets.show_place]
    for name, module in list(sys.modules.items()):
        if name.startswith("kops_assets_provider"):
            for attribute, value in list(vars(module).items()):
                if any(value is x for x in originals):
                    patch.setattr(module, attribute, _as_it_is)
    patch.setattr(FileAsset, "__post_init__", lambda self: None)
    patch.setattr(ClusterAssets, "check_names", lambda *_: None)
    patch.setattr("kops_assets_provider.kops.assets._is_name", lambda *_: True)
    patch.setattr(errors, "place", lambda method, url: f"{url}: {method}")
    patch.setattr(entry_point._Parser, "error", argparse.ArgumentParser.error)
    for module in (pools, entry_point, place_parameters):
        patch.setattr(module, "keep_secrets_out", lambda: None)
    for name in FILTERED:
        patch.setattr(logging.getLogger(name), "filters", [])
    patch.setattr(place_parameters, "mask_secret", lambda _: None)
    for module in (rewrites, fleet_lists):
        patch.setattr(module, "refuse_lost_queries", lambda *_: None)
