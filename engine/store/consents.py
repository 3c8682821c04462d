"""Consents: append-only proof of what a person allowed or took back; the newest row of (contact, topic, channel) holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from engine.consent.statement import Holding
from engine.store.bulk import insert_rows
from engine.tables import consent

ConsentKey = tuple[int, str, str]  # contact id, topic, channel


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One statement with its proof: who, what, when, where it came from, and the wording that the person saw."""

    contact_id: int
    topic: str
    channel: str
    given: bool
    at: datetime
    source: str
    message_id: str | None = None
    wording: str | None = None


_NEWEST = text("""
SELECT DISTINCT ON (contact_id, topic, channel) contact_id, topic, channel, id, given, at, wording FROM consent
WHERE contact_id = ANY(CAST(:contacts AS bigint[])) ORDER BY contact_id, topic, channel, id DESC
""")
_COLUMNS = ("contact_id", "topic", "channel", "given", "at", "source", "message_id", "wording")


def newest(conn: Connection, contact_ids: Collection[int]) -> dict[ConsentKey, Holding]:
    """What holds for these contacts, on every topic and channel on which they ever said something."""
    if not contact_ids:
        return {}
    rows = conn.execute(_NEWEST, {"contacts": sorted(contact_ids)})
    return {(r.contact_id, r.topic, r.channel): Holding(r.id, r.given, r.at, r.wording) for r in rows}


def write(conn: Connection, rows: Iterable[ConsentRow]) -> int:
    """Append statements, in the order in which they were made. Their contacts are locked by the caller (promise P4)."""
    return insert_rows(conn, consent, _COLUMNS, ([getattr(row, name) for name in _COLUMNS] for row in rows))


def of_contact(conn: Connection, contact_id: int) -> list[dict[str, Any]]:
    """Every statement of a contact with its proof, in the order in which they came; of a topic and channel the last one holds."""
    columns = [consent.c[name] for name in ("topic", "channel", "given", "at", "source", "message_id", "wording")]
    rows = conn.execute(select(*columns).where(consent.c.contact_id == contact_id).order_by(consent.c.id))
    return [dict(row._mapping) for row in rows]
