"""Observations: what became of a message after a provider accepted it, as providers and links tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from engine.store.bulk import as_json

Kind = Literal["delivered", "opened", "clicked", "bounced", "replied"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing seen of a send. `machine`: no person did it. `hard`: a bounce for good. `data`: what else is known."""

    send_id: int
    kind: Kind
    at: datetime
    machine: bool = False
    hard: bool = False
    data: Mapping[str, Any] | None = None


# The signal is the enrollment's own: `message` speaks of no other's. One of the future waits for its time, as events do.
_RECORD = text("""
WITH v AS (
    SELECT * FROM unnest(CAST(:send AS bigint[]), CAST(:kind AS text[]), CAST(:at AS timestamptz[]),
        CAST(:machine AS boolean[]), CAST(:hard AS boolean[]), CAST(:data AS text[]))
        WITH ORDINALITY AS v(send_id, kind, at, machine, hard, data, place)
), seen AS (
    INSERT INTO observation (send_id, contact_id, kind, machine, hard, data, at)
    SELECT s.id, s.contact_id, v.kind, v.machine, v.hard, CAST(v.data AS jsonb), v.at
    FROM v JOIN send s ON s.id = v.send_id ORDER BY v.place
    RETURNING id, send_id, kind, machine, hard, at
), told AS (
    INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, data)
    SELECT s.contact_id, s.enrollment_id, s.journey, 'profile', greatest(seen.at, CAST(:now AS timestamptz)),
        jsonb_build_object('changed', jsonb_build_array('message'), 'step', s.step, 'was', seen.kind)
    FROM seen JOIN send s ON s.id = seen.send_id
    WHERE NOT seen.machine AND (seen.kind <> 'bounced' OR seen.hard) ORDER BY seen.id
)
SELECT count(*) FROM seen
""")


def record(conn: Connection, observations: Sequence[Observation], now: datetime) -> int:
    """Append what was seen, and wake the enrollments whose conditions may hang on it; gives how many were written.

    Observations of sends that do not exist are passed over. What a machine did, and a bounce that is not for good, wake
    nobody: no condition counts them.
    """
    if not observations:
        return 0
    columns = {
        "send": [each.send_id for each in observations],
        "kind": [each.kind for each in observations],
        "at": [each.at for each in observations],
        "machine": [each.machine for each in observations],
        "hard": [each.hard for each in observations],
        "data": [as_json(each.data) for each in observations],
    }
    return int(conn.scalar(_RECORD, {**columns, "now": now}) or 0)


def newest_send(conn: Connection, contact_id: int, journey: str, step: str) -> int | None:
    """The last send of a step to a contact, in whichever enrollment; None if there is none."""
    query = text("""
        SELECT id FROM send WHERE contact_id = :contact AND journey = :journey AND step = :step ORDER BY id DESC LIMIT 1
    """)
    found: int | None = conn.scalar(query, {"contact": contact_id, "journey": journey, "step": step})
    return found
