"""Copying some platforms of an image, and what any image looks like afterwards."""

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidManifestError, Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, parse_manifest
from kops_assets_provider.oci.platforms import trim
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.tree import read_tree
from tests.copies import copy_between
from tests.support.images import Image, Manifest, make_image, put_image
from tests.support.oci_registry import OciRegistryServer
from tests.support.pull import pull_image

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm64/v8", "linux/arm/v7", "windows/amd64"]
OWNER = "vnd.docker.reference.digest"


def digest(number):
    return f"sha256:{number:064x}"


def entry(number, platform=None, owner=None, **more):
    parts = dict(zip(("os", "architecture", "variant"), (platform or "").split("/"), strict=False))
    found = {"mediaType": OCI_MANIFEST, "digest": digest(number), "size": number, **more}
    if platform:
        found["platform"] = parts
    if owner is not None:
        found["platform"] = {"os": "unknown", "architecture": "unknown"}
        found["annotations"] = {OWNER: digest(owner), "vnd.docker.reference.type": "attestation"}
    return found


def index(*entries, media_type=OCI_INDEX, **more):
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries, **more}
    return parse_manifest(json.dumps(document).encode(), media_type)


def numbers(manifest):
    return [int(x.digest.hex, 16) for x in manifest.children]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3),
    max_leaves=5,
)
KEYS = st.text().filter(lambda x: x not in {"mediaType", "manifests", "layers", "config"})
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from([*PLATFORMS, None]),
        st.dictionaries(KEYS.filter(lambda x: x not in ENTRY_KEYS), VALUES, max_size=2),
        st.booleans(),  # has an attestation
        st.booleans(),  # which stands before its owner
    ),
    min_size=1,
    max_size=6,
)
ENTRY_KEYS = {"digest", "size", "platform", "annotations"}
WANTED = st.lists(st.sampled_from([*PLATFORMS, "linux/arm", "linux", "linux/riscv64"]), max_size=3)


@given(entries=ENTRIES, more=st.dictionaries(KEYS, VALUES, max_size=3), wanted=WANTED)
def test_a_trimmed_index_is_the_old_one_without_others(entries, more, wanted):
    """Order and all other keys stay, attestations follow their owner, and nothing is left over."""
    made, owners = [], {}
    for number, (platform, keys, is_attested, is_before) in enumerate(entries):
        group = [entry(number, platform, **keys)]
        if is_attested:
            group.insert(0 if is_before else 1, entry(100 + number, owner=number))
            owners[100 + number] = number
        made += group
    whole = index(*made, **more)
    matching = {
        n
        for n, (platform, *_) in enumerate(entries)
        if any(platform == x or (platform or "").startswith(f"{x}/") for x in wanted)
    }
    if wanted and not matching:
        with pytest.raises(InvalidManifestError):
            trim(whole, wanted)
        return
    expected = [
        x for x in numbers(whole) if not wanted or x in matching or owners.get(x) in matching
    ]
    trimmed = trim(whole, wanted)
    assert numbers(trimmed) == expected
    # Never sparse: what it names is what is copied, and it names nothing else.
    old, new = json.loads(whole.raw), json.loads(trimmed.raw)
    assert new == old | {"manifests": [x for x in old["manifests"] if number_of(x) in expected]}
    assert list(new) == list(old)
    assert trimmed.digest == Digest.of(trimmed.raw)
    assert trimmed.media_type == whole.media_type
    # Pure: the same bytes each time, and nothing more to trim.
    assert trim(whole, wanted).raw == trimmed.raw
    assert trim(trimmed, wanted) is trimmed


def number_of(found):
    return int(found["digest"].partition(":")[2], 16)


def test_what_all_of_it_is_wanted_of_stays_as_it_is():
    """Its bytes and its digest are the source's."""
    whole = index(entry(1, "linux/amd64"), entry(2, "linux/arm64"))
    assert trim(whole, []) is whole
    assert trim(whole, ["linux/amd64", "linux/arm64"]) is whole
    assert trim(whole, ["linux"]) is whole


def test_an_image_of_one_platform_stays_as_it_is():
    """It does not say which it is of."""
    image = make_image("app").top
    single = next(iter(make_image("app").manifests.values()))
    manifest = parse_manifest(single.data, single.media_type)
    assert trim(manifest, ["linux/riscv64"]) is manifest
    assert image.media_type == OCI_INDEX


