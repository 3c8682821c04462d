"""What the words of a condition stand for in one SQL statement, and what a condition answers there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Date, FromClause, and_, case, cast, func
from sqlalchemy.dialects.postgresql import JSONB


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
