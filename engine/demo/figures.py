"""What the season came to, in numbers that are the same in every run; only reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from engine.journey.machine import Machine
from engine.run.machines import Machines

# Revenue after mail: orders that reached a goal after a message of the same passage had been accepted.
_PASSAGES = text("""
SELECT e.journey, count(*) AS entered, count(e.goal_at) AS converted,
    coalesce(sum(e.goal_value) FILTER (WHERE mailed.id IS NOT NULL), 0) AS revenue
FROM enrollment e LEFT JOIN LATERAL (
    SELECT s.id FROM send s WHERE s.enrollment_id = e.id AND s.state = 'accepted' AND s.ended_at < e.goal_at LIMIT 1
) AS mailed ON true
GROUP BY e.journey ORDER BY e.journey
""")
_ORDERS = text("""
SELECT coalesce(sum(value), 0) FROM (
    SELECT DISTINCT ON (e.goal_event_id) e.goal_value AS value FROM enrollment e
    WHERE EXISTS (SELECT 1 FROM send s WHERE s.enrollment_id = e.id AND s.state = 'accepted' AND s.ended_at < e.goal_at)
) AS orders
""")
_SENDS = text(
    "SELECT journey, state, reason, channel, count(*) AS sends FROM send GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
)
_LANGUAGES = text("""
SELECT coalesce(c.locale, '') AS locale, count(*) AS sends FROM send s JOIN contact c ON c.id = s.contact_id
WHERE s.state = 'accepted' GROUP BY 1 ORDER BY 2 DESC, 1
""")
_STANDING = text(
    "SELECT journey, step, count(*) AS people FROM enrollment WHERE state = 'active' GROUP BY 1, 2 ORDER BY 1, 2"
)
_ENDED = text(
    "SELECT journey, reason, count(*) AS people FROM enrollment WHERE state = 'ended' GROUP BY 1, 2 ORDER BY 1, 2"
)
_BY_RUN = text("""
SELECT r.id AS run, s.journey, count(*) AS sends FROM send_run r JOIN send s ON s.run_id = r.id AND s.state = 'accepted'
GROUP BY 1, 2 ORDER BY 1, 2
""")
_TOTALS = text("""
SELECT (SELECT count(*) FROM contact) AS people, (SELECT count(*) FROM event) AS events,
    (SELECT count(*) FROM event WHERE starts) AS events_of_the_season, (SELECT count(*) FROM dead_letter) AS dead_letters,
    (SELECT count(*) FROM trace) AS decisions, (SELECT count(*) FROM send_run) AS send_runs
