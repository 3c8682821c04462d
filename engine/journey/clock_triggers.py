"""Triggers that the clock pulls: dates of a contact, moving holidays, schedules and broadcasts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Literal

from engine.document import Mapping, Node, Scalar, Sequence
from engine.grammar import INVALID, NAME, Choice, Field, ListOf, MentionType, Reader, Shape, shown, text_schema
from engine.journey.cron import Cron, CronType
from engine.journey.instant import INSTANT
from engine.moments import (
    CLOCK,
    OFFSET,
    ZONE,
    Duration,
    Offset,
    add,
    day_exists,
    local_date,
    local_instant,
    yearly,
)

Occasion = tuple[date, datetime]
"""A local date, which tells an occurrence from the next, and the instant at which it fires."""


def _next(days: Iterable[date], offset: Offset | None, at: time, after: datetime, zone: str) -> Occasion | None:
    """The first of these days, in order, whose instant is strictly later than `after`. A calendar offset moves the day; hours
    count from `at` on the day, as elapsed time, and leave the occurrence that day's.
    """
    for day in days:
        try:
            local = _shifted(day, offset)
            instant = local_instant(local, at, zone) + _elapsed(offset)
            if instant > after and day_exists(local, zone):
                return local, instant
        except (OverflowError, ValueError):  # 0001-01-01 and 9999-12-31, as systems write what they don't know
            continue
    return None


def _shifted(day: date, offset: Offset | None) -> date:
    if offset is None or offset.duration.seconds:
        return day
    sign, duration = -1 if offset.before else 1, offset.duration
    span = Duration(duration.text, 0, sign * duration.days, sign * duration.months)
    return add(datetime.combine(day, time(12), tzinfo=UTC), span, "UTC").date()


def _elapsed(offset: Offset | None) -> timedelta:
    if offset is None:
        return timedelta()
    span = timedelta(seconds=offset.duration.seconds)
    return -span if offset.before else span


def _years(offset: Offset | None) -> int:
    """How many years it may reach into, rounded up."""
    if offset is None:
        return 0
    span = offset.duration
    return (span.seconds // 86400 + span.days + 31 * span.months) // 365 + 1


def _told(offset: Offset | None) -> str:
    if offset is None:
        return ""
    return f" {offset.text}" if offset.before else f" +{offset.text}"


@dataclass(frozen=True)
class DateTrigger:
    """A date of the contact comes round. An occurrence is (contact, local date) and fires at `at` local time.

    With `leap_day` and `offset`, first the day is found, then the offset. `is_instant`: the field is declared as datetime,
    so its date is the one that the contact's own calendar showed at that instant.
    """

    field: str
    repeat: Literal["yearly", "never"]
    offset: Offset | None
    at: time
    leap_day: Literal["feb28", "mar1"]
    is_instant: bool = False

    has_event = False
    segments: ClassVar[tuple[str, ...]] = ()

    def label(self) -> str:
        often = "every year on " if self.repeat == "yearly" else ""
        return f"{often}contact.{self.field}{_told(self.offset)} at {self.at:%H:%M}"

    def day_of(self, value: str | None, zone: str) -> date | None:
        """The local date that a trait such as `1990-02-28` means; None when it is none. A time behind it is ignored, unless
        the field is declared as an instant.
        """
        text = value or ""
        try:
            if self.is_instant:
                instant = datetime.fromisoformat(text)
                return instant.date() if instant.tzinfo is None else local_date(instant, zone)
            return date.fromisoformat(text[:10])
        except (ValueError, OverflowError):
            return None

    def next_after(self, value: date, after: datetime, zone: str) -> Occasion | None:
        """The next occurrence strictly later than `after`. None: there is none any more."""
        return _next(self._days(value, after, zone), self.offset, self.at, after, zone)

    def _days(self, value: date, after: datetime, zone: str) -> Iterator[date]:
        if self.repeat == "never":
            yield value
            return
        year, reach = local_date(after, zone).year, _years(self.offset)
        for each in range(max(value.year, year - 1 - reach), min(year + 4 + reach, date.max.year + 1)):
            yield yearly(value, each, self.leap_day)


@dataclass(frozen=True)
class DatesTrigger:
    """A day of the list comes, for everybody who is in the segment then; at `at` local time of each contact."""

    dates: tuple[date, ...]
    segment: str
    offset: Offset | None
    at: time

    has_event = False

    @property
    def segments(self) -> tuple[str, ...]:
        return (self.segment,)

    def label(self) -> str:
        days = ", ".join(day.isoformat() for day in self.dates[:3]) + (", .." if len(self.dates) > 3 else "")
        return f"everybody in {self.segment} on {days}{_told(self.offset)} at {self.at:%H:%M}"

    def next_after(self, after: datetime, zone: str) -> Occasion | None:
        """The next day of the list whose instant is strictly later than `after`."""
        return _next(self.dates, self.offset, self.at, after, zone)


@dataclass(frozen=True)
class ScheduleTrigger:
    """A schedule comes round, for everybody who is in the segment then. `timezone` None: the organisation's."""

    cron: Cron
    segment: str
    timezone: str | None

    has_event = False

    @property
    def segments(self) -> tuple[str, ...]:
        return (self.segment,)

    def label(self) -> str:
        zone = f" in {self.timezone}" if self.timezone else ""
        return f"everybody in {self.segment} by the schedule {self.cron.text}{zone}"

    def next_after(self, after: datetime, zone: str) -> datetime | None:
        """The next instant strictly later than `after`. `zone`: the organisation's."""
        return self.cron.next_after(after, self.timezone or zone)


