"""What a condition is: where its words point in SQL, what it answers, and what every kind of it must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Date, FromClause, and_, case, cast, func
from sqlalchemy.dialects.postgresql import JSONB

from engine.document import Node, Plain, Scalar
from engine.grammar import Invalid, Reader

CONDITION_SCHEMA: Final[dict[str, Any]] = {"$ref": "#/definitions/condition"}
OPERATION_SCHEMA: Final[dict[str, Any]] = {"$ref": "#/definitions/operation"}


@dataclass(frozen=True, eq=False)
class Clock:
    """What a date is compared with: the instant `now`, and the zone (text) in which the person's days begin and end."""

    now: ColumnElement[Any]
    zone: ColumnElement[Any]

    def day_of(self, instant: ColumnElement[Any]) -> ColumnElement[Any]:
        """The person's own date at an instant. (Never the other way: local time becomes UTC only in `engine.moments`.)"""
        return cast(func.timezone(self.zone, instant), Date)

    @property
    def today(self) -> ColumnElement[Any]:
        return self.day_of(self.now)


@dataclass(frozen=True, eq=False)
class Zones:
    """`default` is the zone of people without one of their own; `foreign` (text[]) are zones that this database's server
    does not know, though Python does: it would refuse a statement that names them.
    """

    default: ColumnElement[Any]
    foreign: ColumnElement[Any]

    def of(self, contact: FromClause) -> ColumnElement[Any]:
        own = contact.c.timezone
        # Compared with none at all, a missing zone would count as one of its own.
        return case((and_(own.is_not(None), own != func.all(self.foreign)), own), else_=self.default)


@dataclass(frozen=True, eq=False)
class Scope:
    """What the words of a condition stand for in one SQL statement.

    `contact` has the columns of `engine.tables.contact`. `event`, `matched` and `entered` are properties (jsonb, SQL
    NULL where there are none), `key` and `enrollment` the enrollment's key and id, `now` the instant up to which events count.

    `beside` is there when the statement asks about everybody: tables with one row per `contact_id`, which it joins to the
    contact's row, so that a condition may work out its facts for all people in one go instead of person by person.
    """

    contact: FromClause
    now: ColumnElement[Any]
    zones: Zones
    event: ColumnElement[Any] | None = None
    matched: ColumnElement[Any] | None = None
    entered: ColumnElement[Any] | None = None
    key: ColumnElement[Any] | None = None
    enrollment: ColumnElement[Any] | None = None
    beside: list[FromClause] | None = None

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.zones.of(self.contact))

    def everybody(self) -> FromClause:
        """The contacts with all that is to stand beside them; to be called once all conditions have been asked."""
        joined = self.contact
        for table in self.beside or ():
            joined = joined.outerjoin(table, table.c.contact_id == self.contact.c.id)
        return joined

    def testing(self, properties: ColumnElement[Any]) -> Scope:
        """The scope inside a `where`: `event` is the tested one; what was `event` is `entered`, if that is unknown.

        What hangs on the tested event can't be worked out for everybody at once, so nothing is put beside.
        """
        known = [each for each in (self.entered, self.event) if each is not None]
        entered = func.coalesce(*known, type_=JSONB) if len(known) > 1 else next(iter(known), None)
        return replace(self, event=properties, entered=entered, beside=None)


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
