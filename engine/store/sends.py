"""Sends: the outbox, claims on it with owner, fence and lease, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from engine.store.bulk import insert_rows
from engine.tables import send

LEASE = timedelta(seconds=60)
"""How long a claim stands without being renewed, by the database's clock."""


@dataclass(frozen=True)
class NewSend:
    """A message that a decision has planned; (enrollment_id, step, round) is the send key."""

    enrollment_id: int
    step: str
    round: int
    visit: int
    contact_id: int
    journey: str
    version_id: int
    kind: str
    topic: str | None
    template: str
    via: tuple[str, ...]
    priority: int
    planned_at: datetime
    due_at: datetime


_PLANNED = (
    "enrollment_id", "step", "round", "visit", "contact_id", "journey", "version_id", "kind", "topic", "template", "via",
    "priority", "planned_at", "due_at", "next_at", "state",
)  # fmt: skip


def plan(conn: Connection, new: Iterable[NewSend]) -> int:
    """Put sends into the outbox."""
    rows = (
        (
            s.enrollment_id, s.step, s.round, s.visit, s.contact_id, s.journey, s.version_id, s.kind, s.topic, s.template,
            list(s.via), s.priority, s.planned_at, s.due_at, s.due_at, "planned",
        )
        for s in new
    )  # fmt: skip
    return insert_rows(conn, send, _PLANNED, rows)


# --- claim ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """A planned send that this worker has leased under `fence`; nothing has been decided about it yet."""

    id: int
    contact_id: int
    enrollment_id: int
    fence: int


_CLAIM = text("""
WITH f AS MATERIALIZED (SELECT nextval('fence') AS fence),
free AS MATERIALIZED (
    SELECT id FROM send
    WHERE state = 'planned' AND next_at <= :now
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND NOT journey = ANY(CAST(:held AS text[])) AND NOT coalesce(run_id, 0) = ANY(CAST(:held_runs AS bigint[]))
      AND NOT via <@ CAST(:shut AS text[])
    ORDER BY next_at, priority DESC, due_at, journey LIMIT :most
    FOR UPDATE SKIP LOCKED
)
UPDATE send s SET worker_id = :worker, fence = f.fence, lease_until = clock_timestamp() + CAST(:lease AS interval), run_id = :run
FROM free, f WHERE s.id = free.id
RETURNING s.id, s.contact_id, s.enrollment_id, s.fence, s.next_at, s.priority, s.due_at, s.journey
""")

_RENEW = text("""
UPDATE send SET lease_until = clock_timestamp() + CAST(:lease AS interval)
WHERE id = ANY(CAST(:ids AS bigint[])) AND fence = :fence AND state = 'planned' AND lease_until > clock_timestamp()
""")

_RELEASE = text("""
UPDATE send SET lease_until = NULL, worker_id = NULL
WHERE id = ANY(CAST(:ids AS bigint[])) AND fence = :fence AND state = 'planned'
""")


@dataclass(frozen=True)
class Stopped:
    """What holds keep back: sends of these journeys, sends that belong to these send runs, and sends that could go over
    none but these channels.
    """

    journeys: tuple[str, ...] = ()
    runs: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()


def claim(conn: Connection, worker: int, run: int | None, now: datetime, most: int, stopped: Stopped) -> list[Claimed]:
    """Lease up to `most` sends that are due; what is held, or leased by others, is passed over."""
    given = {
        "now": now, "worker": worker, "run": run, "most": most, "lease": LEASE,
        "held": list(stopped.journeys), "held_runs": list(stopped.runs), "shut": list(stopped.channels),
    }  # fmt: skip
    rows = sorted(conn.execute(_CLAIM, given), key=lambda r: (r.next_at, -r.priority, r.due_at, r.journey, r.id))
    return [Claimed(row.id, row.contact_id, row.enrollment_id, row.fence) for row in rows]


def renew(conn: Connection, ids: Sequence[int], fence: int) -> int:
    """Extend the lease of sends that still wait in a claim; gives how many are still ours."""
    return conn.execute(_RENEW, {"ids": list(ids), "fence": fence, "lease": LEASE}).rowcount


def release(conn: Connection, ids: Sequence[int], fence: int) -> int:
    """Give back sends that were claimed and not begun."""
    return conn.execute(_RELEASE, {"ids": list(ids), "fence": fence}).rowcount


# --- counting and looking ---------------------------------------------------------------------------------------------


def any_due(conn: Connection, now: datetime, stopped: Stopped) -> bool:
    """Is there anything that could be claimed now?"""
    query = text("""
        SELECT EXISTS (SELECT 1 FROM send WHERE state = 'planned' AND next_at <= :now
        AND (lease_until IS NULL OR lease_until < clock_timestamp())
        AND NOT journey = ANY(CAST(:held AS text[])) AND NOT coalesce(run_id, 0) = ANY(CAST(:held_runs AS bigint[]))
        AND NOT via <@ CAST(:shut AS text[]))
    """)
    given = {"held": list(stopped.journeys), "held_runs": list(stopped.runs), "shut": list(stopped.channels)}
    return bool(conn.scalar(query, {"now": now, **given}))


def count_due(conn: Connection, now: datetime) -> int:
    """How many planned sends are due, held ones too."""
    return int(
        conn.scalar(text("SELECT count(*) FROM send WHERE state = 'planned' AND next_at <= :now"), {"now": now}) or 0
    )


def next_due(conn: Connection, after: datetime) -> datetime | None:
    """The earliest instant later than `after` at which a planned send may be tried."""
    query = text("SELECT min(next_at) FROM send WHERE state = 'planned' AND next_at > :after")
    earliest: datetime | None = conn.scalar(query, {"after": after})
    return earliest


def counts(conn: Connection) -> list[dict[str, Any]]:
    """Sends per journey, state and reason."""
    query = text("SELECT journey, state, reason, count(*) AS sends FROM send GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
    return [dict(row._mapping) for row in conn.execute(query)]


def of_run(conn: Connection, run_id: int) -> list[dict[str, Any]]:
    """Sends of one send run per journey, channel, state and reason."""
    query = text("""
        SELECT journey, channel, state, reason, count(*) AS sends FROM send WHERE run_id = :run GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    """)
    return [dict(row._mapping) for row in conn.execute(query, {"run": run_id})]


def of_contact(conn: Connection, contact_id: int) -> list[dict[str, Any]]:
    """Every send of a contact, oldest first."""
    query = text("""
        SELECT id, journey, enrollment_id, step, template, via, channel, state, reason, detail, due_at,
               next_at, attempts, address, intent_at, ended_at, provider_id
        FROM send WHERE contact_id = :contact ORDER BY due_at, id
    """)
    return [dict(row._mapping) for row in conn.execute(query, {"contact": contact_id})]
