"""What waits to be decided about one contact."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_WAITING = text("""
SELECT s.at, s.kind, s.journey, e.name AS event FROM signal s LEFT JOIN event e ON e.id = s.event_id
WHERE s.contact_id = :contact AND s.at <= :now
AND NOT (s.kind IN ('timer', 'send', 'call', 'moved') AND coalesce(s.journey, '') = ANY(CAST(:paused AS text[])))
ORDER BY s.at, s.id
""")


def of_contact(conn: Connection, contact_id: int, now: datetime, paused: Collection[str]) -> list[dict[str, Any]]:
    """The due signals that nobody has taken up yet, oldest first, without those that a paused journey keeps back: at, kind,
    journey (None: it concerns all), event (its name).
    """
    given = {"contact": contact_id, "now": now, "paused": list(paused)}
    return [dict(row._mapping) for row in conn.execute(_WAITING, given)]