@pytest.mark.parametrize("wanted", ["linux/arm64", "linux/arm64/v8"])
def test_a_platform_without_a_variant_means_all_of_them(wanted):
    """And one with a variant that one alone; half a name is no name."""
    whole = index(*(entry(n, x) for n, x in enumerate([*PLATFORMS, "linux/arm64be"])))
    assert numbers(trim(whole, [wanted])) == [n for n, x in enumerate(PLATFORMS) if wanted in x]


def test_what_belongs_to_nothing_stays_behind():
    """An attestation of a platform that is not copied, and one of nobody."""
    whole = index(
        entry(9, owner=2), entry(1, "linux/amd64"), entry(2, "linux/arm64"), entry(8, owner=77)
    )
    assert numbers(trim(whole, ["linux/amd64"])) == [1]
    assert numbers(trim(whole, ["linux/arm64"])) == [9, 2]


def test_one_child_for_two_platforms_is_named_for_both():
    """Two entries of one digest are one image."""
    whole = index(
        entry(1, "linux/arm/v6"), entry(1, "linux/arm/v7"), entry(2, "linux/amd64"), entry(1)
    )
    assert numbers(trim(whole, ["linux/arm/v7"])) == [1, 1, 1]


def test_an_unknown_platform_names_what_there_is():
    """So that whoever wrote it can write another one."""
    whole = index(entry(1, "linux/amd64"), entry(3, owner=1), entry(2, "linux/arm64/v8"), entry(4))
    with pytest.raises(InvalidManifestError) as caught:
        trim(whole, ["linux/riscv64", "windows"])
    told = str(caught.value)
    assert "no platform linux/riscv64, windows; it has linux/amd64, linux/arm64/v8" in told
    assert "unknown" not in told
    assert caught.value.side is Side.SOURCE
    with pytest.raises(InvalidManifestError, match="it has none"):
        trim(index(entry(1)), ["linux/amd64"])


@pytest.mark.parametrize("platform", ["linux/amd64", ["linux"], 7, True, {"os": ["linux"]}])
def test_a_platform_that_is_none_is_nobodys(platform):
    """Whatever a registry writes there is no crash."""
    odd = {**entry(2), "platform": platform}
    whole = index(entry(1, "linux/amd64"), odd)
    assert numbers(trim(whole, ["linux/amd64"])) == [1]


@pytest.mark.parametrize("annotations", ["x", 7, [], {OWNER: ["x"]}, {OWNER: None}])
def test_annotations_that_are_none_belong_to_nobody(annotations):
    """Whatever a registry writes there is no crash."""
    whole = index(entry(1, "linux/amd64"), {**entry(2), "annotations": annotations})
    assert numbers(trim(whole, ["linux/amd64"])) == [1]


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\u0000"', '"\\ud83d\\ude00"', '"ü"'])
def test_any_text_in_an_index_survives(text):
    """Also what stands for no character."""
    entries = json.dumps([entry(1, "linux/amd64"), entry(2, "linux/arm64")])
    raw = f'{{"schemaVersion":2,"manifests":{entries},"annotations":{{"a":{text}}}}}'.encode()
    trimmed = trim(parse_manifest(raw, OCI_INDEX), ["linux/arm64"])
    assert json.loads(trimmed.raw)["annotations"] == {"a": json.loads(text)}


def test_a_docker_list_stays_one():
    """Its media type is that of the old one, written in it or not."""
    whole = index(entry(1, "linux/amd64"), entry(2, "linux/arm64"), media_type=DOCKER_LIST)
    assert trim(whole, ["linux/arm64"]).media_type == DOCKER_LIST
    bare = json.loads(whole.raw)
    del bare["mediaType"]
    manifest = parse_manifest(json.dumps(bare).encode(), DOCKER_LIST)
    assert trim(manifest, ["linux/arm64"]).media_type == DOCKER_LIST


# Any image.


@cache
def registries():
    """Two registries for all examples: what is in them is named by its digest."""
    source, target = OciRegistryServer(), OciRegistryServer()
    source.start()
    target.start()
    return source, target


@pytest.fixture(scope="module", autouse=True)
def _stopped():
    yield
    for server in registries():
        server.stop()


