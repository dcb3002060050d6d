"""Get the lists of a group of clusters: one that cannot be listed does not keep the others back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from kops_assets_provider.exceptions import InvalidInputError, KopsAssetsError, TransientError
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.lists.fleet import FleetList
from kops_assets_provider.mirror.lists.get_list import make_list
from kops_assets_provider.mirror.lists.hashes import FetchedSha, try_fetch_shas
from kops_assets_provider.mirror.lists.request import ListRequest
from kops_assets_provider.mirror.model.asset import Problem
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.rewrites import refuse_lost_queries, source_urls
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.threads import Threads

_AT_A_TIME = 8  # clusters that are read from state stores
_Answers = Mapping[str, FetchedSha | KopsAssetsError]


def make_fleet_list(
    group: str,
    requests: Mapping[str, ListRequest],
    stores: StateStores | None = None,
    *,
    patient: bool = True,
) -> FleetList:
    """
    Return the lists of clusters; what makes one impossible is told in ``failures``.

    A hash that nobody knows is fetched once for all of them.

    :param requests: each cluster's name, and what to list of it.
    :param stores: opens state stores; by the SDKs' default credentials if None.
    :param patient: raise an error that may pass, instead of going on without that cluster.
    :raises KopsAssetsError: such an error, or no cluster could be listed.
    """
    shared = stores or StateStores()
    lister = partial(_list, stores=lambda: shared)
    with Threads(_AT_A_TIME, "lists") as threads:
        found = dict(zip(requests, threads.map(lister, requests.items()), strict=True))
    if any(x.fetch_hashes for x in requests.values()):
        found = _with_hashes(found, requests)
    errors = {name: x for name, x in found.items() if isinstance(x, Exception)}
    _raise_for(errors.values(), patient=patient, all_failed=len(errors) == len(found))
    lists = tuple(x for x in found.values() if isinstance(x, AssetList))
    return FleetList(
        group=group, lists=lists, failures={name: Problem.of(x) for name, x in errors.items()}
    )


def _list(
    item: tuple[str, ListRequest], stores: Callable[[], StateStores]
) -> AssetList | Exception:
    name, request = item
    try:
        listed = make_list(replace(request, fetch_hashes=False), stores)
        refuse_lost_queries(listed.assets, request.source_rewrites)
    except Exception as err:  # noqa: BLE001  # one cluster's failure is its own, whatever it is
        return err
    if listed.cluster == name:
        return listed
    problem = f"its list is that of {listed.cluster}: give its own manifest or list"
    return InvalidInputError(f"cluster {name}", [problem])


def _with_hashes(
    found: Mapping[str, AssetList | Exception], requests: Mapping[str, ListRequest]
) -> dict[str, AssetList | Exception]:
    unknown = {
        file.canonical: source_urls([file], requests[name].source_rewrites)
        for name, listed in found.items()
        if isinstance(listed, AssetList)
        for file in listed.assets.files
        if not file.sha
    }
    if not unknown:
        return dict(found)
    answers = try_fetch_shas(unknown, HttpClient(), rewrite=lambda x: unknown[x](x))
    return {name: _filled(listed, answers) for name, listed in found.items()}


def _filled(listed: AssetList | Exception, answers: _Answers) -> AssetList | Exception:
    if isinstance(listed, Exception):
        return listed
    files, sources = [], {}
    for file in listed.assets.files:
        answer = None if file.sha else answers[file.canonical]
        if isinstance(answer, KopsAssetsError):
            return answer
        files.append(replace(file, sha=answer.sha) if answer else file)
        if answer:
            sources[file.canonical] = answer.url
    assets = replace(listed.assets, files=tuple(files))
    return replace(listed, assets=assets, hash_sources={**listed.hash_sources, **sources})


def _raise_for(errors: Iterable[Exception], *, patient: bool, all_failed: bool) -> None:
    """Raise one of the errors, the one that may pass first, if nothing can be done without it."""
    ordered = sorted(errors, key=lambda err: not isinstance(err, TransientError))
    if ordered and (all_failed or (patient and isinstance(ordered[0], TransientError))):
        raise ordered[0]
