"""Turning: the instants at which the clock alone may change what a condition says of a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from engine.audience.condition import Condition
from engine.moments import Duration, Window, next_clock_time

_BY_THE_DAY: Final = frozenset({"within_last", "within_next", "day_is", "anniversary"})
_TICK: Final = timedelta(microseconds=1)  # a window holds its last instant; what follows is the next one


@dataclass(frozen=True)
class Turning:
    """How the clock moves some conditions: `windows` are looked over, `daily` ones change with the date."""

    windows: frozenset[timedelta] = frozenset()
    daily: bool = False

    def plus(self, other: Turning) -> Turning:
        return Turning(self.windows | other.windows, self.daily or other.daily)

    def after(self, now: datetime, instants: Iterable[datetime], zones: Iterable[str]) -> datetime | None:
        """The first instant later than `now` at which a condition may change for somebody whose events and dates lie at
        `instants`, by the calendar of `zones`. Some of the instants it names change nothing; none is left out.
        """
        near = [instant + shift for instant in instants for shift in self._shifts()]
        near += [next_clock_time(now, time(), zone) for zone in zones] if self.daily else []
        return min((instant for instant in near if instant > now), default=None)

    def _shifts(self) -> Iterator[timedelta]:
        """An event of the future counts from its own instant on; what lies in a window leaves it after its end."""
        yield timedelta()
        for window in self.windows:
            yield window + _TICK
            if self.daily:
                yield from (window, -window, _TICK - window)


def turning(condition: Condition) -> Turning:
    """What in the condition hangs on the clock."""
    windows: set[timedelta] = set()
    daily = False
    for part in _parts(condition):
        match part:
            case Window(delta=delta):
                windows.add(delta)
            case Duration(seconds=seconds, days=days, months=months):
                windows.add(timedelta(seconds=seconds, days=days + 31 * months))
                daily = True
            case _:
                daily = daily or getattr(part, "word", None) in _BY_THE_DAY
    return Turning(frozenset(windows), daily)


def _parts(value: Any) -> Iterator[Any]:
    """The value and all that it is made of, whatever kinds of conditions there are."""
    yield value
    if is_dataclass(value):
        for part in fields(value):
            yield from _parts(getattr(value, part.name))
    elif isinstance(value, tuple | list | frozenset):
        for item in value:
            yield from _parts(item)
