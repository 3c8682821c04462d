"""What a condition is: where its words point in SQL, what it answers, and what every kind of it must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, func
from sqlalchemy.dialects.postgresql import JSONB

from engine.document import Node, Plain, Scalar
from engine.grammar import Invalid, Reader


@dataclass(frozen=True, eq=False)
class Scope:
    """What the words of a condition stand for in one SQL statement.

    `contact` has the columns of `engine.tables.contact`. `event`, `matched` and `entered` are properties (jsonb, SQL
    NULL where there are none), `key` is the enrollment's key, `now` the instant up to which events count.
    """

    contact: FromClause
    now: ColumnElement[Any]
    event: ColumnElement[Any] | None = None
    matched: ColumnElement[Any] | None = None
    entered: ColumnElement[Any] | None = None
    key: ColumnElement[Any] | None = None

    def testing(self, properties: ColumnElement[Any]) -> Scope:
        """The scope inside a `where`: `event` is the tested one; what was `event` is `entered`, if that is unknown."""
        known = [each for each in (self.entered, self.event) if each is not None]
        entered = func.coalesce(*known, type_=JSONB) if len(known) > 1 else next(iter(known), None)
        return replace(self, event=properties, entered=entered)


@dataclass(frozen=True, eq=False)
class Verdict:
    """A condition's answer in SQL: `holds` is true or false, never NULL; `found` (jsonb) is the value it looked at."""

    holds: ColumnElement[bool]
    found: ColumnElement[Any]


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
    def verdict(self, scope: Scope) -> Verdict:
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
    can have come before; `depth` counts the `did` around it.
    """

    reader: Reader
    tested: bool
    matched: bool
    read: Callable[[Node, Place], Condition | Invalid]
    depth: int = 0

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


@dataclass(frozen=True, eq=False)
class ConditionKind:
    """One kind of condition: the keys that begin it (`did`; or, ending in a dot, `contact.`) and how it is read."""

    words: tuple[str, ...]
    read: Callable[[Scalar, Node, Place], Condition | Invalid]
