"""Simulated: what a simulation came to, per journey, per step and per person; the same bytes for the same input; only reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, text

from engine.journey.machine import Machine
from engine.run.machines import Machines

_PASSAGES = text("""
SELECT journey, count(*) AS entered, count(*) FILTER (WHERE state = 'held_out') AS held_out, count(goal_at) AS converted,
    coalesce(sum(goal_value), 0) AS value
FROM enrollment GROUP BY 1 ORDER BY 1
""")
_STANDING = text("""
SELECT journey, step, count(*) AS people FROM enrollment WHERE state = 'active' AND step IS NOT NULL GROUP BY 1, 2
""")
_ENDED = text(
    "SELECT journey, reason, count(*) AS people FROM enrollment WHERE state = 'ended' GROUP BY 1, 2 ORDER BY 1, 2"
)
_SENDS = text("""
SELECT journey, step, state, coalesce(reason, '') AS reason, coalesce(channel, '') AS channel, count(*) AS sends
FROM send GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
""")
# Every visit of a step leaves a line under its path when the person goes on from it or leaves the journey there.
_PASSED = text("""
SELECT t.journey, line ->> 'path' AS path, count(*) AS people
FROM trace t CROSS JOIN LATERAL jsonb_array_elements(t.data -> 'lines') AS line
WHERE t.enrollment_id IS NOT NULL AND line ->> 'path' LIKE 'steps.%' AND line ->> 'result' NOT LIKE '% is due'
GROUP BY 1, 2
""")


@dataclass(frozen=True)
class StepTotals:
    """One step. `went_on`: how often somebody went on from it, `standing`: who is on it at the end; `sent` by channel,
    `unsent` by reason.
    """

    step: str
    label: str
    went_on: int
    standing: int
    sent: Mapping[str, int]
    unsent: Mapping[str, int]


@dataclass(frozen=True)
class JourneyTotals:
    """One journey. `ended` by reason; `value`: the sum of goal values."""

    journey: str
    entered: int
    held_out: int
    converted: int
    value: float
    ended: Mapping[str, int]
    steps: tuple[StepTotals, ...]

    @property
    def sent(self) -> int:
        return sum(sum(step.sent.values()) for step in self.steps)

    @property
    def unsent(self) -> int:
        return sum(sum(step.unsent.values()) for step in self.steps)

    @property
    def standing(self) -> Mapping[str, int]:
        """How many people are on each step at the end."""
        return {step.step: step.standing for step in self.steps}


@dataclass
class _Counts:
    went_on: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    standing: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sent: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    unsent: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))


def totals(conn: Connection, machines: Machines, names: Collection[str] = ()) -> list[JourneyTotals]:
    """The journeys of these names (none: all), each with its steps in the order of the file."""
    passages = {row.journey: row for row in conn.execute(_PASSAGES)}
    counts: dict[str, _Counts] = defaultdict(_Counts)
    for row in conn.execute(_STANDING):
        counts[row.journey].standing[row.step] += row.people
    for row in conn.execute(_PASSED):
        counts[row.journey].went_on[row.path] += row.people
    for row in conn.execute(_SENDS):
        of_step = counts[row.journey]
        if row.state == "accepted":
            of_step.sent[row.step][row.channel] = of_step.sent[row.step].get(row.channel, 0) + row.sends
        else:
            of_step.unsent[row.step][row.reason or row.state] = row.sends
    ended: dict[str, dict[str, int]] = defaultdict(dict)
    for row in conn.execute(_ENDED):
        ended[row.journey][row.reason] = row.people
    found = []
    for running in machines.applied(conn):
        name = running.live.name
        if names and name not in names:
            continue
        passage = passages.get(name)
        found.append(
            JourneyTotals(
                journey=name,
                entered=passage.entered if passage else 0,
                held_out=passage.held_out if passage else 0,
                converted=passage.converted if passage else 0,
                value=float(passage.value) if passage else 0.0,
                ended=ended[name],
                steps=tuple(_steps(running.machine, counts[name])),
            )
        )
    return found


def _steps(machine: Machine, counts: _Counts) -> Iterator[StepTotals]:
    for state in machine.states.values():
        yield StepTotals(
            step=state.id,
            label=state.label(),
            went_on=counts.went_on[state.path],
            standing=counts.standing[state.id],
            sent=counts.sent[state.id],
            unsent=counts.unsent[state.id],
        )


_PEOPLE = text("""
SELECT c.id, coalesce(c.user_id, c.email, c.phone, 'contact ' || c.id) AS name FROM contact c
WHERE EXISTS (SELECT 1 FROM enrollment e WHERE e.contact_id = c.id AND e.journey = ANY(CAST(:journeys AS text[])))
ORDER BY name, c.id
""")
_TIMELINE = text("""
SELECT contact_id, at, what, journey, key, detail FROM (
    SELECT contact_id, entered_at AS at, 0 AS rank, id AS place, CASE state WHEN 'held_out' THEN 'held_out' ELSE 'entered' END AS what,
        journey, key, jsonb_build_object() AS detail FROM enrollment
    UNION ALL
    SELECT contact_id, coalesce(intent_at, ended_at, due_at), 1, id, CASE state WHEN 'accepted' THEN 'sent' ELSE state END,
        journey, '', jsonb_strip_nulls(jsonb_build_object('step', step, 'template', template, 'channel', channel, 'reason', reason,
            'detail', CASE state WHEN 'failed' THEN detail END)) FROM send
    UNION ALL
    SELECT contact_id, goal_at, 2, id, 'goal', journey, key, jsonb_strip_nulls(jsonb_build_object('value', goal_value))
        FROM enrollment WHERE goal_at IS NOT NULL
    UNION ALL
    SELECT contact_id, ended_at, 3, id, 'ended', journey, key, jsonb_build_object('reason', reason) FROM enrollment WHERE ended_at IS NOT NULL
) AS t WHERE contact_id = ANY(CAST(:people AS bigint[])) AND journey = ANY(CAST(:journeys AS text[]))
ORDER BY contact_id, at, rank, place
""")
_TOGETHER = 2000


def timelines(conn: Connection, journeys: Collection[str]) -> Iterator[dict[str, Any]]:
    """Everybody who entered one of these journeys, by name: `{contact, timeline: [{at, what, journey, ..}]}`."""
    people = [(row.id, row.name) for row in conn.execute(_PEOPLE, {"journeys": list(journeys)})]
    for start in range(0, len(people), _TOGETHER):
        part = people[start : start + _TOGETHER]
        asked = {"people": [number for number, _ in part], "journeys": list(journeys)}
        rows = [dict(row._mapping) for row in conn.execute(_TIMELINE, asked)]
        lines = {number: list(of_one) for number, of_one in groupby(rows, itemgetter("contact_id"))}
        for number, name in part:
            yield {"contact": name, "timeline": [_line(row) for row in lines.get(number, ())]}


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    key = {"key": row["key"]} if row["key"] else {}
    return {"at": row["at"], "what": row["what"], "journey": row["journey"], **key, **row["detail"]}
