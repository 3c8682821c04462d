"""One scenario played in different ways on the same stage, and what came of it in words that don't hang on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, text

from engine import catalog
from engine.app import App, Rehearsal
from engine.catalog import Definitions
from engine.journey.decide import decide
from engine.journey.replay import Inputs
from engine.journey.values import Decision, EmitEvent, PlanCall, PlanSend, UpdateContact
from engine.run import occurrences, schedule
from engine.run.advance import advance
from engine.run.apply import apply
from engine.run.call import call
from engine.run.drain import Drain, SendRun
from engine.run.given import Given
from engine.run.hold import resume, stop
from engine.run.incoming import Incoming
from engine.run.ingest import ingest
from engine.run.refresh import refresh
from engine.run.rehearse import Cue, rehearse
from engine.run.replay import replay
from engine.run.simulate import Span, simulate
from engine.store import contacts
from engine.store.agenda import read_agenda
from engine.store.holds import Hold
from tests.integration.language.random_journeys import SEGMENTS
from tests.integration.language.random_lives import HALF_DAY, Saying, Scenario

CONFIG = """
    organisation: {name: Toko Alur, postal_address: "Jl. Kopi 1, Jakarta", timezone: Asia/Makassar, locale: id, country: ID}
    channels: {sms: {adapter: console}, whatsapp: {adapter: console}}
    topics: [offers]
    contacts: {fields: {points: number, mood: text, tier: text, born: date, renews: date}}
    events:
      viewed: {properties: {n: number, id: text, when: datetime}}
      carted: {properties: {n: number, id: text, when: datetime}}
      ordered: {properties: {n: number, id: text, when: datetime}}
      praised: {properties: {n: number, id: text, when: datetime}}
      visited: {}
