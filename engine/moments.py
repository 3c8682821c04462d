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
from engine.grammar import Reader, shown, suggestion

_PART = re.compile(r"(\d{1,9})(mo|[smhdw])")
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
    if not text or re.fullmatch(r"(?:\d{1,9}(?:mo|[smhdw]))+", text) is None:
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


@dataclass(frozen=True)
class ClockType:
    """A local time of day, `09:00` to `23:59`."""

    expected: str = 'a clock time such as "09:00"'

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text) is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return time.fromisoformat(text)


@dataclass(frozen=True)
class ZoneType:
    """An IANA time zone name."""

    expected: str = "a time zone such as Asia/Jakarta"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        if is_zone(text):
            return text
        return reader.refuse(node, f"unknown time zone {shown(node)}{_zone_hint(text)}")


WAIT = WaitType()
WINDOW = WindowType()
CLOCK = ClockType()
ZONE = ZoneType()

_ABBREVIATIONS = {"WIB": "Asia/Jakarta", "WITA": "Asia/Makassar", "WIT": "Asia/Jayapura"}


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


def _exists(day: date, zone: str) -> bool:
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
    while not _exists(day, zone):
        day += timedelta(days=1)
    return local_instant(day, local.time().replace(tzinfo=None), zone)


def next_clock_time(after: datetime, clock: time, zone: str, days: Collection[str] = ()) -> datetime:
    """The next instant strictly later than `after` whose local time is `clock`, on one of the named weekdays if any."""
    day = local_date(after, zone) - timedelta(days=1)
    for _ in range(380):
        day += timedelta(days=1)
        if days and WEEKDAYS[day.weekday()] not in days:
            continue
        if not _exists(day, zone):
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
