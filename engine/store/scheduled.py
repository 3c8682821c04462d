"""Scheduled: firings for all members of segments at once, and how far each has come."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from engine.store.bulk import as_json


@dataclass(frozen=True)
class Firing:
    """One firing of a journey. `cursor`: the last contact that was signalled, 0 before the first."""

    journey: str
    occurrence: str
    due_at: datetime
    cursor: int = 0


_ARM = text("""
INSERT INTO scheduled (journey, occurrence, due_at) VALUES (:journey, :occurrence, :due_at) ON CONFLICT DO NOTHING
""")


def arm(conn: Connection, firing: Firing) -> None:
    """Let it come; one that has come already, or is set, stays as it is."""
    given = {"journey": firing.journey, "occurrence": firing.occurrence, "due_at": firing.due_at}
    conn.execute(_ARM, given)


def coming(conn: Connection, journey: str) -> list[Firing]:
    """What has not fired to its end yet, in the order of time; locked."""
    query = text("""
        SELECT journey, occurrence, due_at, cursor FROM scheduled WHERE journey = :journey AND fired_at IS NULL
        ORDER BY due_at, occurrence FOR UPDATE
    """)
    return [Firing(*row) for row in conn.execute(query, {"journey": journey})]


def has_fired(conn: Connection, journey: str, but: str) -> bool:
    """True when the journey has fired for anybody, other than as the occurrence `but`."""
    query = text("""
        SELECT EXISTS (SELECT 1 FROM scheduled WHERE journey = :journey AND occurrence <> :but AND people > 0)
    """)
    return bool(conn.scalar(query, {"journey": journey, "but": but}))


def went_out(conn: Connection, journey: str) -> tuple[datetime, int] | None:
    """When the journey last fired for anybody, and for how many people."""
    query = text("""
        SELECT due_at, people FROM scheduled WHERE journey = :journey AND people > 0 ORDER BY due_at DESC LIMIT 1
    """)
    row = conn.execute(query, {"journey": journey}).first()
    return (row.due_at, row.people) if row is not None else None


def disarm(conn: Connection, journey: str, but: Collection[str] = ()) -> None:
    """Forget what is to come for the journey, except for these occurrences."""
    query = text("""
        DELETE FROM scheduled WHERE journey = :journey AND fired_at IS NULL AND occurrence <> ALL(CAST(:but AS text[]))
    """)
    conn.execute(query, {"journey": journey, "but": list(but)})


_DUE = text("""
SELECT journey, occurrence, due_at, cursor FROM scheduled
WHERE fired_at IS NULL AND due_at <= :now AND journey = ANY(CAST(:journeys AS text[]))
ORDER BY due_at, journey, occurrence LIMIT 1 FOR UPDATE SKIP LOCKED
""")


def due(conn: Connection, journeys: Sequence[str], now: datetime) -> Firing | None:
    """Lock the first firing of these journeys that is due; one that another process is at is passed over."""
    row = conn.execute(_DUE, {"now": now, "journeys": list(journeys)}).first()
    return Firing(*row) if row is not None else None


# Of each segment the first `most` beyond the cursor: among them are the first `most` of all.
_SIGNAL = text("""
WITH members AS (
    SELECT DISTINCT m.contact_id FROM unnest(CAST(:segments AS text[])) AS s(name) CROSS JOIN LATERAL (
        SELECT contact_id FROM segment_member
        WHERE segment = s.name AND contact_id > :cursor AND (CAST(:since AS timestamptz) IS NULL OR since <= :since)
        ORDER BY contact_id LIMIT :most
    ) m ORDER BY m.contact_id LIMIT :most
), told AS (
    INSERT INTO signal (contact_id, kind, at, journey, data)
    SELECT m.contact_id, :kind, :at, :journey, CAST(:data AS jsonb)
    FROM members m JOIN contact c ON c.id = m.contact_id WHERE c.merged_into IS NULL AND c.erased_at IS NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM members), (SELECT max(contact_id) FROM members), (SELECT count(*) FROM told)
""")


def signal_members(
    conn: Connection,
    firing: Firing,
    segments: Sequence[str],
    kind: str,
    data: dict[str, Any],
    most: int,
    *,
    since: datetime | None = None,
) -> bool:
    """Signal the next `most` members of any of the segments, each once, and move the cursor on; False when these were the
    last. `since`: only those who were members then.
    """
    given = {
        "segments": list(segments), "cursor": firing.cursor, "most": most, "kind": kind, "at": firing.due_at,
        "journey": firing.journey, "data": as_json(data), "since": since,
    }  # fmt: skip
    count, last, told = conn.execute(_SIGNAL, given).one()
    _move_on(conn, firing, last if last is not None else firing.cursor, told)
    return bool(count == most)


def _move_on(conn: Connection, firing: Firing, cursor: int, told: int) -> None:
    query = text("""
        UPDATE scheduled SET cursor = :cursor, people = people + :told
        WHERE journey = :journey AND occurrence = :occurrence
    """)
    given = {"cursor": cursor, "told": told, "journey": firing.journey, "occurrence": firing.occurrence}
    conn.execute(query, given)


def finish(conn: Connection, firing: Firing, now: datetime, *, missed: bool = False) -> None:
    """It has fired to its end; or it is too late for those who are left."""
    query = text("""
        UPDATE scheduled SET fired_at = :now, missed = :missed WHERE journey = :journey AND occurrence = :occurrence
    """)
    given = {"now": now, "missed": missed, "journey": firing.journey, "occurrence": firing.occurrence}
    conn.execute(query, given)


def overview(conn: Connection) -> list[dict[str, Any]]:
    """Per journey: `next` (when it fires next), `last` (the last that was due), `people` (signalled by that one), `missed`."""
    query = text("""
        SELECT journey, min(due_at) FILTER (WHERE fired_at IS NULL) AS next,
            max(due_at) FILTER (WHERE fired_at IS NOT NULL AND NOT missed) AS last,
            coalesce((array_agg(people ORDER BY due_at DESC) FILTER (WHERE fired_at IS NOT NULL AND NOT missed))[1], 0) AS people,
            count(*) FILTER (WHERE missed) AS missed
        FROM scheduled GROUP BY journey ORDER BY journey
    """)
    return [dict(row._mapping) for row in conn.execute(query)]
