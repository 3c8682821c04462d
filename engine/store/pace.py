"""Pace: how many messages each journey begins per hour of the clock; past hours are counted from the sends when it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Hour:
    """The hour under way of one journey. `sends`: how many of its messages were claimed, never too few. `judged`: whether it
    is known how many there may be, which is `most` (None: any number).
    """

    sends: int
    most: int | None
    judged: bool


@dataclass(frozen=True)
class Past:
    """The hours before: how many messages the highest had (0: there was none), and when the first began."""

    highest: int
    first: datetime | None


_UNDER_WAY = text("SELECT journey, sends, most, judged FROM pace WHERE hour = :hour")

_BEGIN = text("""
INSERT INTO pace (journey, hour, sends)
SELECT v.journey, :hour, (SELECT count(*) FROM send s WHERE s.journey = v.journey AND s.intent_at >= :hour)
FROM unnest(CAST(:journeys AS text[])) AS v(journey) ORDER BY v.journey ON CONFLICT DO NOTHING
""")

_ADD = text("""
WITH mine AS MATERIALIZED (
    SELECT journey FROM pace WHERE hour = :hour AND journey = ANY(CAST(:journeys AS text[])) ORDER BY journey FOR UPDATE
)
UPDATE pace p SET sends = p.sends + v.claimed
FROM mine, unnest(CAST(:journeys AS text[]), CAST(:claimed AS int[])) AS v(journey, claimed)
WHERE p.hour = :hour AND p.journey = mine.journey AND v.journey = mine.journey
""")

# What is claimed and not begun yet counts too: other workers have it.
_RECOUNT = text("""
UPDATE pace SET sends = (SELECT count(*) FROM send s WHERE s.journey = :journey AND s.intent_at >= :hour)
    + (SELECT count(*) FROM send s WHERE s.journey = :journey AND s.state = 'planned' AND s.lease_until > clock_timestamp())
WHERE journey = :journey AND hour = :hour RETURNING sends
""")

_LAST_COUNTED = text("SELECT max(hour) FROM pace WHERE journey = :journey AND counted")
_COUNT = text("""
INSERT INTO pace (journey, hour, sends, counted)
SELECT :journey, date_trunc('hour', s.intent_at, 'UTC'), count(*), true FROM send s
WHERE s.journey = :journey AND s.intent_at >= :since AND s.intent_at < :hour GROUP BY 2
ON CONFLICT (journey, hour) DO UPDATE SET sends = excluded.sends, counted = true
""")
_FORGET = text("DELETE FROM pace WHERE hour < :since")
_PAST = text("""
SELECT coalesce(max(sends), 0) AS highest, min(hour) AS first FROM pace
WHERE journey = :journey AND hour >= :since AND hour < :hour AND counted
""")
_JUDGE = text("UPDATE pace SET most = :most, judged = true WHERE journey = :journey AND hour = :hour")


def under_way(conn: Connection, hour: datetime) -> dict[str, Hour]:
    """The hour that begins at `hour`, of every journey that has claimed anything in it."""
    return {row.journey: Hour(row.sends, row.most, row.judged) for row in conn.execute(_UNDER_WAY, {"hour": hour})}


def add(conn: Connection, hour: datetime, claimed: Mapping[str, int], known: set[str]) -> None:
    """So many more were claimed; `known`: journeys of which the hour was under way already."""
    if not claimed:
        return
    journeys = sorted(claimed)
    new = [name for name in journeys if name not in known]
    if new:  # counts what was begun in this hour before anybody kept count
        conn.execute(_BEGIN, {"hour": hour, "journeys": new})
    conn.execute(_ADD, {"hour": hour, "journeys": journeys, "claimed": [claimed[name] for name in journeys]})


def recount(conn: Connection, journey: str, hour: datetime) -> int:
    """How many messages were begun in this hour, or are about to be; what was claimed and did not go is taken off."""
    return int(conn.execute(_RECOUNT, {"journey": journey, "hour": hour}).scalar_one())


def past(conn: Connection, journey: str, hour: datetime, span: timedelta) -> Past:
    """The hours before `hour`, no longer ago than `span`. Counts those that nobody has counted yet."""
    since = hour - span
    last = conn.scalar(_LAST_COUNTED, {"journey": journey})
    given = {"journey": journey, "hour": hour}
    conn.execute(_COUNT, {**given, "since": since if last is None else max(since, last + HOUR)})
    row = conn.execute(_PAST, {**given, "since": since}).one()
    return Past(row.highest, row.first)


def judge(conn: Connection, journey: str, hour: datetime, most: int | None) -> None:
    """From now on this hour may see `most` messages of the journey (None: any number)."""
    conn.execute(_JUDGE, {"journey": journey, "hour": hour, "most": most})


def forget(conn: Connection, before: datetime) -> int:
    """Remove hours that nobody looks back to; gives how many."""
    return conn.execute(_FORGET, {"since": before}).rowcount
