"""Outcomes and records of assets with few words, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import fields, replace

from kops_assets_provider.mirror.model.asset import Name, Problem, ProblemKind
from kops_assets_provider.mirror.model.outcome import Cost, Estimate, Facts, Outcome
from kops_assets_provider.mirror.record.record import AssetRecord

GONE = Problem(kind=ProblemKind.NOT_FOUND, message="gone")

_PARTS = {"facts": Facts, "cost": Cost, "estimate": Estimate}


def make_outcome(kind, canonical, download, state, **values):
    """Return an outcome; ``values`` are its own, and those of its facts, cost and estimate."""
    asset = Name(kind=kind, canonical=canonical, download=download)
    return with_values(Outcome(asset=asset, state=state), **values)


def make_asset_record(kind, canonical, download, state, **values):
    """Return what a record knows of an asset; ``values`` are its own, and those of its facts."""
    asset = Name(kind=kind, canonical=canonical, download=download)
    return with_values(AssetRecord(asset=asset, state=state), **values)


def with_values(value, **values):
    """Return an outcome, or an asset of a record, with other values of whatever part."""
    if names := set(Name._fields) & values.keys():
        asset = value.asset._replace(**{name: values.pop(name) for name in names})
        value = replace(value, asset=asset)
    for part, cls in _PARTS.items():
        if names := {x.name for x in fields(cls)} & values.keys():
            own = {name: values.pop(name) for name in names}
            value = replace(value, **{part: replace(getattr(value, part), **own)})
    return replace(value, **values)
