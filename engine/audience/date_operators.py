"""Operators on dates and instants: before, after, within a span from now, on a day, on an anniversary.

What each asks of a value: `engine.audience.sql.date_operators`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from engine.audience.operation import Operator
from engine.document import Node, Scalar, Sequence
from engine.grammar import INVALID, FieldType, Invalid, Reader, any_of, shown, suggestion, text_schema
from engine.moments import WEEKDAYS, WINDOW, Window

_DATES: Final[tuple[FieldType, ...]] = ("date", "datetime", "list")


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


DATE_OPERATORS: dict[str, Operator] = {
    "before": Operator(
        "moment", lambda o: f"is before {o[0].label()}",
        about="before a date or an instant", example="{contact.trial_ends: {before: 2026-03-01}}", asked_of=_DATES,
    ),
    "after": Operator(
        "moment", lambda o: f"is after {o[0].label()}",
        about="after a date or an instant", asked_of=_DATES,
        example='{event.departure: {after: "2026-03-01T09:00:00+07:00"}}',
    ),
    "within_last": Operator(
        "span", lambda o: f"is within the last {o[0].label()}", asked_of=_DATES,
        about="not longer ago than this, and not in the future", example="{contact.last_visit: {within_last: 30d}}",
    ),
    "within_next": Operator(
        "span", lambda o: f"is within the next {o[0].label()}", asked_of=_DATES,
        about="not further ahead than this, and not in the past", example="{contact.renewal: {within_next: 14d}}",
    ),
    "day_is": Operator(
        "days", lambda o: f"is on {' or '.join(day.label() for day in o)}", asked_of=_DATES,
        about="on this date or weekday, or yesterday, today or tomorrow; of a list: on any of them",
        example="{event.delivery_date: {day_is: [sat, sun]}}",
    ),
    "anniversary": Operator(
        "flag", lambda o: f"{'has' if o[0].value else 'does not have'} its anniversary today",
        about="the same day in a later year is today; 29 February on the 28th of common years", asked_of=_DATES,
        example="{contact.first_order: {anniversary: true}}",
    ),
}  # fmt: skip
