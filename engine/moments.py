"""Durations and local clock times: read from text, added to instants. The only place where local time becomes UTC.

Every instant that comes in or goes out is timezone-aware; results are in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dateutil.relativedelta import relativedelta

from engine.document import Node, Scalar
from engine.grammar import Reader, shown, suggestion, text_schema

_PART = re.compile(r"(\d{1,9})(mo|[smhdw])", re.ASCII)
_SPAN = r"(?:[0-9]{1,9}(?:mo|[smhdw]))+"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = timedelta(days=3660)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Duration:
    """A wait: elapsed seconds, or calendar days and months in the person's zone (`1d` is the same clock time tomorrow)."""

    text: str
    seconds: int = 0
    days: int = 0
    months: int = 0


@dataclass(frozen=True)
class Window:
    """A span looked back or forward over, always elapsed time: `1d` is 24 hours."""

    text: str
    delta: timedelta


def _units(text: str) -> dict[str, int] | None:
    if re.fullmatch(_SPAN, text) is None:
        return None
    units: dict[str, int] = {}
    for amount, unit in _PART.findall(text):
        if unit in units:
            return None
        units[unit] = int(amount)
    return units


@dataclass(frozen=True)
class WaitType:
    """`90s`, `15m`, `24h` (elapsed) or `1d`, `2w`, `3mo` (calendar); the two kinds are not mixed."""

    expected: str = "a duration such as 90m, 24h, 1d, 2w or 3mo"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        units = _units(text)
        if units is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        elapsed = units.keys() & {"s", "m", "h"}
        if elapsed and units.keys() - elapsed:
            return reader.refuse(
                node, f"'{text}' mixes elapsed time (s, m, h) with calendar time (d, w, mo); write two waits"
            )
        seconds = sum(amount * _SECONDS[unit] for unit, amount in units.items() if unit in _SECONDS)
        duration = Duration(text, seconds, units.get("d", 0) + 7 * units.get("w", 0), units.get("mo", 0))
        if timedelta(seconds=seconds, days=duration.days + 31 * duration.months) > _LONGEST:
            return reader.refuse(node, f"'{text}' is longer than ten years")
        if not (seconds or duration.days or duration.months):
            return reader.refuse(node, f"'{text}' is no time at all; leave the step out")
        return duration

    def schema(self) -> dict[str, Any]:
        return text_schema(_SPAN, examples=["90m", "1d", "2w", "3mo"])


@dataclass(frozen=True)
class WindowType:
    """`90m`, `24h`, `30d`, `2w`: elapsed time; months have no fixed length and are refused."""

    expected: str = "a window such as 15m, 24h, 30d or 2w"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        units = _units(text)
        if units is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if "mo" in units:
            return reader.refuse(node, f"'{text}': months have no fixed length here; write days, e.g. 30d")
        delta = timedelta(
            seconds=sum(amount * _SECONDS[unit] for unit, amount in units.items() if unit in _SECONDS),
            days=units.get("d", 0) + 7 * units.get("w", 0),
        )
        if not timedelta() < delta <= _LONGEST:
            return reader.refuse(node, f"'{text}' must be more than nothing and at most ten years")
        return Window(text, delta)

    def schema(self) -> dict[str, Any]:
        return text_schema("(?:[0-9]{1,9}[smhdw])+", examples=["15m", "24h", "30d"])


@dataclass(frozen=True)
class ClockType:
    """A local time of day, `09:00` to `23:59`."""

    expected: str = 'a clock time such as "09:00"'

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        if re.fullmatch(_CLOCK, text) is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return time.fromisoformat(text)

    def schema(self) -> dict[str, Any]:
        return text_schema(_CLOCK, examples=["09:00"])


@dataclass(frozen=True)
class ZoneType:
    """An IANA time zone name."""

    expected: str = "a time zone such as Asia/Jakarta"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        if is_zone(text):
            return text
        return reader.refuse(node, f"unknown time zone {shown(node)}{_zone_hint(text)}")

    def schema(self) -> dict[str, Any]:
        return text_schema("[A-Za-z][A-Za-z0-9_+/-]*", examples=["Asia/Jakarta", "UTC"])


