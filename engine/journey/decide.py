"""`decide`: what follows from a signal. Pure: no input or output, no clock, no randomness; the same arguments give the same decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from engine.audience.event_match import read_key
from engine.document import Plain
from engine.journey.machine import Machine
from engine.journey.steps.base import Ask, End, Go, Ignore, Stay, Visit
from engine.journey.steps.wait_for import WaitForState
from engine.journey.triggers import DateTrigger, EntersTrigger, EventTrigger
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
)


def decide(
    machine: Machine, enrollment: Enrollment | None, signal: Signal, facts: Facts, now: datetime
) -> Decision | Undecided:
    """What the signal means for this enrollment, or, when there is none (`enrollment` is None), whether the contact enters.

    Returns the new enrollment, the effects to carry out and the trace of what was looked at; or the questions whose
    answers are missing in `facts`: ask them all and call again with the same arguments.
    """
    course = _Course(machine, signal, facts, now)
    if enrollment is None:
        return course.enter()
    return course.go_on(enrollment)


def concerns(machine: Machine, enrollment: Enrollment, signal: Signal) -> bool:
    """False when the signal surely changes nothing, so that no facts need be fetched."""
    if signal.kind in ("timer", "send"):
        return enrollment.state == "active" and signal.visit == enrollment.visit and not _outdated(enrollment, signal)
    if signal.kind == "event" and signal.event is not None:
        name = signal.event.name
        if _goal_is_open(machine, enrollment, signal):
            return True
        return enrollment.state == "active" and (
            name in machine.listens_to() or _looks_beyond_events(machine, enrollment, name)
        )
    return enrollment.state == "active"


def triggered_by(machine: Machine, signal: Signal) -> bool:
    """True when this kind of signal may start the journey at all; the rest is for `decide` to say."""
    match machine.trigger:
        case EventTrigger(match=match):
            return signal.event is not None and signal.event.starts and signal.event.name == match.name
        case EntersTrigger(segment=segment):
            return (
                signal.kind == "segment" and signal.data.get("segment") == segment and bool(signal.data.get("entered"))
            )
        case DateTrigger():
            return signal.kind == "date" and signal.data.get("journey") == machine.journey
        case _:
            assert_never(machine.trigger)


def entry_key(machine: Machine, signal: Signal) -> str | None:
    """The key an entry by this signal would have: the trigger's `key` property as text, the occurrence of a date, else ''.

    None when the trigger wants a key that the event does not carry.
    """
    match machine.trigger:
        case EventTrigger(match=match) if match.key is not None and signal.event is not None:
            return read_key(match.key, signal.event.properties)
        case DateTrigger():
            return str(signal.data["date"])
        case _:
            return ""


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


@dataclass(frozen=True)
class _Course:
    """One decision in the making."""

    machine: Machine
    signal: Signal
    facts: Facts
    now: datetime

    # --- entry ---

    def enter(self) -> Decision | Undecided:
        if not triggered_by(self.machine, self.signal):
            return Decision(None)
        questions = self._entry_questions()
        if any(question.path not in self.facts.answers for question in questions):
            return Undecided(questions)
        refused = self._refusal()
        if refused is not None:
            return Decision(None, trace=refused)
        key = entry_key(self.machine, self.signal)
        assert key is not None  # _refusal has seen to it
        newcomer = self._newcomer(key)
        before: tuple[Effect, ...] = ()
        if self.facts.previous.active is not None:
            before = (EndPrevious(self._end(self.facts.previous.active, "restarted")),)
        line = TraceLine("trigger", self.machine.trigger.label(), self._trigger_found(), "entered")
        return self._onward(newcomer, effects=before, trace=(line,))

    def _entry_questions(self) -> tuple[Question, ...]:
        questions: list[Question] = []
        if isinstance(self.machine.trigger, EventTrigger) and self.machine.trigger.match.where is not None:
            questions.append(Holds("trigger.where", self.machine.trigger.match.where))
        if self.machine.entry.where is not None:
            questions.append(Holds("entry.where", self.machine.entry.where))
        return tuple(questions)

    def _refusal(self) -> tuple[TraceLine, ...] | None:
        """Why nobody enters: an empty trace when the trigger simply does not match, None when the door is open."""
        machine, entry, signal = self.machine, self.machine.entry, self.signal
        where = self.facts.answers.get("trigger.where")
        if where is not None and not where.holds:
            return ()
        event = signal.event
        if event is not None and isinstance(machine.trigger, EventTrigger):
            age = event.received_at - event.occurred_at
            if age > entry.max_age:
                return (TraceLine("entry.max_age", f"at most {entry.max_age} old", f"{age}", "too_old"),)
        if (entry.start is not None and signal.at < entry.start) or (entry.end is not None and signal.at >= entry.end):
            return (TraceLine("entry", "between start and end", signal.at.isoformat(), "out_of_season"),)
        rule = self.facts.answers.get("entry.where")
        if rule is not None and not rule.holds and entry.where is not None:
            return (TraceLine("entry.where", entry.where.label(), rule.found, "not_admitted"),)
        if entry_key(machine, signal) is None:
            return (TraceLine("trigger.key", "a key", None, "no_key"),)
        return self._too_soon()

    def _too_soon(self) -> tuple[TraceLine, ...] | None:
        entry, previous = self.machine.entry, self.facts.previous
        if previous.active is not None and entry.again == "ignore":
            since = previous.active.entered_at.isoformat()
            return (TraceLine("entry.again", "nobody under way with this key", since, "already_in"),)
        last = previous.last_entered_at
        if previous.active is not None or last is None:
            return None
        if entry.reentry.rule == "never":
            return (TraceLine("entry.reentry", "never", last.isoformat(), "no_reentry"),)
        if entry.reentry.rule == "after" and self._entered_at() < last + entry.reentry.after:
            return (
                TraceLine("entry.reentry", f"not before {entry.reentry.after} after", last.isoformat(), "no_reentry"),
            )
        return None

    def _entered_at(self) -> datetime:
        return self.signal.event.occurred_at if self.signal.event is not None else self.signal.at

    def _trigger_found(self) -> Any:
        return dict(self.signal.event.properties) if self.signal.event is not None else dict(self.signal.data)

    def _newcomer(self, key: str) -> Enrollment:
        event, goal, entered_at = self.signal.event, self.machine.goal, self._entered_at()
        return Enrollment(
            id=None,
            contact_id=self.facts.contact_id,
            key=key,
            state="active",
            step=None,
            visit=0,
            round=1,
            entered_at=entered_at,
            enrolled_at=self.now,
            arrived_at=self.signal.at,
            trigger_event_id=event.id if event is not None else None,
            event=event.properties if event is not None else {},
            goal_until=entered_at + goal.within.delta if goal is not None else None,
        )

    # --- under way ---

    def go_on(self, enrollment: Enrollment) -> Decision | Undecided:
        if not concerns(self.machine, enrollment, self.signal):
            return Decision(enrollment, changed=False)
        return self._onward(enrollment)

    def _onward(
        self, enrollment: Enrollment, effects: tuple[Effect, ...] = (), trace: tuple[TraceLine, ...] = ()
    ) -> Decision | Undecided:
        questions = self._standing_questions(enrollment)
        if any(question.path not in self.facts.answers for question in questions):
            return Undecided(questions, enrollment)
        after_goal, goal_trace = self._with_goal(enrollment)
        trace += goal_trace
        if after_goal.state != "active":
            return Decision(after_goal, effects, trace, changed=after_goal != enrollment)
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
        entering = enrollment.step is None and enrollment.state == "active"
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
        reached = replace(
            enrollment,
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
            return self._walk(before, enrollment, effects, trace, arriving=False)
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
                    return Decision(replace(enrollment, due_at=move.due_at), effects + move.effects, trace)
                case End(reason=reason):
                    trace += (TraceLine(state.path, state.label(), None, f"exit: {reason}"),)
                    return Decision(self._end(enrollment, reason), effects, trace)
                case Go():
                    trace += (TraceLine(state.path, move.wanted, move.found, move.why),)
                    if move.matched is not None:
                        enrollment = replace(enrollment, matched=move.matched)
                    if move.target is None:
                        return Decision(self._end(enrollment, "completed"), effects, trace)
                    enrollment, arriving = self._arrive(enrollment, move.target), True
                case _:
                    assert_never(move)

    def _waits_for_resume(self, enrollment: Enrollment) -> Enrollment:
        """Its timer, which a paused journey keeps back, is set to this moment: on resume it goes on as if decided now."""
        due = self.signal.at if enrollment.due_at is None else min(enrollment.due_at, self.signal.at)
        return replace(enrollment, due_at=due)

    def _arrive(self, enrollment: Enrollment, step: str) -> Enrollment:
        return replace(enrollment, step=step, visit=enrollment.visit + 1, arrived_at=self.signal.at, due_at=None)

    def _end(self, enrollment: Enrollment, reason: str) -> Enrollment:
        return replace(enrollment, state="ended", reason=reason, step=None, due_at=None, ended_at=self.signal.at)


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
