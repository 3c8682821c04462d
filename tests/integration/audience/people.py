"""Contacts, events and memberships for the tests of conditions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, insert

from engine import tables
from engine.audience.condition import Condition
from engine.store.verdicts import Subject, verdicts
from tests.conditions import condition

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
ZONE = "Asia/Jakarta"  # the organisation's
_numbers = count(1)


def person(conn: Connection, traits: Mapping[str, Any] | None = None, **columns: Any) -> int:
    values = {"traits": dict(traits or {}), "created_at": NOW, "updated_at": NOW, **columns}
    return int(conn.execute(insert(tables.contact).values(values).returning(tables.contact.c.id)).scalar_one())


def did(conn: Connection, contact_id: int, name: str, at: datetime = NOW, **properties: Any) -> int:
    values = {
        "contact_id": contact_id,
        "source": "test",
        "message_id": str(next(_numbers)),
        "type": "track",
        "name": name,
        "properties": properties,
        "extra": {},
        "occurred_at": at,
        "received_at": at,
        "starts": True,
    }
    return int(conn.execute(insert(tables.event).values(values).returning(tables.event.c.id)).scalar_one())


def member(conn: Connection, contact_id: int, segment: str) -> None:
    conn.execute(insert(tables.segment_member).values(segment=segment, contact_id=contact_id, since=NOW))


def ask(
    conn: Connection, contact_id: int, question: str | Condition, now: datetime = NOW, **situation: Any
) -> tuple[bool, Any]:
    """(holds, found) of one condition for one person; `situation` is event, matched, entered, key."""
    asked = condition(question) if isinstance(question, str) else question
    return verdicts(conn, {"q": asked}, [Subject(1, contact_id, **situation)], now, ZONE)[1, "q"]


def holds(conn: Connection, contact_id: int, question: str | Condition, now: datetime = NOW, **situation: Any) -> bool:
    return ask(conn, contact_id, question, now, **situation)[0]