@dataclass(frozen=True)
class Offset:
    """How far before or after a date or instant."""

    text: str
    duration: Duration
    before: bool


@dataclass(frozen=True)
class OffsetType:
    """`-3d` or `2w` (calendar), `-2h` (elapsed)."""

    expected: str = "an offset such as -3d, 2w or -2h"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        bare = text.removeprefix("-")
        if _units(bare) is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if not bare.strip("0smhdwo"):
            return reader.refuse(node, f"{shown(node)} is no time at all; leave the offset out")
        duration = WAIT.read(Scalar(bare, bare, False, node.line, node.column), reader)
        return Offset(text, duration, text.startswith("-")) if isinstance(duration, Duration) else duration

    def schema(self) -> dict[str, Any]:
        return text_schema(f"-?{_SPAN}", examples=["-3d", "-2h"])


WAIT = WaitType()
WINDOW = WindowType()
CLOCK = ClockType()
ZONE = ZoneType()
OFFSET = OffsetType()

MORNING = time(9)
"""When something happens on a date for which nobody says a time."""

_ABBREVIATIONS = {"WIB": "Asia/Jakarta", "WITA": "Asia/Makassar", "WIT": "Asia/Jayapura"}


def read_window(text: str) -> timedelta | None:
    """A window from the command line, such as `15m` or `1d`; None if it is none."""
    window = WINDOW.read(Scalar(text, text, False, 1, 1), Reader(""))
    return window.delta if isinstance(window, Window) else None


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str) -> bool:
    """True for a name that the IANA database holds, in its exact spelling."""
    return name in _zones()


def _zone_hint(name: str) -> str:
    meant = _ABBREVIATIONS.get(name.upper()) or next((z for z in _zones() if z.lower() == name.lower()), None)
    return f" (did you mean '{meant}'?)" if meant else suggestion(name, sorted(_zones()))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_instant(day: date, clock: time, zone: str) -> datetime:
    """The UTC instant of a local wall-clock time: skipped by a gap, it moves forward by the gap (RFC 5545 3.3.5,
    02:30 becomes 03:30); one that happens twice means the first.
    """
    return datetime.combine(day, clock, tzinfo=_zone(zone)).replace(fold=0).astimezone(UTC)


def same_clock(at: datetime, old: str, new: str) -> datetime:
    """The instant at which the clocks of `new` show what those of `old` show at `at`."""
    local = at.astimezone(_zone(old))
    return local_instant(local.date(), local.time().replace(tzinfo=None), new)


def day_exists(day: date, zone: str) -> bool:
    """False for a day that the zone skipped whole (Pacific/Apia, 2011-12-30)."""
    noon = local_instant(day, time(12), zone).astimezone(_zone(zone))
    return noon.date() == day


def local_date(at: datetime, zone: str) -> date:
    return at.astimezone(_zone(zone)).date()


def add(at: datetime, duration: Duration, zone: str) -> datetime:
    """`at` plus the duration: elapsed time as it is; calendar time keeps the local clock time. The 31st plus `1mo` is
    the last day of the next month; a day that the zone skips is passed over.
    """
    if duration.seconds:
        return at + timedelta(seconds=duration.seconds)
    local = at.astimezone(_zone(zone))
    day = local.date() + relativedelta(months=duration.months, days=duration.days)
    while not day_exists(day, zone):
        day += timedelta(days=1)
    return local_instant(day, local.time().replace(tzinfo=None), zone)


def instant_of(value: Any, offset: Offset | None, clock: time | None, zone: str) -> datetime | None:
    """The instant that a stored value means: `2026-03-05` on that local date, at `clock` (09:00 if None); an ISO 8601
    instant as it is, or at `clock` on its local date; without an offset from UTC it is local time. Then the offset is added.

    None for a value that is neither, and for one that the calendar can't reach.
    """
    said = _date_or_instant(value)
    if said is None:
        return None
    day_offset = offset if offset is not None and not offset.duration.seconds else None
    try:
        if isinstance(said, datetime) and said.tzinfo is not None:
            said = said.astimezone(_zone(zone)).replace(tzinfo=None) if clock is not None or day_offset else said
        if not isinstance(said, datetime):
            said = datetime.combine(said, clock or MORNING)
        elif clock is not None:
            said = datetime.combine(said.date(), clock)
        if said.tzinfo is None:
            said = local_instant(_shifted(said.date(), day_offset, zone), said.time(), zone)
        if offset is not None and offset.duration.seconds:
            span = timedelta(seconds=offset.duration.seconds)
            said = said - span if offset.before else said + span
        return said.astimezone(UTC)
    except (OverflowError, ValueError):  # 0001-01-01 and 9999-12-31, as systems write what they don't know
        return None


