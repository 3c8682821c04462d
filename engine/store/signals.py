"""Signals: the one queue of what moves enrollments, claimed contact by contact so that each person's are decided in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from engine.journey.values import Event, Signal
from engine.store.bulk import insert_rows
from engine.tables import signal


class DueSignal(NamedTuple):
    """A signal taken from the queue; `enrollment_id` is None when it concerns every journey of the contact."""

    id: int
    enrollment_id: int | None
    signal: Signal
    journey: str | None = None


class ClaimedContact(NamedTuple):
    """A contact whose row this transaction has locked."""

    id: int
    timezone: str | None


# Only contacts are locked, and nobody is waited for: a claim that held signals of somebody whom another worker has would
# wait for that one, and it for us. A contact's signals are then taken from its first one on, those beyond the limit too,
# so that none is decided before an earlier one.
_CLAIM = text("""
SELECT c.id, c.timezone, c.merged_into FROM signal s JOIN contact c ON c.id = s.contact_id
WHERE s.at <= :now AND NOT (s.kind IN ('timer', 'send', 'call', 'moved') AND coalesce(s.journey, '') = ANY(CAST(:paused AS text[])))
ORDER BY s.at, s.id LIMIT :most FOR UPDATE OF c SKIP LOCKED
""")

# Whoever signals without the contact's lock (the end of a send, a date, a refresh) may do so while it is being merged.
_FORWARD = text("""
UPDATE signal s SET contact_id = c.merged_into FROM contact c
WHERE c.id = s.contact_id AND c.id = ANY(CAST(:gone AS bigint[])) AND c.merged_into IS NOT NULL
""")

_TAKE = text("""
WITH due AS (
    SELECT id, row_number() OVER (
        PARTITION BY contact_id ORDER BY at, CASE kind WHEN 'event' THEN 0 WHEN 'timer' THEN 2 ELSE 1 END, id
    ) AS place
    FROM signal WHERE contact_id = ANY(CAST(:contacts AS bigint[])) AND at <= :now
    AND NOT (kind IN ('timer', 'send', 'call', 'moved') AND coalesce(journey, '') = ANY(CAST(:paused AS text[])))
), taken AS (
    DELETE FROM signal s USING due WHERE s.id = due.id AND due.place <= :each
    RETURNING s.id, s.contact_id, s.enrollment_id, s.journey, s.kind, s.at, s.visit, s.event_id, s.data, due.place
)
SELECT t.id, t.contact_id, t.enrollment_id, t.journey, t.kind, t.at, t.visit, t.data,
       e.id AS event, e.name, e.properties, e.occurred_at, e.received_at, e.starts
FROM taken t LEFT JOIN event e ON e.id = t.event_id
ORDER BY t.contact_id, t.place
""")


def claim(conn: Connection, now: datetime, most: int, paused: Collection[str]) -> list[ClaimedContact]:
    """Lock up to `most` contacts that have something due; timers and the ends of sends and calls of paused journeys are passed over.

    Signals of a contact that was merged into another one go over to that one.
    """
    people: dict[int, ClaimedContact] = {}
    gone: set[int] = set()
    for row in conn.execute(_CLAIM, {"now": now, "most": most, "paused": list(paused)}).all():
        if row.merged_into is not None:
            gone.add(row.id)
        else:
            people[row.id] = ClaimedContact(row.id, row.timezone)
    if gone:
        conn.execute(_FORWARD, {"gone": sorted(gone)})
    return list(people.values()) if people or not gone else claim(conn, now, most, paused)


def take(
    conn: Connection, contacts: Sequence[int], now: datetime, paused: Collection[str], each: int
) -> dict[int, list[DueSignal]]:
    """Remove the first `each` due signals of every claimed contact from the queue, in the order in which they must be decided."""
    taken: dict[int, list[DueSignal]] = defaultdict(list)
    given = {"contacts": list(contacts), "now": now, "paused": list(paused), "each": each}
    for row in conn.execute(_TAKE, given).all():
        # By position: rows come by the thousand, and names cost several times as much.
        id_, contact, enrollment, journey, kind, at, visit, data, event_id, *event = row
        happened = Event(event_id, *event) if event_id is not None else None
        taken[contact].append(DueSignal(id_, enrollment, Signal(kind, at, visit, happened, data or {}), journey))
    return taken


def next_due(conn: Connection, after: datetime) -> datetime | None:
    """The earliest instant later than `after` at which a signal is due."""
    earliest: datetime | None = conn.scalar(text("SELECT min(at) FROM signal WHERE at > :after"), {"after": after})
    return earliest


class NewSignal(NamedTuple):
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
