"""`decide`: what follows from a signal. Pure: no input or output, no clock, no randomness; the same arguments give the same decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, assert_never

from engine.document import Plain
from engine.journey.entry import KNOCKS, entry_key, entry_questions, newcomer, refusal, trigger_found, triggered_by
from engine.journey.machine import Machine
from engine.journey.relocate import relocated
from engine.journey.steps.base import Ask, End, Go, Ignore, Stay, Visit
from engine.journey.steps.wait_for import WaitForState
from engine.journey.values import (
    Decision,
    Effect,
    EndPrevious,
    Enrollment,
    Facts,
    Happened,
    Holds,
    Left,
    Question,
    Signal,
    TraceLine,
    Undecided,
    UpdateContact,
)


def decide(
    machine: Machine, enrollment: Enrollment | None, signal: Signal, facts: Facts, now: datetime
) -> Decision | Undecided:
    """What the signal means for this enrollment, or, when there is none (`enrollment` is None), whether the contact enters.

    Returns the new enrollment, the effects to carry out and the trace of what was looked at; or the questions whose
    answers are missing in `facts`: ask them all and call again with the same arguments. A decision that says `again` is
    only the first part: see there.
    """
    course = _Course(machine, signal, facts, now)
    if enrollment is None:
        return course.enter()
    return course.go_on(enrollment)


def concerns(machine: Machine, enrollment: Enrollment, signal: Signal) -> bool:
    """False when the signal surely changes nothing, so that no facts need be fetched."""
    if enrollment.arriving:
        return True
    if signal.kind in KNOCKS:
        return False
    if signal.kind in ("timer", "send", "call", "moved"):
        return enrollment.state == "active" and signal.visit == enrollment.visit and not _outdated(enrollment, signal)
    if signal.kind == "event" and signal.event is not None:
        name = signal.event.name
        if _goal_is_open(machine, enrollment, signal):
            return True
        return enrollment.state == "active" and (
            name in machine.listens_to() or _looks_beyond_events(machine, enrollment, name)
        )
    return enrollment.state == "active"


def _property(properties: Any, path: tuple[str, ...]) -> Plain:
    for part in path:
        if isinstance(properties, dict):
            properties = properties.get(part)
        elif isinstance(properties, list) and part.isdigit() and int(part) < len(properties):
            properties = properties[int(part)]
        else:
            return None
    return properties  # type: ignore[no-any-return]


def _goal_is_open(machine: Machine, enrollment: Enrollment, signal: Signal) -> bool:
    goal, until, event = machine.goal, enrollment.goal_until, signal.event
    if goal is None or until is None or event is None or enrollment.goal_at is not None:
        return False
    return event.name == goal.match.name and enrollment.entered_at <= event.occurred_at <= until


def _outdated(enrollment: Enrollment, signal: Signal) -> bool:
    """True for a timer whose wait was moved while it was due already (the zone changed), so that another one is set."""
    return signal.kind == "timer" and enrollment.due_at is not None and signal.at != enrollment.due_at


def _looks_beyond_events(machine: Machine, enrollment: Enrollment, name: str) -> bool:
    if any(rule.when is not None or rule.leaves is not None for rule in machine.exits):
        return True
    state = machine.states.get(enrollment.step or "")
    if not isinstance(state, WaitForState):
        return False
    return state.awaited.match is None or state.awaited.match.name == name


class _Course(NamedTuple):
    """One decision in the making."""

    machine: Machine
    signal: Signal
    facts: Facts
    now: datetime

    # --- entry ---

    def enter(self) -> Decision | Undecided:
        if not triggered_by(self.machine, self.signal):
            return Decision(None)
        questions = entry_questions(self.machine, self.signal)
        if any(question.path not in self.facts.answers for question in questions):
            return Undecided(questions)
        refused = refusal(self.machine, self.signal, self.facts)
        if refused is not None:
            return Decision(None, trace=refused)
        key = entry_key(self.machine, self.signal, self.facts.zone)
        assert key is not None  # `refusal` has seen to it
        arrived = newcomer(self.machine, self.signal, self.facts, key, self.now)
        before: tuple[Effect, ...] = ()
        if self.facts.previous.active is not None:
            before = (EndPrevious(self._end(self.facts.previous.active, "restarted")),)
        result = "held_out" if arrived.state == "held_out" else "entered"
        line = TraceLine("trigger", self.machine.trigger.label(), trigger_found(self.signal), result)
        return self._onward(arrived, effects=before, trace=(line,))

    # --- under way ---

    def go_on(self, enrollment: Enrollment) -> Decision | Undecided:
        if not concerns(self.machine, enrollment, self.signal):
            return Decision(enrollment, changed=False)
        if self.signal.kind == "moved" and not enrollment.arriving:
            return self._moved(enrollment)
        here = relocated(self.machine, enrollment, self.signal)
        decision = self._onward(here)
        if isinstance(decision, Undecided) or decision.changed or here is enrollment:
            return decision
        return Decision(decision.enrollment, decision.effects, decision.trace, changed=True)

    def _moved(self, enrollment: Enrollment) -> Decision | Undecided:
        """It has come over from an older version: to the same step, or by the map to another one, which it has yet to begin."""
        found = {"from": self.signal.data.get("from"), "to": self.signal.data.get("to")}
        line = TraceLine("in_flight", "migrate", found, "moved")
        return self._onward(enrollment.but(arriving=bool(self.signal.data.get("arrives"))), trace=(line,))

    def _onward(
        self, enrollment: Enrollment, effects: tuple[Effect, ...] = (), trace: tuple[TraceLine, ...] = ()
    ) -> Decision | Undecided:
        questions = self._standing_questions(enrollment)
        if any(question.path not in self.facts.answers for question in questions):
            return Undecided(questions, enrollment)
        after_goal, goal_trace = self._with_goal(enrollment)
        trace += goal_trace
        if after_goal.state != "active":
            return Decision(after_goal, effects, trace, changed=enrollment.id is None or after_goal != enrollment)
        for rule in self.machine.exits:
            answer = self.facts.answers[rule.path]
            if answer.holds:
                line = TraceLine(rule.path, rule.label(), answer.found, f"exit: {rule.reason}")
                return Decision(self._end(after_goal, rule.reason), effects, (*trace, line))
        return self._set_out(enrollment, after_goal, effects, trace)

    def _standing_questions(self, enrollment: Enrollment) -> tuple[Question, ...]:
        """Exit rules before every step, and the goal while its window is open."""
        questions: list[Question] = []
        goal, until = self.machine.goal, enrollment.goal_until
        entering = enrollment.id is None or (enrollment.step is None and enrollment.state == "active")
        entering = entering or self.signal.kind == "moved"  # the new version may have another goal
        if (
            goal is not None
            and until is not None
            and (entering or _goal_is_open(self.machine, enrollment, self.signal))
        ):
            questions.append(Happened("goal", goal.match, enrollment.entered_at, min(until, self.now)))
        if enrollment.state == "active":
            questions.extend(exit_questions(self.machine, enrollment, self.now))
        return tuple(questions)

    def _with_goal(self, enrollment: Enrollment) -> tuple[Enrollment, tuple[TraceLine, ...]]:
        goal, answer = self.machine.goal, self.facts.answers.get("goal")
        if goal is None or enrollment.goal_at is not None or answer is None or not answer.holds:
            return enrollment, ()
        worth = _property(answer.found["properties"], goal.value) if goal.value is not None else None
        number = float(worth) if isinstance(worth, int | float) and not isinstance(worth, bool) else None
        reached = enrollment.but(
            goal_until=None,
            goal_at=datetime.fromisoformat(answer.found["occurred_at"]),
            goal_event_id=int(answer.found["id"]),
            goal_value=number,
        )
        return reached, (TraceLine("goal", goal.label(), answer.found, "reached"),)

    def _set_out(
        self, before: Enrollment, enrollment: Enrollment, effects: tuple[Effect, ...], trace: tuple[TraceLine, ...]
    ) -> Decision | Undecided:
        """On from where it stands, or to the first step."""
        if enrollment.step is not None:
            here = enrollment.but(arriving=False) if enrollment.arriving else enrollment
            return self._walk(before, here, effects, trace, arriving=enrollment.arriving)
        if self.machine.start is None:
            return Decision(self._end(enrollment, "completed"), effects, trace)
        if self.facts.paused:
            return Decision(self._waits_for_resume(enrollment), effects, trace)
        return self._walk(before, self._arrive(enrollment, self.machine.start), effects, trace, arriving=True)

    def _walk(
        self,
        before: Enrollment,
        enrollment: Enrollment,
        effects: tuple[Effect, ...],
        trace: tuple[TraceLine, ...],
        *,
        arriving: bool,
    ) -> Decision | Undecided:
        """Move from state to state until one stays, ends, or asks."""
        while True:
            state = self.machine.states[enrollment.step or ""]
            move = state.move(Visit(enrollment, arriving, self.signal, self.signal.at, self.facts, self.now))
            match move:
                case Ask(questions=questions):
                    return Undecided(questions, enrollment)
                case Go() | End() if self.facts.paused:
                    return Decision(self._waits_for_resume(enrollment), effects, trace)
                case Ignore():
                    return Decision(enrollment, effects, trace, changed=enrollment != before)
                case Stay():
                    if move.note:
                        trace += (TraceLine(state.path, state.label(), None, move.note),)
                    if move.due_at != enrollment.due_at:
                        enrollment = enrollment.but(due_at=move.due_at)
                    return Decision(enrollment, effects + move.effects, trace)
                case End(reason=reason, found=found):
                    trace += (TraceLine(state.path, state.label(), found, f"exit: {reason}"),)
                    return Decision(self._end(enrollment, reason), effects, trace)
                case Go():
                    trace += (TraceLine(state.path, move.wanted, move.found, move.why),)
                    effects += move.effects
                    enrollment = _carried_over(enrollment, state.id, move)
                    if move.target is None:
                        return Decision(self._end(enrollment, "completed"), effects, trace)
                    enrollment, arriving = self._arrive(enrollment, move.target), True
                    if self._outdates_answers(move):
                        return Decision(enrollment.but(arriving=True), effects, trace, again=True)
                case _:
                    assert_never(move)

    def _waits_for_resume(self, enrollment: Enrollment) -> Enrollment:
        """Its timer, which a paused journey keeps back, is set to this moment: on resume it goes on as if decided now."""
        due = self.signal.at if enrollment.due_at is None else min(enrollment.due_at, self.signal.at)
        return enrollment.but(due_at=due)

    def _outdates_answers(self, move: Go) -> bool:
        """True when what was asked in this decision may have another answer after this move."""
        if move.again or any(isinstance(effect, UpdateContact) for effect in move.effects):
            return True
        asked_of_matched = self.machine.loops or any(rule.when is not None for rule in self.machine.exits)
        return move.matched is not None and bool(asked_of_matched)

    def _arrive(self, enrollment: Enrollment, step: str) -> Enrollment:
        lap = enrollment.loops.get(self.machine.loops.get(step, ""))
        return enrollment.but(
            step=step,
            visit=enrollment.visit + 1,
            round=lap.total if lap is not None else 1,
            arrived_at=self.signal.at,
            due_at=None,
        )

    def _end(self, enrollment: Enrollment, reason: str) -> Enrollment:
        return enrollment.but(
            state="ended", reason=reason, step=None, due_at=None, ended_at=self.signal.at, arriving=False
        )


def _carried_over(enrollment: Enrollment, step: str, move: Go) -> Enrollment:
    """The enrollment with what the step leaves behind for those that follow."""
    if move.matched is not None:
        enrollment = enrollment.but(matched=move.matched)
    if move.matched_id is not None:
        enrollment = enrollment.but(matched_ids=(*enrollment.matched_ids, move.matched_id))
    if move.lap is not None:
        enrollment = enrollment.but(loops={**enrollment.loops, step: move.lap})
    if move.variant is not None:
        experiment, variant = move.variant
        enrollment = enrollment.but(variants={**enrollment.variants, experiment: variant})
    return enrollment


def exit_questions(machine: Machine, enrollment: Enrollment, now: datetime) -> tuple[Question, ...]:
    """What tells whether an exit rule holds for this enrollment; asked before each step and again before each intent."""
    questions: list[Question] = []
    for rule in machine.exits:
        if rule.match is not None:
            questions.append(Happened(rule.path, rule.match, enrollment.entered_at, now))
        elif rule.leaves is not None:
            questions.append(Left(rule.path, rule.leaves, enrollment.entered_at))
        elif rule.when is not None:
            questions.append(Holds(rule.path, rule.when))
    return tuple(questions)
