"""One person's way through one journey without a database: the test answers what `decide` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any

from engine.document import read_document
from engine.grammar import Reader
from engine.journey.decide import decide
from engine.journey.journey import read_journey
from engine.journey.machine import Machine, compile_journey
from engine.journey.values import (
    Answer,
    Effect,
    Enrollment,
    Event,
    Facts,
    PlanSend,
    Previous,
    Question,
    Signal,
    SignalKind,
    Undecided,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
NOT = Answer(False)


def machine_of(steps: str, head: str = "trigger: {event: signed_up}") -> Machine:
    """The machine of a journey with these steps; `head` holds the rest of the file."""
    indented = "".join(f"  {line}\n" for line in dedent(steps).strip().splitlines())
    source = f"journey: course\ntopic: tips\n{dedent(head).strip()}\nsteps:\n{indented}"
    node, problems = read_document(source.encode(), "journeys/course.yaml")
    assert node is not None, problems
    reader = Reader("journeys/course.yaml")
    journey = read_journey(node, reader, "course")
    assert journey is not None, reader.problems
    return compile_journey(journey)


@dataclass
class Passage:
    """`now` is the clock; `answers` are by path, and a question without one is answered with no. `asked` keeps them all."""

    machine: Machine
    zone: str = "Asia/Jakarta"
    now: datetime = NOON
    answers: dict[str, Answer] = field(default_factory=dict)
    enrollment: Enrollment | None = None
    effects: list[Effect] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    rounds: int = 0
    paused: bool = False

    def enters(self, **properties: Any) -> None:
        self.signal("event", event=Event(1, "signed_up", properties, self.now, self.now))

    def later(self, **span: float) -> None:
        """Time passes; a timer that is due by then fires at its own instant."""
        until = self.now + timedelta(**span)
        while self.standing.due_at is not None and self.standing.due_at <= until:
            due = self.standing.due_at
            self.now = max(self.now, due)
            self.signal("timer", at=due, visit=self.standing.visit)
            if self.enrollment is not None and self.enrollment.due_at == due:
                break
        self.now = until

    def sent(self, state: str = "accepted") -> None:
        """The send that it stands on has ended."""
        self.signal("send", visit=self.standing.visit, data={"state": state})

    def moves_to(self, zone: str) -> None:
        move = {"from": self.zone, "to": zone, "at": self.now.isoformat()}
        self.zone = zone
        self.signal("profile", data={"changed": ["timezone"], "zones": [move]})

    def signal(
        self,
        kind: SignalKind,
        at: datetime | None = None,
        visit: int | None = None,
        event: Event | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        signal = Signal(kind, at or self.now, visit, event, data or {})
        while True:
            self.rounds += 1
            assert self.rounds < 10_000
            decision = self._decided(signal)
            if decision.enrollment is not None:
                self.enrollment = replace(decision.enrollment, id=7)
            self.effects += decision.effects
            self.results += [line.result for line in decision.trace]
            if not decision.again:
                return

    def _decided(self, signal: Signal) -> Any:
        facts = Facts(1, self.zone, {}, Previous(), self.paused)
        while True:
            outcome = decide(self.machine, self.enrollment, signal, facts, self.now)
            if not isinstance(outcome, Undecided):
                return outcome
            self.asked += outcome.questions
            known = {question.path: self.answers.get(question.path, NOT) for question in outcome.questions}
            facts = replace(facts, answers={**facts.answers, **known})

    @property
    def standing(self) -> Enrollment:
        assert self.enrollment is not None
        return self.enrollment

    @property
    def sends(self) -> list[tuple[str, int]]:
        """Step and round of every send that was planned."""
        return [(effect.step, effect.round) for effect in self.effects if isinstance(effect, PlanSend)]


def passage(steps: str, head: str = "trigger: {event: signed_up}", **more: Any) -> Passage:
    """Somebody who has just entered a journey of these steps."""
    person = Passage(machine_of(steps, head), **more)
    person.enters(departs="2026-03-10T08:00:00+07:00")
    return person
