"""Agenda: what is due now, and when the next thing is; one query, because it is asked again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, Engine, TextClause, text

Due = Literal["dates", "signals", "sends", "calls"]


@dataclass(frozen=True)
class Agenda:
    """Whether dates or schedules, signals, sends and calls are due, held ones too. `next` is the earliest later instant of
    any; None also when it was not looked for, since something is due.
    """

    dates: bool
    signals: bool
    sends: bool
    calls: bool
    next: datetime | None


# When a throttle gives the next token to a journey that has something due.
_TOKENS: Final = """(SELECT min(b.free_at) FROM bucket b WHERE b.free_at > :now AND EXISTS (
            SELECT 1 FROM send s WHERE s.state = 'planned' AND s.journey = b.journey AND s.next_at <= :now))"""

_NEXT_SIGNAL: Final = "(SELECT min(at) FROM signal WHERE at > :now)"

# An event is passed over when its contact is under way nowhere, with no goal open, and it starts nothing. Read in the
# order of the queue until one is found, so that the passed ones cost little.
_NEXT_OF_CONCERN: Final = """(SELECT s.at FROM signal s LEFT JOIN event e ON e.id = s.event_id
            WHERE s.at > :now AND (s.kind <> 'event' OR e.name = ANY(CAST(:starting AS text[])) OR EXISTS (
                SELECT 1 FROM enrollment n WHERE n.contact_id = s.contact_id AND (n.state = 'active' OR n.goal_until >= s.at)
            )) ORDER BY s.at, s.id LIMIT 1)"""


def _agenda(next_signal: str) -> TextClause:
    # The earliest of all, and not "is there one before": of that the planner expects so many that it reads whole tables.
    return text(f"""
    WITH due AS MATERIALIZED (
        SELECT coalesce(least(
                (SELECT min(due_at) FROM occurrence), (SELECT min(due_at) FROM scheduled WHERE fired_at IS NULL)
            ) <= :now, false) AS dates,
            coalesce((SELECT min(at) FROM signal) <= :now, false) AS signals,
            coalesce((SELECT min(next_at) FROM send WHERE state = 'planned') <= :now, false) AS sends,
            coalesce((SELECT min(next_at) FROM call WHERE state IN ('planned', 'calling')) <= :now, false) AS calls
    )
    SELECT dates, signals, sends, calls, CASE
        WHEN (dates AND 'dates' <> ALL(CAST(:passing AS text[]))) OR (signals AND 'signals' <> ALL(CAST(:passing AS text[])))
            OR (sends AND 'sends' <> ALL(CAST(:passing AS text[]))) OR (calls AND 'calls' <> ALL(CAST(:passing AS text[])))
        THEN NULL
        ELSE least(
            (SELECT min(due_at) FROM occurrence WHERE due_at > :now),
            (SELECT min(due_at) FROM scheduled WHERE fired_at IS NULL AND due_at > :now),
            {next_signal},
            (SELECT min(next_at) FROM send WHERE state = 'planned' AND next_at > :now),
            {_TOKENS},
            (SELECT min(next_at) FROM call WHERE state = 'planned' AND next_at > :now)
        ) END
    FROM due
    """)


_AGENDA: Final = _agenda(_NEXT_SIGNAL)
_OF_CONCERN: Final = _agenda(_NEXT_OF_CONCERN)
_ALL: Final[tuple[Due, ...]] = ("dates", "signals", "sends", "calls")


def read_agenda(conn: Connection, now: datetime, passing: Collection[Due] = _ALL) -> Agenda:
    """What there is to do at `now`. `next` is looked for only when nothing else than `passing` is due."""
    return Agenda(*conn.execute(_AGENDA, {"now": now, "passing": list(passing)}).one())


class Lookout:
    """Reads the agenda again and again, on a connection of its own; see `looking_out`."""

    def __init__(self, conn: Connection, starting: Collection[str] | None) -> None:
        self._conn, self._starting = conn, None if starting is None else sorted(starting)

    def look(self, now: datetime, passing: Collection[Due] = ()) -> Agenda:
        """As `read_agenda`, and nothing is passed over unless it is said."""
        if self._starting is None:
            return read_agenda(self._conn, now, passing)
        given = {"now": now, "passing": list(passing), "starting": self._starting}
        return Agenda(*self._conn.execute(_OF_CONCERN, given).one())

    def next_after(self, now: datetime) -> datetime | None:
        """The earliest instant of any that is later than `now`, whatever is due."""
        return self.look(now, _ALL).next


@contextmanager
def looking_out(engine: Engine, starting: Collection[str] | None = None) -> Iterator[Lookout]:
    """For whoever asks thousands of times: each look is one round trip, without a transaction around it.

    With `starting`, the names of events that start a journey, `next` passes over events that concern nobody.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        yield Lookout(conn, starting)
