"""Tally: what a person's events of one name come to, in SQL: how many there are, and what their properties add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy import literal_column as constant
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import visitors

from engine import tables
from engine.audience.demand import Demand
from engine.audience.path import steps
from engine.audience.scope import Condition, Scope, SegmentUse
from engine.audience.value import Json, Known, Spread, at, text_at
from engine.document import Plain
from engine.moments import Window

_MOST_COUNTED = 1000  # a trace shows no higher count, unless more was asked for
Word = Literal["sum", "avg", "min", "max"]


@dataclass(frozen=True)
class Sought:
    """The events that are looked for: all up to now, or in the last `within`, both ends included."""

    name: str
    where: Condition | None
    within: Window | None

    def rows(self, scope: Scope) -> Select[Any]:
        """One row for each such event of the scope's contact, to be asked for that one person."""
        event = tables.event.alias()
        mine = (event.c.contact_id == scope.contact.c.id, *self._found(event, scope))
        return select(event.c.properties).select_from(event).where(*mine).correlate_except(event)

    def of_everybody(self, scope: Scope) -> Select[Any]:
        """One row for each such event, with its `contact_id`."""
        event, person = tables.event.alias(), tables.contact.alias()
        found = self._found(event, replace(scope, contact=person))
        about_person = any(getattr(part, "table", None) is person for each in found for part in visitors.iterate(each))
        rows = event.join(person, person.c.id == event.c.contact_id) if about_person else event
        return select(event.c.contact_id, event.c.properties).select_from(rows).where(*found)

    def _found(self, event: Any, scope: Scope) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [event.c.name == self.name, event.c.occurred_at <= scope.now]
        if self.within is not None:
            found.append(event.c.occurred_at >= scope.now - self.within.delta)
        if self.where is not None:
            found.append(self.where.verdict(scope.testing(event.c.properties)).holds)
        return found

    def label(self) -> str:
        window = f" in the last {self.within.text}" if self.within else ""
        return window + (f" where ({self.where.label()})" if self.where else "")

    def plain(self) -> dict[str, Plain]:
        plain: dict[str, Plain] = {"event": self.name}
        if self.where is not None:
            plain["where"] = self.where.plain()
        if self.within is not None:
            plain["within"] = self.within.text
        return plain

    def names(self) -> frozenset[str]:
        return frozenset({self.name}) | (self.where.events() if self.where else frozenset())

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.where.segments_used() if self.where else ()


@dataclass(frozen=True)
class Total:
    """OP on what the numbers at a path inside the properties come to. What is no number there is left out.

    The sum of no numbers is 0; their average, least and greatest are missing.
    """

    word: Word
    path: tuple[str, ...]
    demand: Demand

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def of(self, properties: ColumnElement[Any]) -> ColumnElement[Any]:
        """The total over rows that have these properties; an aggregate."""
        match self.word:
            case "sum":
                return func.coalesce(func.sum(self._of_event(properties, "sum")), constant("0"))
            case "avg":
                count = func.sum(self._of_event(properties, "count"))
                return func.sum(self._of_event(properties, "sum")) / func.nullif(count, constant("0"))
            case "min":
                return func.min(self._of_event(properties, "min"))
            case "max":
                return func.max(self._of_event(properties, "max"))

    def _of_event(
        self, properties: ColumnElement[Any], what: Literal["sum", "count", "min", "max"]
    ) -> ColumnElement[Any]:
        """The same of one event: it has one number at most, unless the path has a `*`."""
        if "*" in self.path:
            return Spread(properties, steps(self.path)).numbers(getattr(func, what))
        number = Json(at(properties, self.path), text_at(properties, self.path), None).typed("number")
        return func.num_nonnulls(number) if what == "count" else number

    def known(self, total: ColumnElement[Any]) -> Known:
        return Known("number", total, always=self.word == "sum")

    def label(self) -> str:
        return f"{self.word} of {self.name} {self.demand.label()}"


@dataclass(frozen=True, eq=False)
class Tally:
    """The count and the totals of one person's events."""

    count: ColumnElement[Any]
    totals: tuple[tuple[Total, ColumnElement[Any]], ...] = ()

    def found(self) -> ColumnElement[Any]:
        parts: list[Any] = [constant("'count'"), self.count]
        for word in dict.fromkeys(total.word for total, _ in self.totals):
            these = [part for total, value in self.totals if total.word == word for part in (total.name, value)]
            parts += [constant(f"'{word}'"), func.jsonb_build_object(*these, type_=JSONB)]
        return func.jsonb_build_object(*parts, type_=JSONB)


def count_up_to(rows: Select[Any], most: int) -> ColumnElement[Any]:
    """How many rows there are, counted no further than `most`."""
    return select(func.count()).select_from(rows.limit(most).subquery()).scalar_subquery()


def of_one(rows: Select[Any], totals: tuple[Total, ...], answer: Callable[[Tally], ColumnElement[Any]]) -> Any:
    """What `answer` makes of the tally of one person's rows, as a scalar."""
    events = rows.subquery()
    tally = Tally(func.count(), tuple((total, total.of(events.c.properties)) for total in totals))
    return select(answer(tally)).select_from(events).scalar_subquery()


def of_everybody(sought: Sought, totals: tuple[Total, ...], scope: Scope) -> Tally:
    """The tally of whoever's row it is, worked out for all people in one go and put beside their rows."""
    assert scope.beside is not None
    events = sought.of_everybody(scope).subquery()
    columns = [total.of(events.c.properties).label(f"total_{number}") for number, total in enumerate(totals)]
    counted = func.count().label("count")
    summed = select(events.c.contact_id, counted, *columns).group_by(events.c.contact_id).subquery()
    scope.beside.append(summed)
    zero: ColumnElement[Any] = constant("0")
    return Tally(
        func.coalesce(summed.c.count, zero),
        tuple(
            (total, func.coalesce(summed.c[column.name], zero) if total.word == "sum" else summed.c[column.name])
            for total, column in zip(totals, columns, strict=True)
        ),
    )
