"""What the operators on dates and instants ask in SQL.

A date is a whole day and has no instant; an instant lies on the day that the person's own calendar shows then. A date
and an instant are therefore compared by their days, two instants exactly (decision 0015).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, extract, func, literal, not_, or_, select
from sqlalchemy import literal_column as constant

from engine.audience.date_operators import Day, Span
from engine.audience.operands import Operand
from engine.audience.sql.operands import bound
from engine.audience.sql.scope import Clock
from engine.audience.sql.value import Asks, One, Subject


@dataclass(frozen=True, eq=False)
class _Moment:
    """What a value is in time: `day` where it is a date, `instant` where it is one, and the day it lies on in either case."""

    day: ColumnElement[Any]
    instant: ColumnElement[Any]
    lies_on: ColumnElement[Any]


def _when(subject: Subject, clock: Clock, asked: Callable[[_Moment], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether `asked` holds of the value, of a list for any item."""

    def test(one: One) -> ColumnElement[bool]:
        # OFFSET 0 keeps PostgreSQL from reading the text anew for every part of what is asked.
        read = select(one.day().label("day"), one.instant().label("instant")).correlate_except(None)
        known = read.offset(constant("0")).subquery()
        day, instant = known.c.day, known.c.instant
        moment = _Moment(day, instant, func.coalesce(day, clock.day_of(instant)))
        return select(asked(moment)).select_from(known).correlate_except(known).scalar_subquery()

    return subject.any(test)


def _compares(
    compare: Callable[[Any, Any], ColumnElement[bool]], subject: Subject, other: Operand, clock: Clock
) -> ColumnElement[bool]:
    value = bound(other)
    if other.kind == "date":
        return _when(subject, clock, lambda moment: compare(moment.lies_on, value))
    day = clock.day_of(value)
    return _when(subject, clock, lambda moment: or_(compare(moment.instant, value), compare(moment.day, day)))


def _between(
    subject: Subject, clock: Clock, first: ColumnElement[Any], last: ColumnElement[Any]
) -> ColumnElement[bool]:
    """In [first, last]: an instant exactly, a date if the window touches that day."""
    days = clock.day_of(first), clock.day_of(last)
    return _when(subject, clock, lambda moment: or_(moment.instant.between(first, last), moment.day.between(*days)))


def _within_last(subject: Subject, spans: tuple[Span], clock: Clock) -> ColumnElement[bool]:
    return _between(subject, clock, clock.now - literal(spans[0].window.delta), clock.now)


def _within_next(subject: Subject, spans: tuple[Span], clock: Clock) -> ColumnElement[bool]:
    return _between(subject, clock, clock.now, clock.now + literal(spans[0].window.delta))


def _day_is(subject: Subject, days: tuple[Day, ...], clock: Clock) -> ColumnElement[bool]:
    return _when(subject, clock, lambda moment: or_(*(_is_it(day, moment.lies_on, clock) for day in days)))


def _is_it(asked: Day, day: ColumnElement[Any], clock: Clock) -> ColumnElement[bool]:
    if asked.date is not None:
        return day == literal(asked.date)
    if asked.weekday is not None:
        return extract("isodow", day) == asked.weekday
    return day == clock.today + literal(asked.from_today)


def _anniversary(subject: Subject, flag: tuple[Operand], clock: Clock) -> ColumnElement[bool]:
    today = _when(subject, clock, lambda moment: _comes_round(moment.lies_on, clock.today))
    there = _when(subject, clock, lambda moment: moment.lies_on.is_not(None))
    return today if flag[0].value else and_(there, not_(today))


def _comes_round(day: ColumnElement[Any], today: ColumnElement[Any]) -> ColumnElement[bool]:
    """The same month and day in a later year; of 29 February in a common year the 28th."""
    same = and_(_part("month", day) == _part("month", today), _part("day", day) == _part("day", today))
    leap = and_(_part("month", day) == 2, _part("day", day) == 29)
    last = and_(_part("month", today) == 2, _part("day", today) == 28, _part("day", today + literal(1)) == 1)
    return and_(_part("year", day) < _part("year", today), or_(same, and_(leap, last)))


def _part(name: str, day: ColumnElement[Any]) -> ColumnElement[Any]:
    return extract(name, day)


DATES_ASK: Final[Mapping[str, Asks]] = {
    "before": lambda s, o, clock: _compares(operator.lt, s, o[0], clock),
    "after": lambda s, o, clock: _compares(operator.gt, s, o[0], clock),
    "within_last": _within_last,
    "within_next": _within_next,
    "day_is": _day_is,
    "anniversary": _anniversary,
}
"""By the operator's word, as `engine.audience.date_operators` has them."""