"""
FIRST_PERSON = 1001
Way = Callable[[Rehearsal, Scenario, Definitions], None]


def found_workspace(root: Path) -> Path:
    """A workspace without journeys."""
    for folder in ("journeys", "segments", "templates/sms"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "config.yaml").write_text(dedent(CONFIG))
    (root / "templates/sms/hello.txt").write_text("Halo.\n")
    for name, segment in SEGMENTS.items():
        (root / f"segments/{name}.yaml").write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in segment.items()))
    return root


def definitions_of(root: Path, scenario: Scenario) -> Definitions:
    """The workspace with these journeys, checked as `alur validate` does."""
    for old in (root / "journeys").iterdir():
        old.unlink()
    for name, source in scenario.journeys.items():
        (root / f"journeys/{name}.yaml").write_text(source)
    found = catalog.load(root)
    assert not found.problems, [problem.message for problem in found.problems]
    return found.definitions


# --- ways to play -----------------------------------------------------------------------------------------------------


def from_instant_to_instant(stage: Rehearsal, scenario: Scenario, definitions: Definitions) -> None:
    """As `alur test` plays, and the live engine as far as it keeps up."""
    app = stage.app
    _begin(stage, scenario, definitions)
    with _send_run(app) as run:
        cues = [Cue(said.arrives, partial(_take, app, said)) for said in _coming(scenario)]
        rehearse(app, stage.clock, run, cues, scenario.until)


def with_pauses(stage: Rehearsal, scenario: Scenario, definitions: Definitions) -> None:
    """From instant to instant, while every journey is paused for a day and a half, one after the other."""
    app = stage.app
    _begin(stage, scenario, definitions)
    cues = [Cue(said.arrives, partial(_take, app, said)) for said in _coming(scenario)]
    for number, name in enumerate(sorted(scenario.journeys)):
        at = scenario.start + timedelta(days=1, hours=20 * number)
        cues.append(Cue(at, partial(_pause, app, name)))
        cues.append(Cue(at + timedelta(hours=36), partial(_go_on, app, name)))
    with _send_run(app) as run:
        rehearse(app, stage.clock, run, sorted(cues, key=lambda cue: cue.at), scenario.until)


def _pause(app: App, journey: str) -> None:
    with app.engine.begin() as conn:
        stop(conn, Hold("journey", journey, "a test", "test", app.clock()))


def _go_on(app: App, journey: str) -> None:
    with app.engine.begin() as conn:
        assert resume(conn, "journey", journey, app.clock())


def by_the_minute(stage: Rehearsal, scenario: Scenario, definitions: Definitions) -> None:
    """As `alur simulate` plays."""
    with stage.app.engine.begin() as conn:
        contacts.number_from(conn, FIRST_PERSON)
    given = [
        Given(each.happened, each.arrives, each.payload["userId"], Incoming(dict(each.payload), "shop"))
        for each in scenario.said
    ]
    simulate(stage.app, stage.clock, definitions, given, Span(scenario.start, scenario.until, HALF_DAY))


def in_small_claims(stage: Rehearsal, scenario: Scenario, definitions: Definitions) -> None:
    """Person by person, each duty of the heartbeat on its own, as workers that are slow or many."""
    app = stage.app
    _begin(stage, scenario, definitions)
    coming = list(_coming(scenario))
    with _send_run(app) as run:
        while True:
            while coming and coming[0].arrives <= stage.clock():
                _take(app, coming.pop(0))
            at_half = (stage.clock() - scenario.start) % HALF_DAY == timedelta()
            following = _duties(app, run, refreshing=at_half)
            halves = (stage.clock() - scenario.start) // HALF_DAY + 1
            ahead = [coming[0].arrives] if coming else []
            ahead += [following] if following is not None else []
            instant = min([*ahead, scenario.start + halves * HALF_DAY])
            if instant > scenario.until:
                return
            stage.clock.move_to(instant)


def _duties(app: App, run: SendRun, *, refreshing: bool) -> Any:
    """All that is due; gives when the next thing is."""
    now = app.clock()
    if refreshing:
        refresh(app.engine, app.config.declared, app.zone, now)
    while True:
        done = occurrences.fire(app.engine, app.machines, app.zone, now)
        done += schedule.fire(app.engine, app.machines, app.zone, now, most=1)
        while advanced := advance(app.engine, app.machines, app.zone, now, most=1).contacts:
            done += advanced
        with app.engine.begin() as conn:
            agenda = read_agenda(conn, now)
        done += run.drain_now().total if agenda.sends else 0
        done += call(app.calls) if agenda.calls else 0
        if not done:
            with app.engine.begin() as conn:
                return read_agenda(conn, now).next  # what was held has got another time


def _begin(stage: Rehearsal, scenario: Scenario, definitions: Definitions) -> None:
    app = stage.app
    with app.engine.begin() as conn:
        contacts.number_from(conn, FIRST_PERSON)
    for said in scenario.said:
        if said.arrives < scenario.start:
            _take(app, said, starts=False)
    while advance(app.engine, app.machines, app.zone, app.clock()).contacts:
        pass
    apply(app.engine, definitions, app.zone, app.clock(), by="test")


def _coming(scenario: Scenario) -> Iterator[Saying]:
    return (said for said in scenario.said if said.arrives >= scenario.start)


def _take(app: App, said: Saying, *, starts: bool = True) -> None:
    result = ingest(app.engine, app.config, [Incoming(dict(said.payload), "shop", starts=starts)], app.clock())
    assert result.dead == 0


@contextmanager
def _send_run(app: App) -> Iterator[SendRun]:
    with app.post() as post:
        drain = Drain(post, 1)
        try:
            with drain.opened() as run:
                yield run
        finally:
            drain.close()


# --- the theatre ------------------------------------------------------------------------------------------------------


@dataclass
class Theatre:
    """A stage on which one scenario after the other is played."""

    root: Path
    stage: Rehearsal

    def plays(self, scenario: Scenario, *ways: Way) -> list[Played]:
        """What came of it in each way; fails for whatever must never be."""
        definitions = definitions_of(self.root, scenario)
        return [self._plays(scenario, definitions, way) for way in ways]

    def _plays(self, scenario: Scenario, definitions: Definitions, way: Way) -> Played:
        self.stage = self.stage.anew(scenario.start)
        way(self.stage, scenario, definitions)
        played = outcome(self.stage)
        assert not played.faults, (way.__name__, played.faults)
        return replace(played, faults=[])


# --- what came of it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """What came of a scenario; `sends`, `passages`, `events` and `people` are the same whichever way it was played."""

    sends: list[Row[Any]]
    passages: list[Row[Any]]
    events: list[Row[Any]]
    people: list[Row[Any]]
    faults: list[str] = field(default_factory=list)


_SENDS = """
SELECT c.user_id, s.journey, e.key, e.entered_at, s.step, s.round, s.state, s.reason, s.channel, s.due_at, s.intent_at, s.ended_at
FROM send s JOIN enrollment e ON e.id = s.enrollment_id JOIN contact c ON c.id = s.contact_id ORDER BY 1, 2, 3, 4, 5, 6
"""
_PASSAGES = """
SELECT c.user_id, e.journey, e.key, e.entered_at, e.enrolled_at, e.state, e.reason, e.step, e.visit, e.round, e.arrived_at, e.due_at, e.ended_at,
    e.goal_at, e.goal_value, e.variants::text, e.matched::text
