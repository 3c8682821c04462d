"""Calls: the webhooks that are due, claims on them with a lease, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from engine.store import send_key
from engine.store.contacts import ContactRow
from engine.store.sends import LEASE
from engine.tables import call

CallState = Literal["planned", "calling", "answered", "failed", "withheld"]


@dataclass(frozen=True)
class NewCall:
    """A webhook that a decision has planned; the idempotency key is of (enrollment_id, step, round)."""

    enrollment_id: int
    step: str
    round: int
    visit: int
    contact_id: int
    journey: str
    version_id: int
    planned_at: datetime
    due_at: datetime


_PLANNED = (
    "enrollment_id", "step", "round", "visit", "contact_id", "journey", "version_id", "planned_at", "due_at", "next_at",
    "state",
)  # fmt: skip


_RETELL = send_key.retelling(call, "state IN ('planned', 'calling')", ("state", "reason", "status"))


def plan(conn: Connection, new: Sequence[NewCall]) -> int:
    """Queue calls; gives how many. One whose key is taken is not made again, and its end is told anew."""
    rows = [
        (
            c.enrollment_id, c.step, c.round, c.visit, c.contact_id, c.journey, c.version_id, c.planned_at, c.due_at, c.due_at,
            "planned",
        )
        for c in new
    ]  # fmt: skip
    return send_key.plan(conn, call, _PLANNED, rows, new, _RETELL)


# --- claim ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DueCall:
    """A call that is ours for the time of a lease, with all that its request is made of. `attempt` counts this one and is
    our fence. `enrolled`: its enrollment still stands on this visit of the step.
    """

    id: int
    attempt: int
    enrollment_id: int
    step: str
    round: int
    contact_id: int
    journey: str
    version_id: int
    planned_at: datetime
    enrolled: bool
    event: Mapping[str, Any]
    matched: Mapping[str, Any] | None
    contact: Mapping[str, Any]


# A call that lost its worker comes round again when the lease is over: repeating is what the idempotency key is for.
_CLAIM = text("""
WITH free AS MATERIALIZED (
    SELECT id FROM call
    WHERE state IN ('planned', 'calling') AND next_at <= :now AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND NOT journey = ANY(CAST(:paused AS text[]))
    ORDER BY next_at, id LIMIT :most FOR UPDATE SKIP LOCKED
), begun AS (
    UPDATE call k SET state = 'calling', attempts = k.attempts + 1, lease_until = clock_timestamp() + CAST(:lease AS interval)
    FROM free WHERE k.id = free.id RETURNING k.*
)
SELECT b.id, b.attempts, b.enrollment_id, b.step, b.round, b.contact_id, b.journey, b.version_id, b.planned_at,
       e.state = 'active' AND e.visit = b.visit AND c.erased_at IS NULL AS enrolled, e.event, e.matched,
       c.user_id, c.email, c.phone, c.locale, c.timezone, c.traits
FROM begun b JOIN enrollment e ON e.id = b.enrollment_id JOIN contact c ON c.id = e.contact_id
ORDER BY b.next_at, b.id
""")


def claim(conn: Connection, now: datetime, most: int, paused: Collection[str]) -> list[DueCall]:
    """Lease up to `most` calls that are due; those of paused journeys are passed over."""
    rows = conn.execute(_CLAIM, {"now": now, "most": most, "paused": list(paused), "lease": LEASE})
    return [_due(row) for row in rows]


def _due(row: Any) -> DueCall:
    person = ContactRow(row.contact_id, row.user_id, row.email, row.phone, row.locale, row.timezone, row.traits)
    return DueCall(
        row.id, row.attempts, row.enrollment_id, row.step, row.round, row.contact_id, row.journey, row.version_id,
        row.planned_at, row.enrolled, row.event, row.matched, person.seen(),
    )  # fmt: skip


def any_due(conn: Connection, now: datetime, paused: Collection[str]) -> bool:
    """Is there anything that could be claimed now?"""
    query = text("""
        SELECT EXISTS (SELECT 1 FROM call WHERE state IN ('planned', 'calling') AND next_at <= :now
        AND (lease_until IS NULL OR lease_until < clock_timestamp()) AND NOT journey = ANY(CAST(:paused AS text[])))
    """)
    return bool(conn.scalar(query, {"now": now, "paused": list(paused)}))


# --- what became of them ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CallEnding:
    """What a call is from now on. `planned` with `next_at`: to be made again, `untried` if it was not begun at all."""

    call: DueCall
    state: CallState
    reason: str | None = None
    detail: str | None = None
    status: int | None = None
    next_at: datetime | None = None
    untried: bool = False


# The number of the attempt is the fence: whoever has claimed a call since has raised it.
_END = text("""
WITH v AS (
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:states AS text[]), CAST(:reasons AS text[]),
        CAST(:details AS text[]), CAST(:statuses AS int[]), CAST(:nexts AS timestamptz[]), CAST(:untried AS boolean[]))
        AS v(id, attempt, state, reason, detail, status, next_at, untried)
), ended AS (
    UPDATE call k SET state = v.state, reason = v.reason, detail = coalesce(v.detail, k.detail),
        status = coalesce(v.status, k.status), next_at = coalesce(v.next_at, k.next_at), lease_until = NULL,
        attempts = k.attempts - CASE WHEN v.untried THEN 1 ELSE 0 END,
        ended_at = CASE WHEN v.state = 'planned' THEN NULL ELSE CAST(:now AS timestamptz) END
    FROM v WHERE k.id = v.id AND k.state = 'calling' AND k.attempts = v.attempt
    RETURNING k.id, k.contact_id, k.enrollment_id, k.journey, k.step, k.visit, k.state, k.reason, k.status
), told AS (
    INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit, data)
    SELECT contact_id, enrollment_id, journey, 'call', :now, visit,
        jsonb_strip_nulls(jsonb_build_object('call_id', id, 'step', step, 'state', state, 'reason', reason, 'status', status))
    FROM ended WHERE state IN ('answered', 'failed')
)
SELECT count(*) FROM ended
""")


def end(conn: Connection, endings: Sequence[CallEnding], now: datetime) -> int:
    """Record what became of calls that are still ours, and signal their enrollments; gives how many rows took it."""
    if not endings:
        return 0
    given = {
        "ids": [e.call.id for e in endings],
        "attempts": [e.call.attempt for e in endings],
        "states": [e.state for e in endings],
        "reasons": [e.reason for e in endings],
        "details": [_storable(e.detail) for e in endings],
        "statuses": [e.status for e in endings],
        "nexts": [e.next_at for e in endings],
        "untried": [e.untried for e in endings],
    }
    return int(conn.scalar(_END, {**given, "now": now}) or 0)


def _storable(words: str | None) -> str | None:
    """What a server said, as PostgreSQL takes it."""
    return None if words is None else words.encode("utf-8", "replace").decode().replace("\0", "")


# --- looking ----------------------------------------------------------------------------------------------------------


def of_contact(conn: Connection, contact_id: int) -> list[dict[str, Any]]:
    """Every call about a contact, oldest first."""
    query = text("""
        SELECT id, journey, enrollment_id, step, state, reason, detail, status, attempts, due_at, next_at, ended_at
        FROM call WHERE contact_id = :contact ORDER BY due_at, id
    """)
    return [dict(row._mapping) for row in conn.execute(query, {"contact": contact_id})]


def counts(conn: Connection) -> list[dict[str, Any]]:
    """Calls per journey, state and reason."""
    query = text("SELECT journey, state, reason, count(*) AS calls FROM call GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
    return [dict(row._mapping) for row in conn.execute(query)]
