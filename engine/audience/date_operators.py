"""Operators on dates and instants: before, after, within a span from now, on a day, on an anniversary.

A date is a whole day and has no instant; an instant lies on the day that the person's own calendar shows then. A date
and an instant are therefore compared by their days, two instants exactly (decision 0015).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, extract, func, literal, not_, or_, select
from sqlalchemy import literal_column as constant

from engine.audience.operands import Operand
from engine.audience.operation import Operator
from engine.audience.scope import Clock
from engine.audience.value import One, Subject
from engine.document import Node, Scalar, Sequence
from engine.grammar import INVALID, FieldType, Invalid, Reader, any_of, shown, suggestion, text_schema
from engine.moments import WEEKDAYS, WINDOW, Window

_DATES: Final[tuple[FieldType, ...]] = ("date", "datetime", "list")

# --- what stands behind them ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """A window of elapsed time that begins or ends now."""

    window: Window

    @property
    def plain(self) -> str:
        return self.window.text

    def label(self) -> str:
        return self.window.text


@dataclass(frozen=True)
class Day:
    """One date, a weekday (1 is Monday), or a day counted from today; exactly one of them."""

    plain: str
    date: date | None = field(default=None, kw_only=True)
    weekday: int | None = field(default=None, kw_only=True)
    from_today: int | None = field(default=None, kw_only=True)

    def label(self) -> str:
        return self.plain

    def is_it(self, day: ColumnElement[Any], clock: Clock) -> ColumnElement[bool]:
        if self.date is not None:
            return day == literal(self.date)
        if self.weekday is not None:
            return extract("isodow", day) == self.weekday
        return day == clock.today + literal(self.from_today)


_NEAR: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}
_DAY: Final = "a date such as 2026-03-01, a weekday such as mon, or one of yesterday, today, tomorrow"
_MOST_DAYS = 100


def read_span(node: Node, reader: Reader) -> tuple[Span, ...] | Invalid:
    window = WINDOW.read(node, reader)
    return (Span(window),) if isinstance(window, Window) else INVALID


def read_days(node: Node, reader: Reader) -> tuple[Day, ...] | Invalid:
    """One day, or a list: any of them."""
    nodes = node.items if isinstance(node, Sequence) else (node,)
    if not 0 < len(nodes) <= _MOST_DAYS:
        return reader.refuse(node, f"'day_is' takes {_DAY}; or a list of 1 to {_MOST_DAYS} of them")
    days = [_read_day(each, reader) for each in nodes]
    good = tuple(day for day in days if isinstance(day, Day))
    return good if len(good) == len(days) else INVALID


def _read_day(node: Node, reader: Reader) -> Day | Invalid:
    text = node.text if isinstance(node, Scalar) else ""
    if text in _NEAR:
        return Day(text, from_today=_NEAR[text])
    if text in WEEKDAYS:
        return Day(text, weekday=WEEKDAYS.index(text) + 1)
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return Day(text, date=date.fromisoformat(text))
    except ValueError:
        pass
    meant = next((f" (did you mean '{day}'?)" for day in WEEKDAYS if text.lower().startswith(day)), None)
    return reader.refuse(node, f"expected {_DAY}, found {shown(node)}{meant or suggestion(text, _NEAR)}")


def days_schema() -> dict[str, Any]:
    day = text_schema("|".join([r"\d{4}-\d\d-\d\d", *WEEKDAYS, *_NEAR]))
    return any_of(day, {"type": "array", "items": day, "minItems": 1, "maxItems": _MOST_DAYS})


# --- what they ask ----------------------------------------------------------------------------------------------------


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
    bound = other.bound()
    if other.kind == "date":
        return _when(subject, clock, lambda moment: compare(moment.lies_on, bound))
    day = clock.day_of(bound)
    return _when(subject, clock, lambda moment: or_(compare(moment.instant, bound), compare(moment.day, day)))


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
    return _when(subject, clock, lambda moment: or_(*(day.is_it(moment.lies_on, clock) for day in days)))


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


DATE_OPERATORS: dict[str, Operator] = {
    "before": Operator(
        "moment", lambda s, o, clock: _compares(operator.lt, s, o[0], clock), lambda o: f"is before {o[0].label()}",
        about="before a date or an instant", example="{contact.trial_ends: {before: 2026-03-01}}", asked_of=_DATES,
    ),
    "after": Operator(
        "moment", lambda s, o, clock: _compares(operator.gt, s, o[0], clock), lambda o: f"is after {o[0].label()}",
        about="after a date or an instant", asked_of=_DATES,
        example='{event.departure: {after: "2026-03-01T09:00:00+07:00"}}',
    ),
    "within_last": Operator(
        "span", _within_last, lambda o: f"is within the last {o[0].label()}", asked_of=_DATES,
        about="not longer ago than this, and not in the future", example="{contact.last_visit: {within_last: 30d}}",
    ),
    "within_next": Operator(
        "span", _within_next, lambda o: f"is within the next {o[0].label()}", asked_of=_DATES,
        about="not further ahead than this, and not in the past", example="{contact.renewal: {within_next: 14d}}",
    ),
    "day_is": Operator(
        "days", _day_is, lambda o: f"is on {' or '.join(day.label() for day in o)}", asked_of=_DATES,
        about="on this date or weekday, or yesterday, today or tomorrow; of a list: on any of them",
        example="{event.delivery_date: {day_is: [sat, sun]}}",
    ),
    "anniversary": Operator(
        "flag", _anniversary, lambda o: f"{'has' if o[0].value else 'does not have'} its anniversary today",
        about="the same day in a later year is today; 29 February on the 28th of common years", asked_of=_DATES,
        example="{contact.first_order: {anniversary: true}}",
    ),
}  # fmt: skip
