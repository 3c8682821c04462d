"""Buckets: the tokens of each journey's throttle, over all workers, kept as the instant at which the next one is free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

_LOCK = text("""
SELECT journey, free_at FROM bucket WHERE journey = ANY(CAST(:journeys AS text[])) ORDER BY journey FOR UPDATE
""")
_SAVE = text("""
INSERT INTO bucket (journey, free_at, spacing)
SELECT * FROM unnest(CAST(:journeys AS text[]), CAST(:frees AS timestamptz[]), CAST(:spacings AS interval[]))
ON CONFLICT (journey) DO UPDATE SET free_at = excluded.free_at, spacing = excluded.spacing
""")
_GIVE_BACK = text("""
WITH mine AS MATERIALIZED (SELECT journey FROM bucket WHERE journey = ANY(CAST(:journeys AS text[])) ORDER BY journey FOR UPDATE)
UPDATE bucket b SET free_at = b.free_at - v.tokens * b.spacing
FROM mine, unnest(CAST(:journeys AS text[]), CAST(:tokens AS int[])) AS v(journey, tokens)
WHERE b.journey = mine.journey AND v.journey = mine.journey
""")
_ENSURE = text("""
INSERT INTO bucket (journey, free_at, spacing)
SELECT journey, CAST(:now AS timestamptz) - interval '1 day', interval '1 second' FROM unnest(CAST(:journeys AS text[])) AS v(journey) ORDER BY journey
ON CONFLICT (journey) DO NOTHING
""")


def lock(conn: Connection, journeys: list[str], now: datetime) -> dict[str, datetime]:
    """Keep other workers from these buckets until our transaction ends; gives when the next token of each is free; a new
    one is full.
    """
    found = {row.journey: row.free_at for row in conn.execute(_LOCK, {"journeys": journeys})}
    if len(found) < len(journeys):
        conn.execute(_ENSURE, {"journeys": sorted(set(journeys) - found.keys()), "now": now})
        found = {row.journey: row.free_at for row in conn.execute(_LOCK, {"journeys": journeys})}
    return found


def save(conn: Connection, buckets: Mapping[str, tuple[datetime, timedelta]]) -> None:
    """Write back buckets that are locked: when the next token is free, and the time between two."""
    if buckets:
        given = {
            "journeys": list(buckets),
            "frees": [free for free, _ in buckets.values()],
            "spacings": [spacing for _, spacing in buckets.values()],
        }
        conn.execute(_SAVE, given)


def give_back(conn: Connection, tokens: Mapping[str, int]) -> None:
    """Tokens that were taken for messages which did not go."""
    if tokens:
        journeys = sorted(tokens)
        conn.execute(_GIVE_BACK, {"journeys": journeys, "tokens": [tokens[name] for name in journeys]})
