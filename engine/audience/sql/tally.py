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
from engine.audience.path import steps
from engine.audience.sought import Sought, Total
from engine.audience.sql.scope import Scope
from engine.audience.sql.value import Json, Known, Spread, at, text_at


def rows_of_one(sought: Sought, scope: Scope) -> Select[Any]:
    """One row for each such event of the scope's contact, to be asked for that one person."""
    event = tables.event.alias()
    mine = (event.c.contact_id == scope.contact.c.id, *_found(sought, event, scope))
    return select(event.c.properties).select_from(event).where(*mine).correlate_except(event)


def _rows_of_everybody(sought: Sought, scope: Scope) -> Select[Any]:
    """One row for each such event, with its `contact_id`."""
    event, person = tables.event.alias(), tables.contact.alias()
    found = _found(sought, event, replace(scope, contact=person))
    about_person = any(getattr(part, "table", None) is person for each in found for part in visitors.iterate(each))
    rows = event.join(person, person.c.id == event.c.contact_id) if about_person else event
    return select(event.c.contact_id, event.c.properties).select_from(rows).where(*found)


def _found(sought: Sought, event: Any, scope: Scope) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [event.c.name == sought.name, event.c.occurred_at <= scope.now]
    if sought.within is not None:
        found.append(event.c.occurred_at >= scope.now - sought.within.delta)
    if sought.where is not None:
        found.append(sought.where.verdict(scope.testing(event.c.properties)).holds)
    return found


def _total(total: Total, properties: ColumnElement[Any]) -> ColumnElement[Any]:
    """The total over rows that have these properties; an aggregate."""
    match total.word:
        case "sum":
            return func.coalesce(func.sum(_of_event(total, properties, "sum")), constant("0"))
        case "avg":
            count = func.sum(_of_event(total, properties, "count"))
            return func.sum(_of_event(total, properties, "sum")) / func.nullif(count, constant("0"))
        case "min":
            return func.min(_of_event(total, properties, "min"))
        case "max":
            return func.max(_of_event(total, properties, "max"))


def _of_event(
    total: Total, properties: ColumnElement[Any], what: Literal["sum", "count", "min", "max"]
) -> ColumnElement[Any]:
    """The same of one event: it has one number at most, unless the path has a `*`."""
    if "*" in total.path:
        return Spread(properties, steps(total.path)).numbers(getattr(func, what))
    number = Json(at(properties, total.path), text_at(properties, total.path), total.type).typed("number")
    return func.num_nonnulls(number) if what == "count" else number


@dataclass(frozen=True, eq=False)
class Tally:
    """The count and the totals of one person's events."""

    count: ColumnElement[Any]
    totals: tuple[tuple[Total, ColumnElement[Any]], ...] = ()

    def known(self) -> list[tuple[Total, Known]]:
        """The totals as values to compare with; the sum of no numbers is 0."""
        return [(total, Known("number", value, always=total.word == "sum")) for total, value in self.totals]

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
    tally = Tally(func.count(), tuple((total, _total(total, events.c.properties)) for total in totals))
    return select(answer(tally)).select_from(events).scalar_subquery()


def of_everybody(sought: Sought, totals: tuple[Total, ...], scope: Scope) -> Tally:
    """The tally of whoever's row it is, worked out for all people in one go and put beside their rows."""
    assert scope.beside is not None
    events = _rows_of_everybody(sought, scope).subquery()
    columns = [_total(total, events.c.properties).label(f"total_{number}") for number, total in enumerate(totals)]
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
