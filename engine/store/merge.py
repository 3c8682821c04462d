"""Two contacts that turn out to be one person: everything of the one moves to the other, in sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from engine.journey.values import TraceLine
from engine.store import traces
from engine.store.signals import NewSignal, drop_timers, put

_PAIRS = "unnest(CAST(:gone AS bigint[]), CAST(:survivor AS bigint[])) AS p(gone, survivor)"

# Of several active enrollments of one journey and key the older stays (journey-language, section 4).
_END_DOUBLES = text(f"""
WITH standing AS (
    SELECT e.id, row_number() OVER (
        PARTITION BY coalesce(p.survivor, e.contact_id), e.journey, e.key ORDER BY e.entered_at, e.id
    ) AS place, coalesce(p.survivor, e.contact_id) AS contact_id
    FROM enrollment e LEFT JOIN {_PAIRS} ON p.gone = e.contact_id
    WHERE e.state = 'active' AND e.contact_id = ANY(CAST(:everybody AS bigint[]))
)
UPDATE enrollment e SET state = 'ended', reason = 'merged', step = NULL, due_at = NULL, ended_at = :now
FROM standing s WHERE s.id = e.id AND s.place > 1
RETURNING e.id, s.contact_id, e.journey, e.event
""")
# Tables whose rows simply go over. Memberships and occurrences, keyed by contact, have statements of their own.
MOVED = (
    "identity", "consent", "event", "enrollment", "send", "observation", "call", "signal", "trace", "membership_change",
)  # fmt: skip
_MOVES = tuple(
    text(f"UPDATE {table} t SET contact_id = p.survivor FROM {_PAIRS} WHERE t.contact_id = p.gone") for table in MOVED
)
_MOVE_MEMBERS = text(f"""
WITH taken AS (DELETE FROM segment_member m USING {_PAIRS} WHERE m.contact_id = p.gone RETURNING m.segment, p.survivor, m.since)
INSERT INTO segment_member (segment, contact_id, since)
SELECT segment, survivor, min(since) FROM taken GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (segment, contact_id) DO UPDATE SET since = least(segment_member.since, excluded.since)
""")
# What has fired for either has fired. What is coming is worked out anew by the survivor's profile signal; what is due
# already is kept until then.
_MOVE_OCCURRENCES = text(f"""
WITH taken AS (
    DELETE FROM occurrence o USING {_PAIRS} WHERE o.contact_id = p.gone
    RETURNING o.journey, p.survivor, o.date, o.due_at, o.fired
)
INSERT INTO occurrence AS o (journey, contact_id, date, due_at, fired)
SELECT DISTINCT ON (journey, survivor) journey, survivor, date, due_at, max(fired) OVER (PARTITION BY journey, survivor)
FROM taken ORDER BY journey, survivor, due_at
ON CONFLICT (journey, contact_id) DO UPDATE SET fired = greatest(o.fired, excluded.fired),
    date = CASE WHEN o.due_at IS NULL THEN excluded.date ELSE o.date END, due_at = coalesce(o.due_at, excluded.due_at)
""")
# Of two variants of one experiment the first that was given holds for good.
_MOVE_ASSIGNMENTS = text(f"""
WITH taken AS (
    DELETE FROM assignment a USING {_PAIRS} WHERE a.contact_id = p.gone
    RETURNING a.journey, a.experiment, p.survivor, a.variant, a.enrollment_id, a.at
)
INSERT INTO assignment AS a (journey, experiment, contact_id, variant, enrollment_id, at)
SELECT DISTINCT ON (journey, experiment, survivor) journey, experiment, survivor, variant, enrollment_id, at
FROM taken ORDER BY journey, experiment, survivor, at
ON CONFLICT (journey, experiment, contact_id) DO UPDATE SET variant = excluded.variant,
    enrollment_id = excluded.enrollment_id, at = excluded.at WHERE excluded.at < a.at
""")
# Scores are worked out anew from the events of both; until then the survivor's hold, the other's serve if there are none.
_MOVE_SCORES = text(f"""
UPDATE score s SET contact_id = p.survivor FROM (
    SELECT DISTINCT ON (p.survivor) p.gone, p.survivor FROM {_PAIRS} JOIN score o ON o.contact_id = p.gone
    ORDER BY p.survivor, o.at DESC
) p WHERE s.contact_id = p.gone AND NOT EXISTS (SELECT 1 FROM score o WHERE o.contact_id = p.survivor)
""")
_DROP_SCORES = text(f"DELETE FROM score s USING {_PAIRS} WHERE s.contact_id = p.gone")
_EMPTY = text(f"""
UPDATE contact c SET merged_into = p.survivor, user_id = NULL, email = NULL, phone = NULL, locale = NULL, timezone = NULL,
traits = '{{}}', updated_at = :now FROM {_PAIRS} WHERE c.id = p.gone
""")


def merge(conn: Connection, survivors: Mapping[int, int], now: datetime) -> None:
    """Make each contact of `survivors` (gone -> survivor) part of its survivor. All of them are locked by the caller, no
    survivor is itself gone, and the survivor's own row (traits and columns taken over) is the caller's to save.

    Identities, consents, events, enrollments, signals, traces, sends and memberships move; the newest consent row of a
    topic and channel goes on to hold, whoever's it was. What is left of the other is an empty row that points on,
    so that links in mail already sent find the person.
    """
    if not survivors:
        return
    pairs = {"gone": list(survivors), "survivor": list(survivors.values())}
    everybody = sorted({*survivors, *survivors.values()})
    ended = conn.execute(_END_DOUBLES, {**pairs, "everybody": everybody, "now": now}).all()
    if ended:
        drop_timers(conn, [row.id for row in ended])
        put(conn, [_finished(row.contact_id, row.journey, row.event, now) for row in ended])
        line = TraceLine("", "one enrollment per journey and key", "two contacts became one", "exit merged")
        traces.write(
            conn, [traces.NewTrace(row.contact_id, row.id, row.journey, now, "merge", (line,)) for row in ended]
        )
    for move in _MOVES:
        conn.execute(move, pairs)
    conn.execute(_MOVE_MEMBERS, pairs)
    for statement in (_MOVE_OCCURRENCES, _MOVE_ASSIGNMENTS, _MOVE_SCORES, _DROP_SCORES):
        conn.execute(statement, pairs)
    conn.execute(_EMPTY, {**pairs, "now": now})


def _finished(contact_id: int, journey: str, event: Mapping[str, Any], now: datetime) -> NewSignal:
    """What another journey may wait for. Here nobody knows which are applied; where none does, it opens no door."""
    data = {"journey": journey, "reason": "merged", "properties": dict(event)}
    return NewSignal(contact_id, "finished", now, data=data)
