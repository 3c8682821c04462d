"""Agenda: what is due now, and when the next thing is; one query, because it is asked again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Agenda:
    """Whether dates or schedules, signals, sends and calls are due, held ones too; `next` is the earliest later instant of any."""

    dates: bool
    signals: bool
    sends: bool
    calls: bool
    next: datetime | None


# When a throttle gives the next token to a journey that has something due.
_TOKENS = """(SELECT min(b.free_at) FROM bucket b WHERE b.free_at > :now AND EXISTS (
        SELECT 1 FROM send s WHERE s.state = 'planned' AND s.journey = b.journey AND s.next_at <= :now))"""

# The earliest of all, and not "is there one before": of that the planner expects so many that it reads whole tables.
_AGENDA = text(f"""
SELECT coalesce(least(
        (SELECT min(due_at) FROM occurrence), (SELECT min(due_at) FROM scheduled WHERE fired_at IS NULL)
    ) <= :now, false),
    coalesce((SELECT min(at) FROM signal) <= :now, false),
    coalesce((SELECT min(next_at) FROM send WHERE state = 'planned') <= :now, false),
    coalesce((SELECT min(next_at) FROM call WHERE state IN ('planned', 'calling')) <= :now, false),
    least(
        (SELECT min(due_at) FROM occurrence WHERE due_at > :now),
        (SELECT min(due_at) FROM scheduled WHERE fired_at IS NULL AND due_at > :now),
        (SELECT min(at) FROM signal WHERE at > :now),
        (SELECT min(next_at) FROM send WHERE state = 'planned' AND next_at > :now),
    {_TOKENS},
        (SELECT min(next_at) FROM call WHERE state = 'planned' AND next_at > :now)
    )
""")


def read_agenda(conn: Connection, now: datetime) -> Agenda:
    """What there is to do at `now`."""
    return Agenda(*conn.execute(_AGENDA, {"now": now}).one())


# An event is passed over when its contact is under way nowhere, with no goal open, and it starts nothing. Read in the
# order of the queue until one is found, so that the passed ones cost little.
_OF_CONCERN = text(f"""
SELECT least(
    (SELECT min(due_at) FROM occurrence WHERE due_at > :now),
    (SELECT min(due_at) FROM scheduled WHERE fired_at IS NULL AND due_at > :now),
    (SELECT min(next_at) FROM send WHERE state = 'planned' AND next_at > :now),
    {_TOKENS},
    (SELECT min(next_at) FROM call WHERE state = 'planned' AND next_at > :now),
    (SELECT s.at FROM signal s LEFT JOIN event e ON e.id = s.event_id
     WHERE s.at > :now AND (s.kind <> 'event' OR e.name = ANY(CAST(:starting AS text[])) OR EXISTS (
        SELECT 1 FROM enrollment n WHERE n.contact_id = s.contact_id AND (n.state = 'active' OR n.goal_until >= s.at)
     )) ORDER BY s.at, s.id LIMIT 1)
)
""")


def next_of_concern(conn: Connection, after: datetime, starting: Sequence[str]) -> datetime | None:
    """The earliest instant later than `after` at which something happens that may concern somebody's journey; events that
    concern nobody are passed over. `starting`: the names of events that start a journey.
    """
    found: datetime | None = conn.scalar(_OF_CONCERN, {"now": after, "starting": list(starting)})
    return found