""")


@dataclass(frozen=True)
class JourneyFigures:
    """One journey's season. `accepted` by channel, `withheld` and `other` (failed, unknown, ..) by reason.

    `standing`: who is under way, by step; `ended`: who is not any more, by reason; `revenue`: in the shop's currency.
    """

    journey: str
    entered: int
    converted: int
    revenue: float
    accepted: Mapping[str, int]
    withheld: Mapping[str, int]
    other: Mapping[str, int]
    standing: Mapping[str, int]
    ended: Mapping[str, int]

    @property
    def sent(self) -> int:
        return sum(self.accepted.values())


@dataclass(frozen=True)
class Figures:
    """The whole season. `revenue` counts an order once, however many journeys had led to it; `by_run`: what each send run
    sent, by journey; `languages`: what was sent, by the language of the person.
    """

    journeys: Sequence[JourneyFigures]
    revenue: float
    languages: Mapping[str, int]
    totals: Mapping[str, int]
    by_run: Sequence[Mapping[str, int]]

    @property
    def sent(self) -> int:
        return sum(journey.sent for journey in self.journeys)

    @property
    def mails(self) -> int:
        return sum(journey.accepted.get("email", 0) for journey in self.journeys)

    @property
    def withheld(self) -> Counter[str]:
        return sum((Counter(journey.withheld) for journey in self.journeys), Counter())

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        journeys = [
            {
                "journey": j.journey,
                "entered": j.entered,
                "sent": dict(j.accepted),
                "withheld": dict(j.withheld),
                "other": dict(j.other),
                "converted": j.converted,
                "revenue_after_mail": round(j.revenue, 2),
                "standing": dict(j.standing),
                "ended": dict(j.ended),
            }
            for j in self.journeys
        ]
        by_run = [dict(run) for run in self.by_run]
        return {
            "journeys": journeys,
            "revenue_after_mail": round(self.revenue, 2),
            **self.totals,
            "sent_by_run": by_run,
        }


def read_figures(conn: Connection) -> Figures:
    """Count everything."""
    accepted: dict[str, Counter[str]] = {}
    withheld: dict[str, Counter[str]] = {}
    other: dict[str, Counter[str]] = {}
    for row in conn.execute(_SENDS):
        match row.state:
            case "accepted":
                kind, word = accepted, row.channel
            case "withheld":
                kind, word = withheld, row.reason
            case _:
                kind, word = other, f"{row.state}: {row.reason}" if row.reason else row.state
        kind.setdefault(row.journey, Counter())[word] += row.sends
    standing, ended = _people(conn, _STANDING), _people(conn, _ENDED)
    journeys = [
        JourneyFigures(
            row.journey, row.entered, row.converted, float(row.revenue),
            *(kind.get(row.journey, {}) for kind in (accepted, withheld, other, standing, ended)),
        )
        for row in conn.execute(_PASSAGES)
    ]  # fmt: skip
    by_run: dict[int, dict[str, int]] = {}
    for row in conn.execute(_BY_RUN):
        by_run.setdefault(row.run, {})[row.journey] = row.sends
    totals = dict(conn.execute(_TOTALS).one()._mapping)
    runs = [by_run.get(number, {}) for number in range(1, totals["send_runs"] + 1)]
    languages = {row.locale: row.sends for row in conn.execute(_LANGUAGES)}
    return Figures(journeys, float(conn.execute(_ORDERS).scalar_one()), languages, totals, runs)


def _people(conn: Connection, query: Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for journey, word, people in conn.execute(query):
        found.setdefault(journey, {})[word] = people
    return found


# --- promise P2 -------------------------------------------------------------------------------------------------------

SendKey = tuple[int, str, int]  # enrollment, step, round

_DECIDED = text("""
SELECT t.enrollment_id, e.version_id, line->>'path' AS path
FROM trace t JOIN enrollment e ON e.id = t.enrollment_id, jsonb_array_elements(t.data->'lines') AS line
WHERE line->>'result' LIKE '% is due'
""")
_KEYS = text("SELECT enrollment_id, step, round, state FROM send")


@dataclass(frozen=True)
class Balance:
    """The sends that decisions have asked for, and those on record, compared key by key (promise P2)."""

    decided: int
    by_state: Mapping[str, int]
    missing: frozenset[SendKey]
    unasked: frozenset[SendKey]

    @property
    def holds(self) -> bool:
        return not self.missing and not self.unasked and self.decided == sum(self.by_state.values())


def read_balance(conn: Connection, machines: Machines) -> Balance:
    """Read every trace and every send."""
    asked: Counter[SendKey] = Counter()
    for row in conn.execute(_DECIDED):
        step = _send_at(machines.version(conn, row.version_id), row.path)
        if step is not None:
            asked[row.enrollment_id, step, 1] += 1
    rows = conn.execute(_KEYS).all()
    kept = {(row.enrollment_id, row.step, row.round) for row in rows}
    states = Counter(row.state for row in rows)
    return Balance(asked.total(), states, frozenset(asked.keys() - kept), frozenset(kept - asked.keys()))


def _send_at(machine: Machine, path: str) -> str | None:
    """The step that stands at a path of the file, if it is a send."""
    return next((s.id for s in machine.states.values() if s.path == path and s.verb == "send"), None)
