"""One token for all that a plan speaks about, as long as it is good for it."""

from __future__ import annotations

import logging

import pytest

from kops_assets_provider.exceptions import AccessDeniedError
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.scopes import Scopes
from tests.copies import copy_planned_image, copy_planned_images
from tests.support.images import make_image, put_image
from tests.support.messages import Fault, Response
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import TokenAuth

LOGIN = Login(username="robot", password="canary-password")
NAMES = ("one", "two", "three", "four")


@pytest.fixture
def servers():
    """Two registries that give tokens."""
    auth = TokenAuth(LOGIN.username, LOGIN.password)
    with OciRegistryServer(auth=auth) as source, OciRegistryServer(auth=auth) as target:
        for name in NAMES:
            put_image(source, f"app/{name}:1", make_image(name))
        yield source, target


@pytest.fixture
def assets(servers):
    source, target = servers
    return [
        ImageAsset(canonical=f"{source.host}/app/{x}:1", download=f"{target.host}/kops/{x}:1")
        for x in NAMES
    ]


def registries():
    return Registries(lambda host: RegistryEndpoint(url=f"http://{host}", login=LOGIN))


def tokens(server):
    return [x for x in server.requests if x.path == "/token"]


def test_a_whole_copy_takes_one_token_of_each_registry(servers, assets):
    """Plan and copy of four images with mounts between them; one 401 tells how to ask."""
    opened = registries()
    plan = plan_images(assets, opened)
    outcomes = copy_planned_images(plan.to_copy, opened)
    assert [x.state for x in outcomes] == [State.COPIED] * 4
    assert sum(x.cost.mounts for x in outcomes) > 0
    for server in servers:
        assert len(tokens(server)) == 1
        assert sum(x.status == 401 for x in server.requests) == 1
    assert tokens(servers[1])[0].query.count("scope=") == 4


def test_a_task_takes_one_token_of_each_registry(servers, assets):
    """Its own repository, and those that it mounts from."""
    planned = plan_images(assets, registries()).to_copy
    for image in planned:
        for server in servers:
            server.clear()
        copy_planned_image(PlannedImage.from_dict(image.to_dict()), registries())
        assert [len(tokens(server)) for server in servers] == [1, 1]


def test_a_token_that_is_not_good_for_all_is_asked_for_one_by_one(servers, assets, monkeypatch):
    """Some token servers hear only the first scope; what they refuse is asked for alone."""
    source = servers[0]
    monkeypatch.setattr(source.auth, "_sign", hears_one(source.auth._sign))
    opened = registries()
    outcomes = copy_planned_images(plan_images(assets, opened).to_copy, opened)
    assert [x.state for x in outcomes] == [State.COPIED] * 4


def test_a_token_server_that_refuses_many_is_asked_for_each(servers, assets, monkeypatch):
    """One repository that may not be read must not spoil the others."""
    auth = servers[0].auth
    original = auth.token_response

    def refuses_many(request):
        denied = request.query.count("scope=") > 1 or "two" in request.query
        return Response(403) if denied else original(request)

    monkeypatch.setattr(auth, "token_response", refuses_many)
    opened = registries()
    plan = plan_images(assets, opened)
    states = {x.download.rpartition("/")[2]: x.state for x in copy_all(plan, opened)}
    assert states.pop("two:1") is State.FAILED
    assert set(states.values()) == {State.COPIED}


def copy_all(plan, opened):
    return copy_planned_images(plan.to_copy, opened)


def hears_one(sign):
    def signed(scopes):
        first = scopes[0].rpartition(":")[0]
        return sign([x for x in scopes if x.rpartition(":")[0] == first])

    return signed


def test_a_repository_that_is_denied_spoils_no_other(servers, assets):
    """Its own image fails, and says what it needs."""
    servers[1].inject(Fault(path="kops/two/", status=401, times=None))
    opened = registries()
    plan = plan_images(assets, opened)
    by_name = {x.download.rpartition("/")[2]: x for x in copy_planned_images(plan.to_copy, opened)}
    assert by_name.pop("two:1").problem.kind == AccessDeniedError.__name__
    assert {x.state for x in by_name.values()} == {State.COPIED}


def test_scopes_are_grouped():
    """A group covers what it grants, and fewer rights of it; forty fit in one request."""
    scopes = Scopes()
    scopes.expect(f"repository:a{n}:pull,push" for n in range(50))
    scopes.expect(["repository:a1:pull"])
    assert len(scopes.group("repository:a1:pull")) == 40
    assert scopes.group("repository:a1:pull,push") == scopes.group("repository:a1:pull")
    assert scopes.group("repository:b:pull") == {"repository:b:pull"}
    scopes.refuse("repository:a1:pull")
    assert scopes.group("repository:a1:pull") == {"repository:a1:pull"}
    assert scopes.is_shared("repository:a2:pull")


def test_a_quota_that_runs_out_is_told_once(servers, assets, caplog):
    """Before the registry refuses, and not with every request."""
    low = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "9;w=21600"}
    servers[0].inject(Fault("GET", "/manifests/", headers=low, times=None))
    with caplog.at_level(logging.WARNING, "kops_assets_provider"):
        plan_images(assets, registries())
    told = [x.message for x in caplog.records if "lets us ask" in x.message]
    assert told == [f"{servers[0].url} lets us ask for 9 more manifests of 100 in 21600 seconds"]
