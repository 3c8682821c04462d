"""Moves: people under way go over to another version of their journey, or leave it, all of them in sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Boolean, Connection, Text, bindparam, text

from engine.journey.machine import Machine
from engine.journey.moving import Route
from engine.journey.steps.send import Send

Routes = Sequence[tuple[int, Route]]
"""The way of everybody on a step of a version (its id)."""

BATCH = 5_000
"""How many people one statement moves."""


@dataclass(frozen=True)
class StandingCount:
    """How many people stand on a step of a version; `step` is None before the first one."""

    version_id: int
    step: str | None
    people: int


_STANDING = text("""
SELECT version_id, step, count(*) AS people FROM enrollment WHERE journey = :journey AND state = 'active'
GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST
""")
_UNDER_WAY = text("""
SELECT id FROM enrollment WHERE journey = :journey AND state = 'active' AND version_id IS DISTINCT FROM :version
""")


def standing(conn: Connection, journey: str) -> list[StandingCount]:
    """Who is under way where."""
    return [StandingCount(*row) for row in conn.execute(_STANDING, {"journey": journey})]


# Nobody decides meanwhile (`journeys.lock`), so a row can only be changed by a merge, which leaves version and step alone.
# Timers go: the signal `moved` has each of them reckoned anew. A send that no courier has in hand goes over too, with its
# enrollment and under its own key; one in hand ends as it was made.
_MOVE = text("""
WITH route AS (
    SELECT * FROM unnest(CAST(:versions AS bigint[]), CAST(:steps AS text[]), CAST(:targets AS text[]),
        CAST(:arrives AS boolean[]), CAST(:laps AS text[]), CAST(:inner AS text[]), CAST(:templates AS text[]),
        CAST(:vias AS text[])) AS r(version_id, step, target, arrives, laps, lap, template, via)
), moved AS (
    UPDATE enrollment e SET version_id = :version, step = r.target, due_at = NULL,
        goal_until = CASE WHEN e.goal_at IS NULL THEN e.entered_at + CAST(:within AS interval) END,
        visit = e.visit + CASE WHEN r.arrives OR e.step IS DISTINCT FROM r.target THEN 1 ELSE 0 END,
        round = CASE WHEN r.lap IS NULL THEN 1 ELSE coalesce(CAST(e.loops->r.lap->>'total' AS integer), 1) END,
        loops = CASE WHEN r.laps = '{}' OR e.loops = '{}'::jsonb THEN e.loops ELSE (
            SELECT jsonb_object_agg(coalesce(CAST(r.laps AS jsonb)->>l.key, l.key), l.value) FROM jsonb_each(e.loops) AS l
        ) END
    FROM route r
    WHERE e.id = ANY(CAST(:ids AS bigint[])) AND e.state = 'active'
      AND e.version_id = r.version_id AND e.step IS NOT DISTINCT FROM r.step
    RETURNING e.id, e.contact_id, e.visit, e.step AS target, r.step AS origin, r.arrives, r.template, r.via
), gone AS (
    DELETE FROM signal s USING moved m WHERE s.enrollment_id = m.id AND s.kind = 'timer'
), taken AS (
    UPDATE send s SET version_id = :version, kind = :kind, topic = :topic, template = m.template,
        via = string_to_array(m.via, ',')
    FROM moved m
    WHERE s.enrollment_id = m.id AND s.state = 'planned' AND s.visit = m.visit AND s.step = m.target AND m.template <> ''
      AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())
), told AS (
    INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit, data)
    SELECT m.contact_id, m.id, :journey, 'moved', :now, m.visit,
        jsonb_build_object('from', m.origin, 'to', m.target, 'arrives', m.arrives) FROM moved m
)
SELECT count(*) FROM moved
""")


def move(conn: Connection, after: Machine, version_id: int, routes: Routes, now: datetime) -> int:
    """Everybody of the journey who is not on this version goes there, by the route of their version and step. Gives how many.

    Each keeps the time of arrival and gets a signal `moved`, by which `decide` sets the new timer or does what the step
    does on arrival.
    """
    sends = [after.states.get(way.to or "") for _, way in routes]
    given = {
        "journey": after.journey, "version": version_id, "now": now, "kind": after.kind, "topic": after.topic,
        "within": after.goal.within.delta if after.goal is not None else None,
        "versions": [old for old, _ in routes],
        "steps": [way.step for _, way in routes],
        "targets": [way.to for _, way in routes],
        "arrives": [way.arrives for _, way in routes],
        "laps": [orjson.dumps(dict(way.laps)).decode() for _, way in routes],
        "inner": [way.lap for _, way in routes],
        "templates": [state.template if isinstance(state, Send) else "" for state in sends],
        "vias": [",".join(state.via) if isinstance(state, Send) else "" for state in sends],
    }  # fmt: skip
    people = 0
    for ids in _batches(conn, after.journey, version_id):
        people += int(conn.execute(_MOVE, {**given, "ids": ids}).scalar_one())
    return people


# `trace.data` is what `engine.store.traces` writes; `finished` is what `outcome` queues for an enrollment that ends.
_END = text("""
WITH ended AS (
    UPDATE enrollment e SET state = 'ended', reason = :reason, step = NULL, due_at = NULL, ended_at = :now
    WHERE e.id = ANY(CAST(:ids AS bigint[])) AND e.state = 'active'
    RETURNING e.id, e.contact_id, e.journey, e.event
), gone AS (
    DELETE FROM signal s USING ended x WHERE s.enrollment_id = x.id AND s.kind = 'timer'
), heard AS (
    INSERT INTO signal (contact_id, kind, at, data)
    SELECT contact_id, 'finished', :now, jsonb_build_object('journey', journey, 'reason', :reason, 'properties', event)
    FROM ended WHERE :heard
), told AS (
    INSERT INTO trace (contact_id, enrollment_id, journey, at, data)
    SELECT contact_id, id, journey, :now, jsonb_build_object('signal', 'removed', 'lines', jsonb_build_array(
        jsonb_build_object('path', '', 'wanted', 'the journey', 'found', 'removed', 'result', 'exit: ' || :reason))) FROM ended
)
SELECT count(*) FROM ended
""").bindparams(bindparam("reason", type_=Text()), bindparam("heard", type_=Boolean()))


def end(conn: Connection, journey: str, reason: str, now: datetime, *, heard: bool) -> int:
    """Everybody under way leaves the journey under this reason. `heard`: another journey starts by that. Gives how many."""
    given = {"reason": reason, "now": now, "heard": heard}
    return sum(int(conn.execute(_END, {**given, "ids": ids}).scalar_one()) for ids in _batches(conn, journey, None))


def _batches(conn: Connection, journey: str, version_id: int | None) -> Iterator[list[int]]:
    """The people to move, streamed: there may be a million of them."""
    query = _UNDER_WAY.execution_options(yield_per=BATCH)
    for part in conn.execute(query, {"journey": journey, "version": version_id}).scalars().partitions():
        yield list(part)
