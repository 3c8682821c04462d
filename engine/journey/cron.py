"""Cron: a schedule in five fields, and the instants at which it comes round in a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from engine.document import Node, Scalar
from engine.grammar import Reader, shown, text_schema
from engine.moments import day_exists, local_instant

_WIDEST = timedelta(hours=4)
"""More than any clock was ever put forward or back at once, except by a whole day."""

_SOME_DAY = datetime(2024, 1, 1)  # noqa: DTZ001  a local time: a leap year, so that every schedule that comes, comes soon


@dataclass(frozen=True)
class Cron:
    """`minute hour day month weekday`, as Debian's cron reads them.

    Local times become instants as everywhere: one that a gap skips moves forward by the gap, one that happens twice comes
    once, the first time; a day that the zone skips is passed over. (Debian's cron, and `CronSim` in a zone, do otherwise.)
    """

    text: str

    def next_after(self, after: datetime, zone: str) -> datetime | None:
        """The first instant strictly later than `after`; None when none comes within fifty years."""
        start = after.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - _WIDEST
        coming = self._from(start, after, zone)
        first = next(coming, None)
        if first is None:
            return None
        # Local times in order are not always instants in order: 02:30 that is skipped comes after 03:00.
        near = takewhile(lambda each: each[0] <= first[0] + _WIDEST, coming)
        return min(instant for _, instant in (first, *near))

    def _from(self, start: datetime, after: datetime, zone: str) -> Iterator[tuple[datetime, datetime]]:
        """Local times from `start` on whose instant is later than `after`, with it."""
        from cronsim import CronSim

        for local in CronSim(self.text, start):
            instant = local_instant(local.date(), local.time(), zone)
            if instant > after and day_exists(local.date(), zone):
                yield local, instant


@dataclass(frozen=True)
class CronType:
    """Five fields of cron, such as `0 9 * * mon`."""

    expected: str = 'a schedule of five fields (minute hour day month weekday) such as "0 9 * * mon"'

    def read(self, node: Node, reader: Reader) -> Any:
        from cronsim import CronSim, CronSimError

        text = node.text if isinstance(node, Scalar) else ""
        if len(text.split()) != 5:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        try:
            first = next(CronSim(text, _SOME_DAY), None)
        except CronSimError as error:
            said = str(error).removeprefix("Bad ").replace("-", " ")
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}: the {said} can't be that")
        if first is None:
            return reader.refuse(node, f"{shown(node)} never comes: there is no such day")
        return Cron(" ".join(text.split()))

    def schema(self) -> dict[str, Any]:
        return text_schema(r"\s*\S+(?:\s+\S+){4}\s*", examples=["0 9 * * mon"])
