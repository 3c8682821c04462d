"""Events: stored once per (source, message id), each with the signal that lets it move people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

MessageKey = tuple[str, str]  # source, message id


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event to be stored; `properties` and `extra` are JSON text."""

    contact_id: int
    source: str
    message_id: str
    type: str
    name: str
    properties: str
    extra: str
    occurred_at: datetime
    starts: bool


# Gives back what was taken already: most often nothing.
_FIRST = text("""
WITH wanted AS MATERIALIZED (
    SELECT source, message_id FROM unnest(CAST(:sources AS text[]), CAST(:messages AS text[])) AS w(source, message_id)
), taken AS (
    INSERT INTO seen_message (source, message_id, received_at) SELECT source, message_id, :now FROM wanted
    ON CONFLICT DO NOTHING RETURNING source, message_id
)
SELECT source, message_id FROM wanted EXCEPT ALL SELECT source, message_id FROM taken
""")

# A signal of an event is due when the event has both arrived and happened: one of the future waits for its time.
_STORE = text("""
WITH stored AS (
    INSERT INTO event (contact_id, source, message_id, type, name, properties, extra, occurred_at, received_at, starts)
    SELECT contact_id, source, message_id, type, name, properties::jsonb, extra::jsonb, occurred_at, :now, starts
    FROM unnest(
        CAST(:contact_id AS bigint[]), CAST(:source AS text[]), CAST(:message_id AS text[]), CAST(:type AS text[]),
        CAST(:name AS text[]), CAST(:properties AS text[]), CAST(:extra AS text[]), CAST(:occurred_at AS timestamptz[]),
        CAST(:starts AS boolean[])
    ) WITH ORDINALITY
    AS v(contact_id, source, message_id, type, name, properties, extra, occurred_at, starts, place) ORDER BY place
    RETURNING id, contact_id, occurred_at
)
INSERT INTO signal (contact_id, kind, at, event_id)
SELECT contact_id, 'event', greatest(occurred_at, :now), id FROM stored
""")
_COLUMNS = ("contact_id", "source", "message_id", "type", "name", "properties", "extra", "occurred_at", "starts")


def first_seen(conn: Connection, keys: Collection[MessageKey], now: datetime) -> set[MessageKey]:
    """Take these message keys; gives those that nobody had taken (promise P7).

    Waits for a transaction that is just taking one of them. Taken in sorted order, so that two batches with the same
    messages wait for each other and never in a circle.
    """
    if not keys:
        return set()
    wanted = sorted(keys)
    columns = {"sources": [source for source, _ in wanted], "messages": [message for _, message in wanted]}
    repeated = conn.execute(_FIRST, {**columns, "now": now}).all()
    return set(wanted).difference((row[0], row[1]) for row in repeated)


def store(conn: Connection, events: Sequence[EventRow], now: datetime) -> None:
    """Append events that arrived `now`, and queue a signal for each. Their contacts are locked or new."""
    if events:
        columns = {name: [getattr(event, name) for event in events] for name in _COLUMNS}
        conn.execute(_STORE, {**columns, "now": now})


def of_contact(conn: Connection, contact_id: int) -> list[dict[str, Any]]:
    """Every event of a contact, in the order in which they came to count: when each had both arrived and happened."""
    query = text("""
        SELECT id, source, type, name, properties, occurred_at, received_at, starts, greatest(occurred_at, received_at) AS at
        FROM event WHERE contact_id = :contact ORDER BY at, id
    """)
    return [dict(row._mapping) for row in conn.execute(query, {"contact": contact_id})]
