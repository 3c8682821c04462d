"""Sends: the outbox, claims on it with owner, fence and lease, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from engine.store import send_key
from engine.tables import send

LEASE = timedelta(seconds=60)
"""How long a claim stands without being renewed, by the database's clock."""


class NewSend(NamedTuple):
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
    expires_at: datetime | None = None


_PLANNED = (
    "enrollment_id", "step", "round", "visit", "contact_id", "journey", "version_id", "kind", "topic", "template", "via",
    "priority", "planned_at", "due_at", "expires_at", "next_at", "state",
)  # fmt: skip


_RETELL = send_key.retelling(
    send,
    "(state IN ('planned', 'sending') OR (state = 'unknown' AND reason = 'reconciling'))",
    ("state", "reason", "channel"),
)


def plan(conn: Connection, new: Sequence[NewSend]) -> int:
    """Put sends into the outbox; gives how many. One whose key is taken is not planned again, and its end is told anew."""
    rows = [
        (
            s.enrollment_id, s.step, s.round, s.visit, s.contact_id, s.journey, s.version_id, s.kind, s.topic, s.template, s.via,
            s.priority, s.planned_at, s.due_at, s.expires_at, s.due_at, "planned",
        )
        for s in new
    ]  # fmt: skip
    return send_key.plan(conn, send, _PLANNED, rows, new, _RETELL)


# --- claim ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """A planned send that this worker has leased under `fence`; nothing has been decided about it yet."""

    id: int
    contact_id: int
    enrollment_id: int
    fence: int
    journey: str = ""
    throttled: bool = False  # a token of its journey's throttle was taken for it


_FREE = """state = 'planned' AND next_at <= :now AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND NOT coalesce(run_id, 0) = ANY(CAST(:held_runs AS bigint[])) AND NOT via <@ CAST(:shut AS text[])"""

_LEASED = """
UPDATE send s SET worker_id = :worker, fence = f.fence, lease_until = clock_timestamp() + CAST(:lease AS interval), run_id = :run
FROM free, f WHERE s.id = free.id
RETURNING s.id, s.contact_id, s.enrollment_id, s.fence, s.next_at, s.priority, s.due_at, s.journey
"""

_CLAIM = text(f"""
WITH f AS MATERIALIZED (SELECT nextval('fence') AS fence),
free AS MATERIALIZED (
    SELECT id FROM send WHERE {_FREE} ORDER BY next_at, priority DESC, due_at, journey, contact_id LIMIT :most FOR UPDATE SKIP LOCKED
)
{_LEASED}
""")

# While some journeys may not send, or only so many, each of the others is looked at by itself: a scan in the order of
# time would read whatever the held ones have at its head, again and again.
_CLAIM_OPEN = text(f"""
WITH f AS MATERIALIZED (SELECT nextval('fence') AS fence),
first AS MATERIALIZED (
    SELECT found.id FROM unnest(CAST(:journeys AS text[]), CAST(:limits AS int[])) AS o(name, most) CROSS JOIN LATERAL (
        SELECT id, next_at, priority, due_at, journey, contact_id FROM send WHERE journey = o.name AND {_FREE}
        ORDER BY next_at, priority DESC, due_at, contact_id LIMIT least(o.most, :most)
    ) AS found ORDER BY found.next_at, found.priority DESC, found.due_at, found.journey, found.contact_id LIMIT :most
),
free AS MATERIALIZED (
    SELECT id FROM send WHERE id IN (SELECT id FROM first) AND {_FREE} FOR UPDATE SKIP LOCKED
)
{_LEASED}
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


def enter(conn: Connection) -> None:
    """Before holds are read for a claim: a send run that is cancelled at this moment is cancelled before or after it."""
    conn.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('alur.claim'))"))


def keep_out(conn: Connection) -> None:
    """Nobody claims until our transaction ends."""
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('alur.claim'))"))


def claim(
    conn: Connection,
    worker: int,
    run: int | None,
    now: datetime,
    most: int,
    stopped: Stopped,
    open_: Mapping[str, int] | None = None,
    throttled: frozenset[str] = frozenset(),
) -> list[Claimed]:
    """Lease up to `most` sends that are due, in the order in which they go; what is held, or leased by others, is passed over.

    `open_`: only these journeys, and so many of each; `stopped.journeys` holds only if they are left out there. `throttled`: journeys for
    whose sends a token is taken.
    """
    given = _filter(now, stopped, open_) | {"worker": worker, "run": run, "most": most, "lease": LEASE}
    statement = _CLAIM if open_ is None else _CLAIM_OPEN
    rows = sorted(
        conn.execute(statement, given), key=lambda r: (r.next_at, -r.priority, r.due_at, r.journey, r.contact_id, r.id)
    )
    return [Claimed(r.id, r.contact_id, r.enrollment_id, r.fence, r.journey, r.journey in throttled) for r in rows]


def _filter(now: datetime, stopped: Stopped, open_: Mapping[str, int] | None) -> dict[str, Any]:
    given: dict[str, Any] = {"now": now, "held_runs": list(stopped.runs), "shut": list(stopped.channels)}
    if open_ is not None:
        given |= {"journeys": list(open_), "limits": list(open_.values())}
    return given


def renew(conn: Connection, ids: Sequence[int], fence: int) -> int:
    """Extend the lease of sends that still wait in a claim; gives how many are still ours."""
    return conn.execute(_RENEW, {"ids": list(ids), "fence": fence, "lease": LEASE}).rowcount


def release(conn: Connection, ids: Sequence[int], fence: int) -> int:
    """Give back sends that were claimed and not begun."""
    return conn.execute(_RELEASE, {"ids": list(ids), "fence": fence}).rowcount


# --- counting and looking ---------------------------------------------------------------------------------------------


# The first of them, and not "is there one": of that the planner expects so many that it reads the whole table.
_ANY = text(f"""
SELECT (SELECT id FROM send WHERE {_FREE} ORDER BY next_at, priority DESC, due_at, journey, contact_id LIMIT 1) IS NOT NULL
""")
_ANY_OPEN = text(f"""
SELECT EXISTS (SELECT 1 FROM unnest(CAST(:journeys AS text[]), CAST(:limits AS int[])) AS o(name, most) WHERE (
    SELECT id FROM send WHERE journey = o.name AND {_FREE} ORDER BY next_at, priority DESC, due_at, contact_id LIMIT 1
) IS NOT NULL)
""")


def any_due(conn: Connection, now: datetime, stopped: Stopped, open_: Mapping[str, int] | None = None) -> bool:
    """Is there anything that `claim` would take now?"""
    return bool(conn.scalar(_ANY if open_ is None else _ANY_OPEN, _filter(now, stopped, open_)))


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
               next_at, attempts, address, intent_at, ended_at, provider_id,
               CASE WHEN state = 'planned' THEN coalesce(held, (
                   SELECT 'throttle' FROM bucket b WHERE b.journey = send.journey AND b.free_at > send.next_at)) END AS held
        FROM send WHERE contact_id = :contact ORDER BY due_at, id
    """)
    return [dict(row._mapping) for row in conn.execute(query, {"contact": contact_id})]