FROM enrollment e JOIN contact c ON c.id = e.contact_id ORDER BY 1, 2, 3, 4, 5, 8
"""
_EVENTS = """
SELECT c.user_id, e.name, e.occurred_at, e.properties::text FROM event e JOIN contact c ON c.id = e.contact_id
ORDER BY 1, 2, 3, 4
"""
_PEOPLE = """
SELECT user_id, timezone, traits::text, (SELECT array_agg(t.journey || t.experiment || t.variant ORDER BY 1) FROM assignment t WHERE t.contact_id = c.id)
FROM contact c ORDER BY 1
"""


def outcome(stage: Rehearsal) -> Played:
    """What the database holds at the end of a play, and everything about it that must never be."""
    with stage.app.engine.connect() as conn:
        sends, passages, events, people = (
            list(conn.execute(text(query))) for query in (_SENDS, _PASSAGES, _EVENTS, _PEOPLE)
        )
        faults = [*_left_over(conn, stage), *_stranded(conn), *_twice(conn, stage), *_not_again(conn, stage)]
    return Played(sends, passages, events, people, faults)


def _left_over(conn: Connection, stage: Rehearsal) -> Iterator[str]:
    """What was due and did not happen, and what could not be decided."""
    for row in conn.execute(text("SELECT reason FROM dead_letter")):
        yield f"dead letter: {row.reason}"
    for row in conn.execute(text("SELECT kind, at FROM signal WHERE at <= :now"), {"now": stage.clock()}):
        yield f"still due: {row.kind} of {row.at}"


# Whoever stands in a send or webhook waits for the end of exactly that; whoever stands elsewhere for the timer of this visit.
_STRANDED = """
SELECT e.journey, e.step, e.visit, e.due_at, e.contact_id FROM enrollment e WHERE e.state = 'active' AND
    (SELECT count(*) FROM signal s WHERE s.enrollment_id = e.id AND s.kind = 'timer' AND s.visit = e.visit AND s.at = e.due_at)
    + (SELECT count(*) FROM send s WHERE s.enrollment_id = e.id AND s.visit = e.visit AND s.state IN ('planned', 'sending'))
    + (SELECT count(*) FROM call c WHERE c.enrollment_id = e.id AND c.visit = e.visit AND c.state IN ('planned', 'calling'))
    <> 1
"""
_STRAY = """
SELECT s.kind, s.at FROM signal s LEFT JOIN enrollment e ON e.id = s.enrollment_id
WHERE s.enrollment_id IS NOT NULL AND (e.state IS DISTINCT FROM 'active' OR (s.kind = 'timer' AND s.visit <> e.visit))
"""


def _stranded(conn: Connection) -> Iterator[str]:
    for row in conn.execute(text(_STRANDED)):
        yield f"waits for nothing, or for two things: {tuple(row)}"
    for row in conn.execute(text(_STRAY)):
        yield f"a signal for somebody who does not wait for it: {tuple(row)}"


_DECIDED = "SELECT enrollment_id, version_id, inputs FROM trace WHERE inputs IS NOT NULL AND enrollment_id IS NOT NULL ORDER BY id"


def _twice(conn: Connection, stage: Rehearsal) -> Iterator[str]:
    """What steps did, told by the decisions made again: each effect once per round, and each planned send is a row."""
    done: Counter[tuple[Any, ...]] = Counter()
    visits: dict[int, int] = {}
    for row in conn.execute(text(_DECIDED)):
        given = _INPUTS.validate_json(row.inputs)
        machine = stage.app.machines.version(conn, row.version_id)
        decision = decide(machine, given.enrollment, given.signal, given.facts, given.now)
        if not isinstance(decision, Decision) or decision.enrollment is None:
            continue
        if decision.enrollment.visit < visits.get(row.enrollment_id, 0):
            yield f"went back to an earlier visit: {machine.journey}"
        visits[row.enrollment_id] = decision.enrollment.visit
        for effect in decision.effects:
            if isinstance(effect, PlanSend | PlanCall | UpdateContact | EmitEvent):
                done[row.enrollment_id, type(effect), effect.step, effect.round] += 1
    yield from (f"done {times} times: {what}" for what, times in done.items() if times > 1)
    for table, kind in (("send", PlanSend), ("call", PlanCall)):
        keys = {tuple(row) for row in conn.execute(text(f"SELECT enrollment_id, step, round FROM {table}"))}
        decided = {(who, step, number) for who, what, step, number in done if what is kind}
        yield from (f"{table} {key} is decided or there, not both" for key in keys ^ decided)


_INPUTS = TypeAdapter(Inputs)


def _not_again(conn: Connection, stage: Rehearsal) -> Iterator[str]:
    for person in conn.scalars(text("SELECT id FROM contact")):
        for decision in replay(conn, stage.app.machines, person):
            if decision.result != "same":
                yield f"replay of {decision.signal} in {decision.journey}: {decision.result} {decision.detail}"