@dataclass(frozen=True)
class BroadcastTrigger:
    """An instant comes, for everybody who is in any of the segments then, once."""

    at: datetime
    segments: tuple[str, ...]

    has_event = False

    def label(self) -> str:
        return f"everybody in {' or '.join(self.segments)} at {self.at:%Y-%m-%d %H:%M %z}"

    def next_after(self, after: datetime, zone: str) -> datetime | None:
        return self.at if self.at > after else None


ClockTrigger = DateTrigger | DatesTrigger | ScheduleTrigger | BroadcastTrigger

# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _ContactField:
    """A field that holds a date; read as its name and whether it is declared as an instant."""

    expected: str = "a field such as contact.birthday"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        found = re.fullmatch(r"contact\.([A-Za-z_][A-Za-z0-9_]*)", text)
        if found is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        declared = reader.declared.fields.get(found[1])
        if declared not in (None, "date", "datetime"):
            return reader.refuse(
                node, f"contact.{found[1]} is declared as {declared} in config.yaml; a date trigger needs a date"
            )
        return found[1], declared == "datetime"

    def schema(self) -> dict[str, Any]:
        return text_schema(r"contact\.[A-Za-z_][A-Za-z0-9_]*")


class _DateShape(Shape):
    """Refuses hours that would seem to count from the instant in the field."""

    def read(self, node: Node, reader: Reader) -> Any:
        trigger = super().read(node, reader)
        if not isinstance(trigger, DateTrigger) or not isinstance(node, Mapping) or node.key("at") is not None:
            return trigger
        if not trigger.is_instant or not _elapsed(trigger.offset):
            return trigger
        written, field = node.get("offset"), f"contact.{trigger.field}"
        assert isinstance(written, Scalar)
        wait = f"{{wait: {{until: {field}, offset: {written.text}}}}}"
        message = f"{shown(written)} counts from the local time 'at', not from the instant in {field}"
        return reader.refuse(written, f"{message}: say at, or {wait} in a journey that begins earlier")


@dataclass(frozen=True)
class _DaysType:
    """A list of days, each once; read in the order of time."""

    expected: str = "a list of dates such as 2027-03-10"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Sequence) or not node.items:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        days: set[date] = set()
        good = True
        for item in node.items:
            day = _day(item)
            if day is None:
                reader.refuse(item, f"expected a date such as 2027-03-10, found {shown(item)}")
            elif day in days:
                reader.refuse(item, f"{shown(item)} stands in the list twice")
            else:
                days.add(day)
                continue
            good = False
        return tuple(sorted(days)) if good else INVALID

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": text_schema(r"\d{4}-\d{2}-\d{2}"), "minItems": 1}


def _day(node: Node) -> date | None:
    text = node.text if isinstance(node, Scalar) else ""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


_OFFSET = Field(OFFSET, "before (-) or after the day; hours count from its clock time", example="-3d")
_AT = Field(CLOCK, "the contact's local clock time", default=time(9))
_SEGMENT = Field(MentionType("segment", NAME), "the segment whose members enter", required=True, example="subscribers")

DATE = _DateShape(
    "a date trigger",
    {
        "date": Field(_ContactField(), "the contact's field that holds the date", required=True),
        "repeat": Field(Choice(("yearly", "never")), "every year, or once", default="yearly"),
        "offset": _OFFSET,
        "at": _AT,
        "leap_day": Field(Choice(("feb28", "mar1")), "29 February in common years", default="feb28"),
    },
    lambda date, repeat, offset, at, leap_day: DateTrigger(date[0], repeat, offset, at, leap_day, date[1]),
)
DATES = Shape(
    "a dates trigger",
    {
        "dates": Field(_DaysType(), "the days", required=True, example=["2027-03-10", "2028-02-27"]),
        "segment": _SEGMENT,
        "offset": _OFFSET,
        "at": _AT,
    },
    DatesTrigger,
)
SCHEDULE = Shape(
    "a schedule trigger",
    {
        "schedule": Field(CronType(), "minute hour day month weekday", required=True, example="0 9 * * mon"),
        "segment": _SEGMENT,
        "timezone": Field(ZONE, "whose clock it goes by; without it the organisation's", example="Asia/Jakarta"),
    },
    ScheduleTrigger,
    rename={"schedule": "cron"},
)
BROADCAST = Shape(
    "a broadcast trigger",
    {
        "at": Field(INSTANT, "the instant", required=True, example="2027-03-10T09:00:00+07:00"),
        "segment": Field(
            ListOf(MentionType("segment", NAME), single=True, least=1),
            "everybody in any of them",
            required=True,
            example=["buyers", "readers"],
        ),
    },
    lambda at, segment: BroadcastTrigger(at, tuple(dict.fromkeys(segment))),
)
