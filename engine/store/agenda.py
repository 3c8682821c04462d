"""Agenda: what is due now, and when the next thing is; one query, because it is asked again and again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Agenda:
    """Whether date occurrences, signals and sends are due, held ones too; `next` is the earliest later instant of any."""

    dates: bool
    signals: bool
    sends: bool
    next: datetime | None


_AGENDA = text("""
SELECT EXISTS (SELECT 1 FROM occurrence WHERE due_at <= :now),
    EXISTS (SELECT 1 FROM signal WHERE at <= :now),
    EXISTS (SELECT 1 FROM send WHERE state = 'planned' AND next_at <= :now),
    least(
        (SELECT min(due_at) FROM occurrence WHERE due_at > :now),
        (SELECT min(at) FROM signal WHERE at > :now),
        (SELECT min(next_at) FROM send WHERE state = 'planned' AND next_at > :now)
    )
""")


def read_agenda(conn: Connection, now: datetime) -> Agenda:
    """What there is to do at `now`."""
    return Agenda(*conn.execute(_AGENDA, {"now": now}).one())