_STARTS_WITH_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _date_or_instant(value: Any) -> date | datetime | None:
    if not isinstance(value, str) or _STARTS_WITH_DATE.match(value) is None:
        return None
    try:
        return date.fromisoformat(value) if len(value) == len("2026-03-05") else datetime.fromisoformat(value)
    except ValueError:
        return None


def _shifted(day: date, offset: Offset | None, zone: str) -> date:
    if offset is None:
        return day
    sign = -1 if offset.before else 1
    day += relativedelta(months=sign * offset.duration.months, days=sign * offset.duration.days)
    while not day_exists(day, zone):
        day += timedelta(days=1)
    return day


def times(duration: Duration, number: int) -> Duration:
    """The duration taken `number` times over: three times `1mo` is three months, whatever their lengths."""
    return Duration(
        f"{number} x {duration.text}", duration.seconds * number, duration.days * number, duration.months * number
    )


def next_clock_time(after: datetime, clock: time, zone: str, days: Collection[str] = ()) -> datetime:
    """The next instant strictly later than `after` whose local time is `clock`, on one of the named weekdays if any."""
    day = local_date(after, zone) - timedelta(days=1)
    for _ in range(380):
        day += timedelta(days=1)
        if days and WEEKDAYS[day.weekday()] not in days:
            continue
        if not day_exists(day, zone):
            continue
        instant = local_instant(day, clock, zone)
        if instant > after:
            return instant
    raise ValueError(f"no {clock} on {days} within a year of {after} in {zone}")


def yearly(birth: date, year: int, leap_day: str) -> date:
    """The date's anniversary in a year; 29 February becomes 28 February or 1 March in common years."""
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 2, 28) if leap_day == "feb28" else date(year, 3, 1)


def first_outside(at: datetime, start: time, end: time, zone: str) -> datetime:
    """`at` itself when its local time is not in [start, end), which may pass midnight; else the first instant after it
    that is outside. A gap that skips `end` ends the span at once; an hour that happens twice may be inside once more.

    `start` and `end` must differ.
    """
    if not _is_within(at, start, end, zone):
        return at
    ends = sorted(c for c in (*_clock_instants(at, end, zone), *_shifts(at, zone)) if c > at)
    return next(c for c in ends if not _is_within(c, start, end, zone))


def _is_within(at: datetime, start: time, end: time, zone: str) -> bool:
    clock = at.astimezone(_zone(zone)).time()
    return start <= clock < end if start < end else clock >= start or clock < end


def _clock_instants(at: datetime, clock: time, zone: str) -> list[datetime]:
    """Every instant of the next days at which the local time is `clock`, both where it happens twice."""
    day = local_date(at, zone)
    walls = (datetime.combine(day + timedelta(days=n), clock, tzinfo=_zone(zone)) for n in range(4))
    return [wall.replace(fold=fold).astimezone(UTC) for wall in walls for fold in (0, 1)]


def _shifts(at: datetime, zone: str) -> list[datetime]:
    """The instants of the next three days at which the zone's clock is changed."""
    found = []
    for hours in range(0, 72, 12):
        before, after = at + timedelta(hours=hours), at + timedelta(hours=hours + 12)
        if _offset(before, zone) == _offset(after, zone):
            continue
        low, high = (x.replace(microsecond=0) for x in (before, after))  # clocks are changed at whole seconds
        while high - low > timedelta(seconds=1):
            middle = (low + (high - low) / 2).replace(microsecond=0)
            low, high = (middle, high) if _offset(middle, zone) == _offset(before, zone) else (low, middle)
        found.append(high)
    return found


def _offset(at: datetime, zone: str) -> timedelta | None:
    return at.astimezone(_zone(zone)).utcoffset()
