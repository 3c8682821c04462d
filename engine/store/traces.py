"""Traces: why each thing happened or did not, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from engine.journey.values import TraceLine
from engine.store.bulk import insert_rows
from engine.tables import trace


class NewTrace(NamedTuple):
    contact_id: int
    enrollment_id: int | None
    journey: str
    at: datetime
    signal: str
    lines: Sequence[TraceLine]
    version_id: int | None = None
    inputs: str | None = None
    decided: str | None = None


_COLUMNS = ("contact_id", "enrollment_id", "journey", "at", "data", "version_id", "inputs", "decided")


def write(conn: Connection, traces: Iterable[NewTrace]) -> int:
    """Append traces."""
    rows = (
        (
            t.contact_id,
            t.enrollment_id,
            t.journey,
            t.at,
            {"signal": t.signal, "lines": t.lines},
            t.version_id,
            t.inputs,
            t.decided,
        )
        for t in traces
    )
    return insert_rows(conn, trace, _COLUMNS, rows)


def of_contact(conn: Connection, contact_id: int, journey: str | None = None) -> list[dict[str, Any]]:
    """All traces of a contact, oldest first: journey, enrollment_id, at, signal, lines."""
    query = select(trace.c.journey, trace.c.enrollment_id, trace.c.at, trace.c.data).where(
        trace.c.contact_id == contact_id
    )
    if journey is not None:
        query = query.where(trace.c.journey == journey)
    rows = conn.execute(query.order_by(trace.c.at, trace.c.id))
    return [{"journey": r.journey, "enrollment_id": r.enrollment_id, "at": r.at, **r.data} for r in rows]


def inputs_of_contact(conn: Connection, contact_id: int, journey: str | None = None) -> list[dict[str, Any]]:
    """The decisions about a contact that can be made again, oldest first: journey, enrollment_id, at, version_id, inputs,
    decided, signal, lines.
    """
    query = select(
        trace.c.journey,
        trace.c.enrollment_id,
        trace.c.at,
        trace.c.version_id,
        trace.c.inputs,
        trace.c.decided,
        trace.c.data,
    ).where(trace.c.contact_id == contact_id, trace.c.inputs.is_not(None))
    if journey is not None:
        query = query.where(trace.c.journey == journey)
    rows = conn.execute(query.order_by(trace.c.at, trace.c.id))
    return [{**row._mapping, **row.data} for row in rows]
