"""Which of the programs that copy take part, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from tests.support.processes import MissingComponentError, find_program

OURS = "kops-assets"


class Engine(Protocol):
    """A program that copies."""

    @property
    def name(self) -> str:
        """What it is called in tables and options."""

    def is_there(self) -> bool:
        """Tell whether it is installed."""


AnyEngine = TypeVar("AnyEngine", bound=Engine)


def chosen_engines(engines: Iterable[AnyEngine], names: Iterable[str]) -> list[AnyEngine]:
    """
    Return those of these names, or all that are installed.

    :raises MissingComponentError: one that was named is not installed.
    :raises FileNotFoundError: none is installed.
    """
    everyone, wanted = list(engines), set(names)
    named = [engine for engine in everyone if engine.name in wanted]
    for engine in named:
        if not engine.is_there():
            raise MissingComponentError(engine.name, "(see benchmarks/README.md)")
    chosen = named or [engine for engine in everyone if engine.is_there()]
    # None of an empty list would be first.
    if not chosen:
        raise FileNotFoundError("none of the engines is installed: see benchmarks/README.md")
    return chosen


def rotated(engines: Sequence[AnyEngine], number: int) -> list[AnyEngine]:
    """Return the engines in the order of a round: in each, another one is the first."""
    start = number % len(engines)
    return [*engines[start:], *engines[:start]]


def turns(engines: Sequence[AnyEngine], rounds: int) -> Iterator[tuple[int, AnyEngine]]:
    """Yield whose turn it is, with the number of the round, from 1 on."""
    for number in range(rounds):
        for engine in rotated(engines, number):
            yield number + 1, engine


def is_installed(program: str) -> bool:
    """Tell whether a program is installed."""
    try:
        find_program(program)
    except MissingComponentError:
        return False
    return True
