"""Occurrences: the next instant at which a date trigger fires for each contact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select, text

from engine.tables import contact, occurrence


@dataclass(frozen=True)
class DateValue:
    """What a contact has in the field, as it was given."""

    contact_id: int
    timezone: str | None
    value: str | None


@dataclass(frozen=True)
class Occurrence:
    """The contact's next date for a journey."""

    journey: str
    contact_id: int
    date: date
    due_at: datetime


def values(conn: Connection, field: str, contacts: Sequence[int] | None = None) -> Iterator[DateValue]:
    """The field of these contacts, or of all who have it; streamed."""
    path = contact.c.traits[field].astext
    query = select(contact.c.id, contact.c.timezone, path).where(
        contact.c.erased_at.is_(None), contact.c.merged_into.is_(None)
    )
    query = query.where(path.is_not(None)) if contacts is None else query.where(contact.c.id.in_(contacts))
    rows = conn.execute(query.execution_options(yield_per=5000))
    for row in rows:
        yield DateValue(row[0], row[1], row[2])


def pending(conn: Connection, journey: str, contacts: Sequence[int] | None = None) -> dict[int, Occurrence]:
    """What is armed for these contacts, or for all; locked, so that what another process fires now is not armed again."""
    query = select(occurrence).where(occurrence.c.journey == journey)
    if contacts is not None:
        query = query.where(occurrence.c.contact_id.in_(contacts))
    rows = conn.execute(query.order_by(occurrence.c.contact_id).with_for_update())
    return {row.contact_id: Occurrence(*row) for row in rows}


_ARM = text("""
INSERT INTO occurrence (journey, contact_id, date, due_at)
SELECT * FROM unnest(CAST(:journeys AS text[]), CAST(:contacts AS bigint[]), CAST(:dates AS date[]), CAST(:dues AS timestamptz[]))
ON CONFLICT (journey, contact_id) DO UPDATE SET date = excluded.date, due_at = excluded.due_at
""")


def arm(conn: Connection, new: Sequence[Occurrence]) -> None:
    """Set the next occurrence of each."""
    if new:
        conn.execute(
            _ARM,
            {
                "journeys": [o.journey for o in new],
                "contacts": [o.contact_id for o in new],
                "dates": [o.date for o in new],
                "dues": [o.due_at for o in new],
            },
        )


def disarm(conn: Connection, journey: str, contacts: Sequence[int] | None = None) -> None:
    """Forget the occurrences of these contacts, or all of the journey."""
    query = occurrence.delete().where(occurrence.c.journey == journey)
    conn.execute(query if contacts is None else query.where(occurrence.c.contact_id.in_(contacts)))


_DUE = text("""
SELECT o.journey, o.contact_id, o.date, o.due_at FROM occurrence o WHERE o.due_at <= :now ORDER BY o.due_at LIMIT :most FOR UPDATE OF o SKIP LOCKED
""")


def due(conn: Connection, now: datetime, most: int) -> list[Occurrence]:
    """Lock occurrences that are due; those that another process holds are passed over."""
    rows = conn.execute(_DUE, {"now": now, "most": most})
    return [Occurrence(*row) for row in rows]


def next_due(conn: Connection, after: datetime) -> datetime | None:
    """The earliest instant later than `after` at which an occurrence is due."""
    earliest: datetime | None = conn.scalar(
        text("SELECT min(due_at) FROM occurrence WHERE due_at > :after"), {"after": after}
    )
    return earliest
