"""Experiments: who has which variant, how the variants fare, and which one has won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, text

from engine.journey.contest import Tally
from engine.store.bulk import as_json


@dataclass(frozen=True)
class Assignment:
    """A contact has this variant, since this enrollment."""

    journey: str
    experiment: str
    contact_id: int
    variant: str
    enrollment_id: int
    at: datetime


_ASSIGN = text("""
INSERT INTO assignment (journey, experiment, contact_id, variant, enrollment_id, at)
SELECT * FROM unnest(CAST(:journeys AS text[]), CAST(:experiments AS text[]), CAST(:contacts AS bigint[]),
    CAST(:variants AS text[]), CAST(:enrollments AS bigint[]), CAST(:ats AS timestamptz[]))
ON CONFLICT (journey, experiment, contact_id) DO UPDATE
SET variant = excluded.variant, enrollment_id = excluded.enrollment_id, at = excluded.at
""")


def assign(conn: Connection, new: Sequence[Assignment]) -> None:
    """Write who has what from now on; of several for one contact and experiment the first counts."""
    first: dict[tuple[str, str, int], Assignment] = {}
    for row in new:
        first.setdefault((row.journey, row.experiment, row.contact_id), row)
    if first:
        rows = list(first.values())
        conn.execute(
            _ASSIGN,
            {
                "journeys": [row.journey for row in rows],
                "experiments": [row.experiment for row in rows],
                "contacts": [row.contact_id for row in rows],
                "variants": [row.variant for row in rows],
                "enrollments": [row.enrollment_id for row in rows],
                "ats": [row.at for row in rows],
            },
        )


_BY_GOAL = text("""
SELECT a.variant, count(*) AS people, count(e.goal_at) AS successes
FROM assignment a JOIN enrollment e ON e.id = a.enrollment_id
WHERE a.journey = :journey AND a.experiment = :experiment AND e.entered_at + CAST(:window AS interval) < :now
GROUP BY a.variant
""")

_BY_CLICK = text("""
SELECT a.variant, count(*) AS people, count(*) FILTER (WHERE EXISTS (
    SELECT 1 FROM send s JOIN observation o ON o.send_id = s.id AND o.kind = 'clicked' AND NOT o.machine
    WHERE s.enrollment_id = a.enrollment_id AND s.due_at >= a.at
      AND o.at >= a.at AND o.at <= a.at + CAST(:window AS interval)
)) AS successes
FROM assignment a
WHERE a.journey = :journey AND a.experiment = :experiment AND a.at + CAST(:window AS interval) < :now
GROUP BY a.variant
""")


def by_goal(conn: Connection, journey: str, experiment: str, window: timedelta, now: datetime) -> dict[str, Tally]:
    """Per variant the people who entered longer than the goal's window ago, and how many of them reached it."""
    return _tallies(conn, _BY_GOAL, journey, experiment, window, now)


def by_click(conn: Connection, journey: str, experiment: str, window: timedelta, now: datetime) -> dict[str, Tally]:
    """Per variant the people who got it longer than `window` ago, and how many of them clicked in a message of that
    enrollment within it; machines do not count.
    """
    return _tallies(conn, _BY_CLICK, journey, experiment, window, now)


_CLOSES = {
    "goal": text("""
SELECT min(e.entered_at) + CAST(:window AS interval) FROM assignment a JOIN enrollment e ON e.id = a.enrollment_id
WHERE a.journey = :journey AND a.experiment = :experiment AND e.entered_at + CAST(:window AS interval) >= :now
"""),
    "clicked": text("""
SELECT min(a.at) + CAST(:window AS interval) FROM assignment a
WHERE a.journey = :journey AND a.experiment = :experiment AND a.at + CAST(:window AS interval) >= :now
"""),
}


def next_closing(
    conn: Connection, journey: str, experiment: str, by: Literal["goal", "clicked"], window: timedelta, now: datetime
) -> datetime | None:
    """The last instant of the first window that is still open at `now`, of those that `by_goal` or `by_click` wait for."""
    given = {"journey": journey, "experiment": experiment, "window": window, "now": now}
    found: datetime | None = conn.scalar(_CLOSES[by], given)
    return found


def _tallies(
    conn: Connection, query: Any, journey: str, experiment: str, window: timedelta, now: datetime
) -> dict[str, Tally]:
    given = {"journey": journey, "experiment": experiment, "window": window, "now": now}
    return {row.variant: Tally(row.people, row.successes) for row in conn.execute(query, given)}


def won(conn: Connection, journey: str) -> dict[str, str]:
    """The winners of the journey's experiments that are decided."""
    query = text("SELECT experiment, variant FROM winner WHERE journey = :journey")
    return {row.experiment: row.variant for row in conn.execute(query, {"journey": journey})}


_CROWN = text("""
INSERT INTO winner (journey, experiment, variant, numbers, at)
VALUES (:journey, :experiment, :variant, CAST(:numbers AS jsonb), :now) ON CONFLICT DO NOTHING
""")


def crown(conn: Connection, journey: str, experiment: str, variant: str, numbers: Any, now: datetime) -> None:
    """Write the winner; the first one stays."""
    given = {"journey": journey, "experiment": experiment, "variant": variant, "numbers": as_json(numbers), "now": now}
    conn.execute(_CROWN, given)
