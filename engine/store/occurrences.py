"""Occurrences: the next date that comes round for each contact, and the last one that did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, exists, null, select, text

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


@dataclass(frozen=True)
class Armed:
    """Where a contact stands with a journey's dates: what comes next, if anything, and the last date that has fired."""

    coming: Occurrence | None
    fired: date | None


def values(
    conn: Connection, journey: str, field: str | None, contacts: Sequence[int] | None = None
) -> Iterator[DateValue]:
    """The field (None: no field is asked for) of these contacts; or of all who have it, and of those for whom the journey
    has a date coming. Streamed.
    """
    path = contact.c.traits[field].astext if field is not None else null()
    query = select(contact.c.id, contact.c.timezone, path).where(
        contact.c.erased_at.is_(None), contact.c.merged_into.is_(None)
    )
    if contacts is not None:
        query = query.where(contact.c.id.in_(contacts))
    elif field is not None:
        o = occurrence.c
        coming = exists().where(o.journey == journey, o.contact_id == contact.c.id, o.due_at.is_not(None))
        query = query.where(path.is_not(None) | coming)
    rows = conn.execute(query.execution_options(yield_per=5000))
    for row in rows:
        yield DateValue(row[0], row[1], row[2])


def armed(conn: Connection, journey: str, contacts: Sequence[int]) -> dict[int, Armed]:
    """What is armed for these contacts; locked, so that what another process fires now is not armed again."""
    query = select(occurrence).where(occurrence.c.journey == journey, occurrence.c.contact_id.in_(contacts))
    found: dict[int, Armed] = {}
    for row in conn.execute(query.order_by(occurrence.c.contact_id).with_for_update()):
        coming = Occurrence(journey, row.contact_id, row.date, row.due_at) if row.due_at is not None else None
        found[row.contact_id] = Armed(coming, row.fired)
    return found


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
    """Nothing is coming any more for these contacts, or for all of the journey; what has fired is remembered."""
    query = occurrence.update().where(occurrence.c.journey == journey, occurrence.c.due_at.is_not(None))
    if contacts is not None:
        query = query.where(occurrence.c.contact_id.in_(contacts))
    conn.execute(query.values(date=None, due_at=None))


_DUE = text("""
SELECT o.journey, o.contact_id, o.date, o.due_at FROM occurrence o WHERE o.due_at <= :now ORDER BY o.due_at LIMIT :most FOR UPDATE OF o SKIP LOCKED
""")


def due(conn: Connection, now: datetime, most: int) -> list[Occurrence]:
    """Lock occurrences that are due; those that another process holds are passed over."""
    rows = conn.execute(_DUE, {"now": now, "most": most})
    return [Occurrence(*row) for row in rows]


_FIRED = text("""
UPDATE occurrence o SET fired = greatest(o.fired, f.date), date = NULL, due_at = NULL
FROM unnest(CAST(:journeys AS text[]), CAST(:contacts AS bigint[]), CAST(:dates AS date[])) AS f(journey, contact_id, date)
WHERE o.journey = f.journey AND o.contact_id = f.contact_id
""")


def fired(conn: Connection, taken: Sequence[Occurrence]) -> None:
    """These dates have had their turn; they never come again."""
    given = {
        "journeys": [o.journey for o in taken],
        "contacts": [o.contact_id for o in taken],
        "dates": [o.date for o in taken],
    }
    conn.execute(_FIRED, given)


def next_due(conn: Connection, after: datetime) -> datetime | None:
    """The earliest instant later than `after` at which an occurrence is due."""
    earliest: datetime | None = conn.scalar(
        text("SELECT min(due_at) FROM occurrence WHERE due_at > :after"), {"after": after}
    )
    return earliest
