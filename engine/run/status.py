"""Status: how things stand, in numbers; only reads."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from engine.store import calls, contacts, holds, runs, scheduled, sends

SEND_STATES = ("planned", "sending", "accepted", "delivered", "bounced", "complained", "withheld", "failed", "unknown")

_JOURNEYS = text("""
SELECT j.name AS journey, j.state,
    coalesce(e.entered, 0) AS entered, coalesce(e.under_way, 0) AS under_way, coalesce(e.ended, 0) AS ended,
    coalesce(e.goals, 0) AS goals, coalesce(e.goal_value, 0) AS goal_value
FROM journey j LEFT JOIN (
    SELECT journey, count(*) AS entered, count(*) FILTER (WHERE state = 'active') AS under_way,
        count(*) FILTER (WHERE state = 'ended') AS ended, count(goal_at) AS goals, sum(goal_value) AS goal_value
    FROM enrollment GROUP BY journey
) e ON e.journey = j.name ORDER BY j.name
""")
_SENDS = text("""
SELECT journey, state, coalesce(held, reason) AS reason, count(*) AS sends FROM send GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")
_QUEUE = text("""
SELECT (SELECT count(*) FROM signal WHERE at <= :now) AS signals_due,
    (SELECT min(at) FROM signal WHERE at <= :now) AS oldest_signal,
    (SELECT count(*) FROM send WHERE state = 'planned' AND next_at <= :now) AS sends_due,
    (SELECT min(next_at) FROM send WHERE state = 'planned' AND next_at <= :now) AS oldest_send,
    (SELECT count(*) FROM call WHERE state IN ('planned', 'calling') AND next_at <= :now) AS calls_due,
    (SELECT min(next_at) FROM call WHERE state IN ('planned', 'calling') AND next_at <= :now) AS oldest_call,
    (SELECT count(*) FROM contact WHERE merged_into IS NULL AND erased_at IS NULL) AS contacts,
    (SELECT count(*) FROM event) AS events,
    (SELECT count(*) FROM dead_letter) AS dead_letters
""")
_STEPS = text("""
SELECT journey, step, count(*) AS people FROM enrollment WHERE state = 'active' AND step IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
""")


def status(conn: Connection, now: datetime) -> dict[str, Any]:
    """`journeys` (one row each, with its sends by state), `withheld` and `failed` by reason, `calls` of webhooks likewise, `queue`, `holds`, `schedules`, `runs`, `steps`."""
    journeys = [dict(row._mapping) for row in conn.execute(_JOURNEYS)]
    standing = holds.standing(conn)
    paused = {hold.name for hold in standing if hold.scope == "journey"}
    by_journey: dict[str, dict[str, int]] = {}
    reasons: list[dict[str, Any]] = []
    for row in conn.execute(_SENDS):
        states = by_journey.setdefault(row.journey, dict.fromkeys(SEND_STATES, 0))
        states[row.state] += row.sends
        if row.reason is not None:
            reasons.append(dict(row._mapping))
    for journey in journeys:
        journey["goal_value"] = float(journey["goal_value"])
        journey["paused"] = journey["journey"] in paused
        journey["sends"] = by_journey.get(journey["journey"], dict.fromkeys(SEND_STATES, 0))
    return {
        "journeys": journeys,
        "reasons": reasons,
        "calls": calls.counts(conn),
        "steps": [dict(row._mapping) for row in conn.execute(_STEPS)],
        "queue": {
            **conn.execute(_QUEUE, {"now": now}).one()._mapping,
            "unreal_zones": contacts.count_unreal_zones(conn),
        },
        "holds": [{"scope": h.scope, "name": h.name, "reason": h.reason, "by": h.by, "at": h.at} for h in standing],
        "schedules": scheduled.overview(conn),
        "runs": [_with_counts(conn, run) for run in runs.latest(conn)],
    }


def _with_counts(conn: Connection, run: dict[str, Any]) -> dict[str, Any]:
    """A run that nobody has closed tells what has become of its sends so far."""
    if run["state"] in ("finished", "cancelled"):
        return run
    so_far: Counter[str] = Counter()
    for row in sends.of_run(conn, run["id"]):
        so_far[row["state"]] += row["sends"]
    return {**run, "counts": dict(so_far)}
