"""A list that was saved: by us, or by ``kops get assets -o json`` or ``-o yaml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from kops_assets_provider.exceptions import InvalidInputError, Side
from kops_assets_provider.files.content import Content
from kops_assets_provider.http.urls import redact
from kops_assets_provider.kops.documents import YamlError, load_documents, load_json
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.document_formats import FORMAT_KEY, Format, refuse_foreign
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.state.places import StateStores, split_place
from kops_assets_provider.mirror.places.state.ports import MAX_BYTES


def read_saved_list(
    url: str, stores: StateStores, cluster: str = "", kops_version: str = ""
) -> AssetList:
    """
    Read a saved list, YAML or JSON, at most 16 MiB of it.

    :param url: ``s3://…``, ``gs://…``, ``https://…`` or a file.
    :param cluster: its name, which a list that has one must have; without any, it is the
        document's name without its suffix.
    :param kops_version: likewise; without any, ``unknown``.
    :raises InvalidInputError: there is none, or it is no list, or another cluster's; with every
        problem.
    :raises KopsAssetsError: it cannot be read.
    """
    where = redact(url) if "://" in url else url
    name = PurePosixPath(where).stem or "unnamed"
    values = _parse(_read(url, stores), where)
    return AssetList.from_saved(values, where, cluster, kops_version, name)


def _read(url: str, stores: StateStores) -> bytes:
    if not url.startswith(("http://", "https://")):
        return stores.read(url)
    from kops_assets_provider.http.client import HttpClient

    with HttpClient().request("GET", url, side=Side.SOURCE) as response:
        return response.read(MAX_BYTES)


def _parse(content: bytes, where: str) -> object:
    try:
        text = content.decode("utf-8-sig")
        # All of JSON is YAML, but for the tabs that it may be indented with.
        documents = [load_json(text)] if text.lstrip().startswith("{") else load_documents(text)
    except UnicodeDecodeError as err:
        raise InvalidInputError(where, [f"it is not text in UTF-8: {err.reason}"]) from err
    except YamlError as err:
        raise InvalidInputError(where, [str(err)]) from err
    if len(documents) != 1:
        raise InvalidInputError(where, [f"it has {len(documents)} documents, expected one list"])
    return documents[0]


def save_list(listed: AssetList, url: str, stores: FileStores) -> None:
    """
    Write a list, in YAML if its name ends so, else in JSON; both have our keys beside kOps'.

    :param url: ``s3://bucket/key``, ``gs://bucket/key``, or an absolute path.
    :raises InvalidInputError: it is no such place, or its suffix is another.
    :raises UnsupportedTargetError: a document that is not ours is there.
    :raises KopsAssetsError: what the store raises.
    """
    folder, name = split_place(url)
    suffix = PurePosixPath(name).suffix
    if suffix not in _WRITERS:
        problem = f"its name must end with one of {', '.join(_WRITERS)}"
        raise InvalidInputError(f"output_url {redact(url)}", [problem])
    target = stores.locate_place(folder, name)
    store, path = stores.open_target(target)
    refuse_foreign(store, path, Format.LIST, str(target))
    text = _WRITERS[suffix]({FORMAT_KEY: str(Format.LIST), **listed.to_saved()})
    store.write(path, Content.of("the asset list", text.encode()))


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


_WRITERS = {".json": _json, ".yaml": _yaml, ".yml": _yaml}
