"""Signals: the one queue of what moves enrollments, claimed contact by contact so that each person's are decided in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from engine.journey.values import Event, Signal
from engine.store.bulk import insert_rows
from engine.tables import signal


@dataclass(frozen=True)
class DueSignal:
    """A signal taken from the queue; `enrollment_id` is None when it concerns every journey of the contact."""

    id: int
    enrollment_id: int | None
    signal: Signal


@dataclass(frozen=True)
class ClaimedContact:
    """A contact whose row this transaction has locked."""

    id: int
    timezone: str | None


# Two workers take different signals (SKIP LOCKED), then the contacts that nobody else holds; a contact's signals are
# then taken all together, those beyond the limit too, so that none is decided before an earlier one.
_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT contact_id FROM signal
    WHERE at <= :now AND NOT (kind IN ('timer', 'send') AND coalesce(journey, '') = ANY(CAST(:paused AS text[])))
    ORDER BY at, id LIMIT :most FOR UPDATE SKIP LOCKED
)
SELECT c.id, c.timezone FROM contact c WHERE c.id IN (SELECT contact_id FROM due) ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
""")

_TAKE = text("""
WITH taken AS (
    DELETE FROM signal WHERE contact_id = ANY(CAST(:contacts AS bigint[])) AND at <= :now
    AND NOT (kind IN ('timer', 'send') AND coalesce(journey, '') = ANY(CAST(:paused AS text[])))
    RETURNING id, contact_id, enrollment_id, kind, at, visit, event_id, data
)
SELECT t.id, t.contact_id, t.enrollment_id, t.kind, t.at, t.visit, t.data,
       e.id AS event, e.name, e.properties, e.occurred_at, e.received_at, e.starts
FROM taken t LEFT JOIN event e ON e.id = t.event_id
ORDER BY t.at, CASE t.kind WHEN 'event' THEN 0 WHEN 'timer' THEN 2 ELSE 1 END, t.id
""")


def claim(conn: Connection, now: datetime, most: int, paused: Collection[str]) -> list[ClaimedContact]:
    """Lock up to `most` contacts that have something due; timers and send ends of paused journeys are passed over."""
    rows = conn.execute(_CLAIM, {"now": now, "most": most, "paused": list(paused)})
    return [ClaimedContact(row.id, row.timezone) for row in rows]


def take(
    conn: Connection, contacts: Sequence[int], now: datetime, paused: Collection[str]
) -> dict[int, list[DueSignal]]:
    """Remove all due signals of the claimed contacts from the queue, in the order in which they must be decided."""
    taken: dict[int, list[DueSignal]] = defaultdict(list)
    for row in conn.execute(_TAKE, {"contacts": list(contacts), "now": now, "paused": list(paused)}):
        event = None
        if row.event is not None:
            event = Event(row.event, row.name, row.properties, row.occurred_at, row.received_at, row.starts)
        found = Signal(row.kind, row.at, row.visit, event, row.data or {})
        taken[row.contact_id].append(DueSignal(row.id, row.enrollment_id, found))
    return taken


def next_due(conn: Connection, after: datetime) -> datetime | None:
    """The earliest instant later than `after` at which a signal is due."""
    earliest: datetime | None = conn.scalar(text("SELECT min(at) FROM signal WHERE at > :after"), {"after": after})
    return earliest


@dataclass(frozen=True)
class NewSignal:
    contact_id: int
    kind: str
    at: datetime
    enrollment_id: int | None = None
    journey: str | None = None
    visit: int | None = None
    event_id: int | None = None
    data: dict[str, Any] | None = None


_COLUMNS = ("contact_id", "kind", "at", "enrollment_id", "journey", "visit", "event_id", "data")


def put(conn: Connection, signals: Iterable[NewSignal]) -> int:
    """Queue signals."""
    rows = ((s.contact_id, s.kind, s.at, s.enrollment_id, s.journey, s.visit, s.event_id, s.data) for s in signals)
    return insert_rows(conn, signal, _COLUMNS, rows)


def drop_timers(conn: Connection, enrollments: Collection[int]) -> None:
    """Remove the timers of these enrollments: they have moved on, or their times have."""
    if enrollments:
        query = text("DELETE FROM signal WHERE enrollment_id = ANY(CAST(:ids AS bigint[])) AND kind = 'timer'")
        conn.execute(query, {"ids": list(enrollments)})