BLOBS = st.lists(st.binary(max_size=40), max_size=4)
GRAPHS = st.recursive(BLOBS, lambda x: st.lists(x, min_size=1, max_size=3).map(tuple), max_leaves=8)


def graph(node, depth=0):
    """Return a random image: a list of blobs is an image, a tuple is an index of images."""
    blobs, manifests = {}, {}
    if isinstance(node, tuple) and depth < 2:
        children = [graph(x, depth + 1) for x in node]
        entries = []
        for number, child in enumerate(children):
            blobs |= child.blobs
            manifests |= child.manifests
            found = {"mediaType": child.top.media_type, "digest": child.digest}
            system = {"os": "linux", "architecture": ("amd64", "arm64", "arm")[number]}
            entries.append({**found, "size": len(child.top.data), "platform": system})
        top = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    else:
        flat = [x for x in node if isinstance(x, bytes)]
        parts = [Manifest("application/x", x) for x in (b"{}", *flat)]
        blobs = {x.digest: x.data for x in parts}
        entries = [
            {"mediaType": x.media_type, "digest": x.digest, "size": len(x.data)} for x in parts
        ]
        top = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": entries[0]}
        top["layers"] = entries[1:]
    manifest = Manifest(top["mediaType"], json.dumps(top).encode())
    return Image({**manifests, manifest.digest: manifest}, blobs)


@cache
def http_client():
    return HttpClient()


def opened(image):
    """Return source and target of an image, in repositories of its own."""
    source, target = registries()
    name = f"app/{image.digest[7:27]}"
    sides = ((source, Side.SOURCE), (target, Side.TARGET))
    for server, side in sides:
        client = RegistryClient(http_client(), server.url, None, side)
        yield RemoteRepository(client, name)
        yield Reference.parse(f"h.example/{name}:1")


@settings(max_examples=40)
@given(node=GRAPHS)
def test_a_copy_is_closed_and_idempotent(node):
    """Every reference at the target resolves and every digest re-computes; twice is once."""
    image = graph(node)
    source, target = registries()
    options = list(opened(image))
    name = options[2].name
    put_image(source, f"{name}:1", image)
    copy_between(*options)
    assert pull_image(target.url, name, "1") == image
    target.clear()
    assert not copy_between(*options).copied
    assert {x.method for x in target.requests} == {"HEAD"}


@settings(max_examples=25)
@given(node=GRAPHS.filter(lambda x: isinstance(x, tuple)))
def test_a_copy_of_some_platforms_is_closed_and_idempotent(node):
    """The same, and what is not wanted is neither read nor written."""
    image = graph(node)
    source, target = registries()
    options = list(opened(image))
    name = options[2].name
    put_image(source, f"{name}:1", image)
    source.clear()
    target.storage.delete_tag(name, "1") if target.storage.has_repository(name) else None
    copy_between(*options, platforms=["linux/amd64"])
    first = json.loads(image.top.data)["manifests"][0]["digest"]
    pulled = pull_image(target.url, name, "1")
    assert {x["digest"] for x in json.loads(pulled.top.data)["manifests"]} == {first}
    needed = pull_image(source.url, name, first)
    assert pulled.blobs == needed.blobs
    target.clear()
    assert not copy_between(*options, platforms=["linux/amd64"]).copied
    assert {x.method for x in target.requests} == {"HEAD"}


def test_a_tree_has_children_before_parents_and_each_once():
    """What is named twice is read once."""
    image = make_image("app")
    document = json.loads(image.top.data)
    document["manifests"] *= 2
    top = Manifest(OCI_INDEX, json.dumps(document).encode())
    twice = Image({**image.manifests, top.digest: top}, image.blobs)
    source, *_ = opened(twice)
    put_image(registries()[0], f"{source.name}:1", twice)
    registries()[0].clear()
    tree = read_tree(source, parse_manifest(top.data, OCI_INDEX), Digest(top.digest))
    assert [x.digest for x in tree.manifests] == [*list(image.manifests)[:-1], top.digest]
    assert registries()[0].count("GET") == 2
    sizes = [x.size for x in tree.blobs]
    assert sizes == sorted(sizes, reverse=True)
    assert tree.size == sum(map(len, image.blobs.values())) + sum(
        len(x.raw) for x in tree.manifests
    )
