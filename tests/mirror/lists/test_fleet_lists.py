"""The lists of a group: shared work is done once, one bad cluster keeps nobody back."""

import json

import pytest

from kops_assets_provider.exceptions import InvalidInputError, PermanentError, TransientError
from kops_assets_provider.mirror.lists.fleet_lists import make_fleet_list
from kops_assets_provider.mirror.lists.request import ListRequest
from tests.support.file_server import FileServer
from tests.support.messages import Fault

SHA = "ab" * 32


def saved(tmp_path, cluster, *urls):
    """Save a list of files without hashes."""
    path = tmp_path / f"{cluster}.json"
    rows = [{"canonical": x, "download": f"https://files.example.com/{x[-1]}"} for x in urls]
    path.write_text(json.dumps({"cluster": cluster, "kops_version": "1.36.2", "files": rows}))
    return ListRequest(asset_list=str(path), cluster_name=cluster)


@pytest.fixture
def files():
    hashes = {f"/{x}.sha256": SHA.encode() for x in "ab"}
    with FileServer(hashes) as server:
        yield server


@pytest.fixture
def requests(tmp_path, files):
    own = {"a.example.com": "a", "b.example.com": "ab", "c.example.com": "ac"}
    return {
        name: saved(tmp_path, name, *(f"{files.url}/{x}" for x in names))
        for name, names in own.items()
    }


def test_a_hash_is_fetched_once_for_all(files, requests):
    """And a file whose hash is nowhere is the fault of the clusters that have it."""
    found = make_fleet_list("g", requests)
    assert [x.cluster for x in found.lists] == ["a.example.com", "b.example.com"]
    assert files.count("GET", "/a.sha256") == 1
    assert {x.sha for x in found.assets.files} == {SHA}
    assert "no hash for" in found.failures["c.example.com"].message
    assert found.lists[1].hash_sources == {
        f"{files.url}/{x}": f"{files.url}/{x}.sha256" for x in "ab"
    }


def test_a_bad_cluster_keeps_nobody_back(requests, tmp_path):
    """A manifest that is not there, or one that is another cluster's."""
    requests |= {
        "d.example.com": ListRequest(cluster_spec=str(tmp_path / "no"), kops_version="1.36.2"),
        "e.example.com": ListRequest(asset_list=str(tmp_path / "a.example.com.json")),
    }
    found = make_fleet_list("g", requests)
    assert "cannot be read" in found.failures["d.example.com"].message
    assert "its list is that of a.example.com" in found.failures["e.example.com"].message
    assert len(found.lists) == 2


def test_what_may_pass_is_raised_as_long_as_there_is_another_try(files, requests):
    """With the last one the others go on without that cluster."""
    files.inject(Fault("GET", "/b", status=503, times=None))
    with pytest.raises(TransientError, match="503"):
        make_fleet_list("g", requests)
    found = make_fleet_list("g", requests, patient=False)
    assert [x.cluster for x in found.lists] == ["a.example.com"]
    assert found.failures["b.example.com"].kind == "ServerFailedError"


def test_if_no_cluster_can_be_listed_that_is_the_task_s_own_error(requests):
    """One error says as much as two hundred."""
    with pytest.raises(PermanentError, match="no hash for"):
        make_fleet_list("g", {"c.example.com": requests["c.example.com"]}, patient=False)
    with pytest.raises(InvalidInputError, match="cluster_spec"):
        make_fleet_list("g", {"x.example.com": ListRequest()}, patient=False)
