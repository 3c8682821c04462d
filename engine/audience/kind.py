"""What every kind of condition must offer, and where a condition may stand in a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from engine.audience import sql
from engine.document import Mapping as MappingNode
from engine.document import Node, Plain, Scalar
from engine.grammar import Invalid, Reader, Shape

CONDITION_SCHEMA: Final[dict[str, Any]] = {"$ref": "#/definitions/condition"}
OPERATION_SCHEMA: Final[dict[str, Any]] = {"$ref": "#/definitions/operation"}


@dataclass(frozen=True)
class SegmentUse:
    """A segment's name where a condition says it, so that an unknown one is refused at its word."""

    name: str
    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Condition(ABC):
    """One condition of the language; a value: hashable, comparable, free of I/O. `line` is where it stands."""

    line: int

    @abstractmethod
    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        """The condition as SQL over the scope; everything the author wrote goes in as bound parameters."""

    @abstractmethod
    def label(self) -> str:
        """One line for a person, e.g. `did order_completed at least 2 times in the last 30d`."""

    @abstractmethod
    def plain(self) -> Plain:
        """The condition as JSON holds it, positions left out; equal for equal meaning as written."""

    @abstractmethod
    def events(self) -> frozenset[str]:
        """Names of the events it looks for."""

    @abstractmethod
    def segments_used(self) -> tuple[SegmentUse, ...]:
        """Every mention of a segment, in file order."""

    def segments(self) -> frozenset[str]:
        """Names of the segments it looks at."""
        return frozenset(use.name for use in self.segments_used())


@dataclass(frozen=True, eq=False)
class Place:
    """Where a condition stands in a file: what it may speak of, and how the conditions inside it are read.

    `tested` is true inside a `where`, where `event` is the event being tested; `matched` is false where no `wait_for`
    can have come before, `enrolled` where nobody is under way yet; `depth` counts the `did` around it.
    """

    reader: Reader
    tested: bool
    matched: bool
    read: Callable[[Node, Place], Condition | Invalid]
    depth: int = 0
    enrolled: bool = True

    def inside(self) -> Place:
        """The place inside the `where` of a `did` that stands here."""
        return replace(self, tested=True, depth=self.depth + 1)


@dataclass(frozen=True, eq=False)
class Inner:
    """The grammar type of a condition inside another one, at the given place."""

    place: Place
    expected: str = "conditions"

    def read(self, node: Node, reader: Reader) -> Any:
        return self.place.read(node, replace(self.place, reader=reader))

    def schema(self) -> dict[str, Any]:
        return CONDITION_SCHEMA


class TestedShape(Shape):
    """A mapping with `event` and `where`: inside it `event.PATH` has the types that are declared of that event."""

    def read(self, node: Node, reader: Reader) -> Any:
        name = node.get("event") if isinstance(node, MappingNode) else None
        around, reader.tested = reader.tested, name.text if isinstance(name, Scalar) else None
        try:
            return super().read(node, reader)
        finally:
            reader.tested = around


def unread_condition(node: Node, place: Place) -> Invalid:
    """Stands in for the reader of inner conditions where a shape is only looked at, never read with."""
    raise AssertionError(node, place)


@dataclass(frozen=True)
class Word:
    """A key that begins a condition: what it asks, as a JSON Schema what stands behind it, a condition as written."""

    about: str
    schema: dict[str, Any]
    example: str


@dataclass(frozen=True, eq=False)
class ConditionKind:
    """One kind of condition: the keys that begin it (`did`; or, ending in a dot, `contact.`) and how it is read.

    `told` says of each of `words` what the reference and the JSON Schema tell.
    """

    words: tuple[str, ...]
    read: Callable[[Scalar, Node, Place], Condition | Invalid]
    told: Mapping[str, Word]
