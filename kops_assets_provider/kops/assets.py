"""A cluster's asset list, and the three forms in which ``kops get assets`` prints it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from kops_assets_provider.exceptions import ConflictingTargetsError, InvalidInputError
from kops_assets_provider.redaction import printable, redact, remember_url

_SHA = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
# What Go writes without quotes: no character with a meaning in YAML, and no number or word that
# would be read as something else than text.
_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._+=@:/?&%~-]*(?<!:)"
_NOT_TEXT = (
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:T[0-9:.Z+-]*)?"
    r"|[0-9_]*\.?[0-9_]*(?:e[-+]?[0-9]+)?|0[xob][0-9a-f_]+|[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"
    r"|y|n|yes|no|on|off|true|false|null"
)
_TAB = 8
_MOST = 8192  # characters of a name or URL, a signed one too
_NAME_ALONE = set("?#@")  # characters of a URL that may lead in or end a credential
# Neither user nor query: an "@" in an image's name stands before a digest.
_NO_IMAGE = re.compile(r"://|\?|@(?!sha\d+:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAsset:
    """A container image: the name that kOps knows it by, and the name that nodes pull."""

    canonical: str
    download: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAsset:
    """
    A file: the URL that kOps knows it by, the URL that nodes fetch, and its hash in bare hex.

    Both URLs are names, which lists, logs and records show, so they lose what may be a credential:
    user info, query and fragment.

    :param query: the query of the canonical URL, which the file is fetched with. It stays in this
        process: it is in no list and no message.
    """

    canonical: str
    download: str
    sha: str | None
    query: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        """Take the credentials out of the names."""
        if query := self.canonical.partition("#")[0].partition("?")[2]:
            object.__setattr__(self, "query", query)
        for name in ("canonical", "download"):
            url = getattr(self, name)
            if not _NAME_ALONE.isdisjoint(url):
                remember_url(url)
                object.__setattr__(self, name, redact(url))

    @property
    def url(self) -> str:
        """The canonical URL with its query: where the file is fetched."""
        return f"{self.canonical}?{self.query}" if self.query else self.canonical

    def to_dict(self) -> dict[str, str | None]:
        """Return plain data with kOps' keys."""
        return {"canonical": self.canonical, "download": self.download, "sha": self.sha}

    @classmethod
    def from_dict(cls, values: object, where: str = "file") -> Self:
        """Read a file of a list; raises InvalidInputError."""
        (found,) = ClusterAssets.from_dict({"files": [values]}, where).files
        return cls(canonical=found.canonical, download=found.download, sha=found.sha)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAssets:
    """Everything that a cluster downloads. Lists that we compute are sorted by canonical."""

    images: tuple[ImageAsset, ...]
    files: tuple[FileAsset, ...]

    def __post_init__(self) -> None:
        """
        Refuse files that differ in their query alone, since it is no part of where they go.

        :raises ConflictingTargetsError: naming them.
        """
        queries: dict[tuple[str, str], str] = {}
        for file in self.files:
            known = queries.setdefault((file.canonical, file.download), file.query)
            if known != file.query and file.canonical != file.download:
                problem = f"two sources for one target: {file.download} would be copied from"
                advice = "which stands there with two queries"
                raise ConflictingTargetsError(f"{problem} {file.canonical}, {advice}")

    def check_names(self, where: str) -> None:
        """Raise InvalidInputError unless all names can be shown, and hold no credentials."""
        problems = [
            problem
            for kind, rows in self.to_dict().items()
            for number, row in enumerate(rows)
            for problem in _row_problems(row, f"{kind}[{number}]", kind)
        ]
        if problems:
            raise InvalidInputError(where, problems)

    def to_dict(self) -> dict[str, list[dict[str, str | None]]]:
        """Return plain data with kOps' keys; an empty list is left out, as kOps does."""
        images: list[dict[str, str | None]] = [
            {"canonical": i.canonical, "download": i.download} for i in self.images
        ]
        files = [f.to_dict() for f in self.files]
        return {key: rows for key, rows in (("images", images), ("files", files)) if rows}

    @classmethod
    def from_dict(cls, data: object, where: str = "asset list") -> Self:
        """
        Read what :meth:`to_dict` or kOps wrote; other keys beside theirs are ignored.

        :raises InvalidInputError: with every problem of the list
        """
        if not isinstance(data, Mapping):
            raise InvalidInputError(where, ["it is not a mapping with the keys images and files"])
        problems: list[str] = []
        if data and not data.keys() & {"images", "files"}:
            problems.append("it has neither images nor files")
        images = [_image(row) for row in _rows(data, "images", problems)]
        files = [_file(row) for row in _rows(data, "files", problems)]
        if problems:
            raise InvalidInputError(where, problems)
        return cls(images=tuple(images), files=tuple(files))

    @classmethod
    def union(cls, lists: Iterable[Self]) -> Self:
        """
        Return what is in any of the lists of one cluster, each once, sorted by canonical.

        :raises InvalidInputError: two lists have different hashes for one file.
        """
        images: dict[str, ImageAsset] = {}
        files: dict[str, FileAsset] = {}
        problems = []
        for assets in lists:
            images |= {x.canonical: x for x in assets.images}
            for file in assets.files:
                known = files.get(file.url)
                if known and known.sha and file.sha not in (None, known.sha):
                    problems.append(f"{file.canonical} has the hashes {known.sha} and {file.sha}")
                elif not (known and known.sha):
                    files[file.url] = file
        if problems:
            raise InvalidInputError("lists of several versions", problems)
        return cls(
            images=tuple(images[x] for x in sorted(images)),
            files=tuple(files[x] for x in sorted(files)),
        )

    def to_json(self) -> str:
        """Return the list as ``kops get assets -o json`` prints it: one line without its end."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))
        # Go's encoder makes JSON safe to embed in HTML.
        for char in "&<>\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
        return text

    def to_yaml(self) -> str:
        """Return the list as ``kops get assets -o yaml`` prints it: keys in alphabetical order."""
        lines = []
        for kind, rows in sorted(self.to_dict().items()):
            lines.append(f"{kind}:")
            for row in rows:
                fields = [f"{key}: {_scalar(value)}" for key, value in row.items()]
                lines.append("- " + "\n  ".join(fields))
        return "\n".join(lines or ["{}"]) + "\n"

    def to_table(self) -> str:
        """Return the two tables that ``kops get assets`` prints, an empty line before each."""
        images = _table(("CANONICAL", "DOWNLOAD"), ((i.canonical, i.download) for i in self.images))
        files = _table(
            ("CANONICAL", "DOWNLOAD", "SHA"),
            ((f.canonical, f.download, f.sha or "") for f in self.files),
        )
        return f"\n{images}\n{files}"


def _image(row: Mapping[str, str]) -> ImageAsset:
    return ImageAsset(canonical=row["canonical"], download=row["download"])


def _file(row: Mapping[str, str]) -> FileAsset:
    return FileAsset(
        canonical=row["canonical"], download=row["download"], sha=row.get("sha") or None
    )


def _rows(data: Mapping[Any, Any], kind: str, problems: list[str]) -> list[Mapping[str, str]]:
    rows = data.get(kind) or []
    if not isinstance(rows, list):
        problems.append(f"{kind} is not a list")
        return []
    found = [
        problem
        for number, row in enumerate(rows)
        for problem in _row_problems(row, f"{kind}[{number}]", kind)
    ]
    if not found:
        found = [f"{kind} has {name} twice" for name in _repeated(r["canonical"] for r in rows)]
    problems += found
    return [] if found else rows


def _row_problems(row: object, where: str, kind: str) -> list[str]:
    if not isinstance(row, Mapping):
        return [f"{where} is not a mapping"]
    problems = [
        f"{where}.{key} is not a name or URL"
        for key in ("canonical", "download")
        if not _is_name(row.get(key), kind)
    ]
    sha = row.get("sha")
    if kind == "files" and sha and not (isinstance(sha, str) and _SHA.fullmatch(sha)):
        problems.append(f"{where}.sha is not a hash in lower-case hex")
    return problems


def _is_name(value: object, kind: str) -> bool:
    # Control characters and the like would be written to terminals and logs.
    if not (isinstance(value, str) and 0 < len(value) <= _MOST and printable(value) == value):
        return False
    if kind == "images" and _NO_IMAGE.search(value):
        return False
    try:
        urlsplit(value)
    except ValueError:
        return False
    return True


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]  # add() is falsy


def _scalar(value: str | None) -> str:
    if value is None:
        return "null"
    # Compiled when YAML is printed: other lists are printed sooner without.
    plain = re.fullmatch(_PLAIN, value, re.ASCII)
    if plain and not re.fullmatch(_NOT_TEXT, value, re.ASCII | re.IGNORECASE):
        return value
    return json.dumps(value, ensure_ascii=False)


def _table(header: tuple[str, ...], rows: Iterable[Sequence[str]]) -> str:
    # Go's text/tabwriter with a tab stop of 8 and padding 1: every cell but the last fills up
    # with tabs to the width of its column (util/pkg/tables/format.go, v1.36.2).
    lines = [header, *sorted(map(tuple, rows))]
    widths = [
        -(-(max(len(line[column]) for line in lines) + 1) // _TAB) for column in range(len(header))
    ]
    return "".join(
        "".join(
            cell + "\t" * (width - len(cell) // _TAB)
            for cell, width in zip(line[:-1], widths, strict=False)
        )
        + line[-1]
        + "\n"
        for line in lines
    )
