"""An option: its name, how it is read, what it means, and where it is offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from kops_assets_provider.options.readers import (
    as_flag,
    as_mapping,
    as_names,
    as_settings,
    as_shas,
    as_versions,
)

T = TypeVar("T")
# Readers of values that a template must render as JSON, and what their fields in a form hold, in
# the words of JSON Schema. One version is written more often than a list of them.
_STRUCTURES: Mapping[Callable[[str, Any], Any], str] = {
    as_mapping: "object",
    as_settings: "object",
    as_shas: "object",
    as_names: "array",
    as_versions: "string",
}


class Group(StrEnum):
    """Options that belong together, with the title that the docs, the form and the help have."""

    SOURCE = "Where the list comes from"
    CONTENT = "What is in the list"
    PLACES = "Sources and cloud accounts"
    IMAGES = "Images"
    FILES = "Files"
    RUN = "The run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """
    The command's flag for an option.

    :param name: such as ``--spec``, and ``alias`` if there is another spelling.
    :param metavar: stands for the value in the help; empty for a switch.
    :param repeats: each use of the flag adds a value.
    :param help: what only users of the command must know.
    """

    name: str
    alias: str = ""
    metavar: str = ""
    repeats: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option(Generic[T]):
    """
    An option.

    :param name: its name in a DAG, a Variable, a fleet file and a form.
    :param reader: takes a name for its error and a value, and returns what the core takes; raises
        InvalidInputError.
    :param help: what it does, in one sentence or two of Markdown.
    :param dag_help: what only authors of DAGs must know.
    :param page: the page below ``docs/`` that has more.
    :param default: what the operators have if it is not given.
    :param choices: the words that it may be, if only some are valid.
    :param form: arguments of its field in the form of a run; None if the form does not offer it.
    :param flag: the command's flag; None if there is none.
    :param parameter: the operators' parameter if it has another name.
    :param is_template: a DAG's author may write a template for it.
    :param in_fleet_file: a file of clusters may have it for a group.
    """

    name: str
    group: Group
    reader: Callable[[str, Any], T]
    help: str
    dag_help: str = ""
    page: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    form: Mapping[str, Any] | None = None
    flag: Flag | None = None
    parameter: str = field(default="")
    is_template: bool = True
    in_fleet_file: bool = True

    def __post_init__(self) -> None:
        if not self.parameter:
            object.__setattr__(self, "parameter", self.name)

    def read(self, value: object) -> T:
        """Return what the core takes; raises InvalidInputError, which names the parameter."""
        return self.reader(self.parameter, value)

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return self.reader is as_flag

    @property
    def is_structure(self) -> bool:
        """Whether a template must render its value as JSON."""
        return self.reader in _STRUCTURES

    @property
    def form_type(self) -> str:
        """What its field in a form holds, as JSON Schema calls it."""
        return "boolean" if self.is_switch else _STRUCTURES.get(self.reader, "string")
