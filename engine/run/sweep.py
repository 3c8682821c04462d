"""Sweep: what lost its worker on the wire becomes `unknown`, and is settled by asking the provider where it can be asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from channels.base import Adapter, SearchableAdapter
from engine.errors import DatabaseUnavailableError
from engine.store import intents, workers
from engine.store.intents import Ending

log = logging.getLogger(__name__)

_MOST = 500
_SETTLED = timedelta(seconds=60)
"""A provider is asked only about requests this old: a younger one may not show up in its search yet."""
_GIVE_UP = timedelta(days=3)
"""A doubt that nobody could settle for so long stays one, and the person goes on."""


@dataclass(frozen=True)
class Swept:
    """How many sends the sweep moved."""

    lapsed: int = 0
    accepted: int = 0
    planned: int = 0


# Transactional mail is sent at least once (P1), so a lapsed lease puts it back; marketing never goes out on a guess.
_LAPSED = text("""
SELECT id, fence, channel, kind FROM send WHERE state = 'sending' AND lease_until < clock_timestamp()
ORDER BY lease_until LIMIT :most FOR UPDATE SKIP LOCKED
""")

_DOUBTFUL = text("""
SELECT s.id, s.fence, s.channel, s.worker_id,
       NOT EXISTS (SELECT 1 FROM attempt a WHERE a.send_id = s.id AND a.fence = s.fence AND a.ended_at IS NULL) AS word_came
FROM send s WHERE s.state = 'unknown' AND s.reason = 'reconciling' AND s.channel = ANY(CAST(:channels AS text[]))
  AND s.intent_at <= :settled ORDER BY s.id LIMIT :most FOR UPDATE SKIP LOCKED
""")

_HOPELESS = text("""
SELECT id, fence FROM send WHERE state = 'unknown' AND reason = 'reconciling'
  AND (intent_at <= :long_ago OR channel <> ALL(CAST(:channels AS text[]))) ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
""")


def sweep(engine: Engine, adapters: Mapping[str, Adapter], now: datetime) -> Swept:
    """Settle up to 500 sends of each kind. Safe to run in any number of processes at once."""
    searchable = {
        name: a for name, a in adapters.items() if a.capabilities.searchable and isinstance(a, SearchableAdapter)
    }
    with engine.begin() as conn:
        _end_leases_of_the_gone(conn)
        lapsed = _lapse(conn, searchable, now)
    accepted = planned = 0
    for channel, adapter in searchable.items():
        try:
            with engine.begin() as conn:
                found, again = _reconcile(conn, channel, adapter, now)
        except DatabaseUnavailableError:
            raise
        except Exception:  # third-party code: one provider's trouble must not keep the others waiting
            log.exception("the provider of %s could not be asked what became of sends", channel)
            continue
        accepted, planned = accepted + found, planned + again
    with engine.begin() as conn:
        _give_up(conn, searchable, now)
    return Swept(lapsed, accepted, planned)


def _end_leases_of_the_gone(conn: Connection) -> None:
    """A worker that surely is gone will not come back for its claims: no need to wait for the lease."""
    leased = text(
        "SELECT DISTINCT worker_id FROM send WHERE state IN ('planned', 'sending') AND lease_until > clock_timestamp()"
    )
    gone = workers.surely_gone(conn, [worker for worker in conn.scalars(leased) if worker is not None])
    if gone:
        free = text("""
            UPDATE send SET lease_until = clock_timestamp() - interval '1 second'
            WHERE state IN ('planned', 'sending') AND lease_until > clock_timestamp() AND worker_id = ANY(CAST(:gone AS bigint[]))
        """)
        conn.execute(free, {"gone": sorted(gone)})


def _lapse(conn: Connection, searchable: Mapping[str, SearchableAdapter], now: datetime) -> int:
    by_fence: dict[int, list[Ending]] = {}
    for row in conn.execute(_LAPSED, {"most": _MOST}):
        if row.channel in searchable:
            ending = Ending(row.id, "unknown", "reconciling")
        elif row.kind == "transactional":
            ending = Ending(row.id, "planned", next_at=now)
        else:
            ending = Ending(row.id, "unknown", "lease_lapsed")
        by_fence.setdefault(row.fence, []).append(ending)
    return sum(intents.end(conn, endings, fence, now) for fence, endings in by_fence.items())


def _reconcile(conn: Connection, channel: str, adapter: SearchableAdapter, now: datetime) -> tuple[int, int]:
    """Ask the provider. Not found means sent again only if no request of ours can still be under way: its receipt
    came, or its worker is surely gone.
    """
    rows = list(conn.execute(_DOUBTFUL, {"channels": [channel], "settled": now - _SETTLED, "most": _MOST}))
    if not rows:
        return 0, 0
    words = adapter.search([row.id for row in rows])
    gone = workers.surely_gone(conn, {row.worker_id for row in rows})
    by_fence: dict[int, list[Ending]] = {}
    accepted = planned = 0
    for row in rows:
        if row.id not in words:
            continue
        word = words[row.id]
        if word is not None:
            ending = Ending(
                row.id, "accepted", provider_id=word.provider_id, outcome="accepted", detail="found by search"
            )
            accepted += 1
        elif row.word_came or row.worker_id in gone:
            ending = Ending(row.id, "planned", next_at=now, outcome="unreachable", detail="not found by search")
            planned += 1
        else:
            continue
        by_fence.setdefault(row.fence, []).append(ending)
    for fence, endings in by_fence.items():
        intents.end(conn, endings, fence, now)
    return accepted, planned


def _give_up(conn: Connection, searchable: Mapping[str, SearchableAdapter], now: datetime) -> None:
    """What can't be asked about any more, or was in vain for days, stays `unknown`; its enrollment is told so."""
    by_fence: dict[int, list[Ending]] = {}
    given = {"long_ago": now - _GIVE_UP, "channels": sorted(searchable), "most": _MOST}
    for row in conn.execute(_HOPELESS, given):
        by_fence.setdefault(row.fence, []).append(
            Ending(row.id, "unknown", "ambiguous", detail="the provider could not tell")
        )
    for fence, endings in by_fence.items():
        intents.end(conn, endings, fence, now)
