"""Enrolling by hand: the people it is about, and their signals in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from engine.store.bulk import as_json

_MEMBERS = """
FROM segment_member m JOIN contact c ON c.id = m.contact_id
WHERE m.segment = :segment AND c.merged_into IS NULL AND c.erased_at IS NULL
"""
_SIGNAL = text(f"""
INSERT INTO signal (contact_id, kind, at, journey, data)
SELECT m.contact_id, 'manual', :at, :journey, CAST(:data AS jsonb) {_MEMBERS} ORDER BY m.contact_id
""")


def signal_members(conn: Connection, journey: str, segment: str, data: dict[str, Any], at: datetime) -> int:
    """A signal `manual` for everybody who is in the segment; gives how many."""
    given = {"segment": segment, "journey": journey, "data": as_json(data), "at": at}
    return conn.execute(_SIGNAL, given).rowcount


def members(conn: Connection, segment: str) -> Iterator[int]:
    """The contacts who are in the segment, by their ids; streamed."""
    query = text(f"SELECT m.contact_id {_MEMBERS} ORDER BY m.contact_id").execution_options(yield_per=5000)
    yield from conn.execute(query, {"segment": segment}).scalars()


def zones(conn: Connection, contacts: Sequence[int]) -> list[tuple[int, str | None]]:
    """Each contact with its own time zone."""
    query = text("SELECT id, timezone FROM contact WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id")
    return [(row.id, row.timezone) for row in conn.execute(query, {"ids": list(contacts)})]
