"""Outcome: what the decisions of one claim add up to, kept in memory until it is written in one go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from engine.config.values import PRIORITY
from engine.journey.machine import Machine
from engine.journey.replay import Inputs, digest, written
from engine.journey.values import (
    Answer,
    Assign,
    Decision,
    Effect,
    EmitEvent,
    EndPrevious,
    Enrollment,
    Facts,
    PlanCall,
    PlanSend,
    Previous,
    Signal,
    StartJourney,
    UpdateContact,
)
from engine.run.acts import Act, Acts
from engine.run.texts import Texts
from engine.store import calls, enrollments, experiments, sends, signals, traces
from engine.store.calls import NewCall
from engine.store.enrollments import Standing
from engine.store.experiments import Assignment
from engine.store.sends import NewSend
from engine.store.signals import ClaimedContact, NewSignal
from engine.store.traces import NewTrace


def _priority(effect: PlanSend, machine: Machine) -> int:
    own = machine.delivery.priority if effect.priority is None else effect.priority
    return PRIORITY if own is None else own


@dataclass
class Item:
    """One decision to make: a signal for an enrollment, or for the door of a journey (`standing` None)."""

    contact: ClaimedContact
    journey: str
    version_id: int
    machine: Machine
    standing: Standing | None
    signal: Signal
    previous: Previous = field(default_factory=Previous)
    answers: dict[str, Answer] = field(default_factory=dict)
    facts: Facts | None = None  # the last that it was decided with


class Outcome:
    """Who stands where after what was decided so far, and what has to be written for it.

    `heard`: journeys whose end starts another one.
    """

    def __init__(
        self,
        conn: Connection,
        people: int,
        now: datetime,
        open_: dict[int, list[Standing]],
        texts: Texts,
        heard: Collection[str] = (),
    ) -> None:
        self._conn, self._people, self._now, self._heard = conn, people, now, heard
        self.open = open_
        self._before = {s.enrollment.id: s.enrollment for group in open_.values() for s in group}
        self._ids: Iterator[int] = iter(())
        self._new: dict[int, Standing] = {}
        self._changed: dict[int, Enrollment] = {}
        self.entered_here: dict[tuple[int, str, str], datetime] = {}
        self._fired: set[int] = set()
        self._sends: list[NewSend] = []
        self._calls: list[NewCall] = []
        self._acts = Acts(conn, texts, now)
        self._signals: list[NewSignal] = []
        self._assigned: list[Assignment] = []
        self._traces: list[NewTrace] = []

    @property
    def entered(self) -> int:
        return len(self._new)

    @property
    def planned(self) -> int:
        return len(self._sends)

    @property
    def told(self) -> Sequence[NewTrace]:
        """The traces of what was decided so far."""
        return self._traces

    def active(self, contact: int, journey: str, key: str) -> Enrollment | None:
        """The enrollment that is under way in this journey under this key."""
        for standing in self.open.get(contact, ()):
            inside = standing.enrollment
            if standing.journey == journey and inside.key == key and inside.state == "active":
                return inside
        return None

    def fired(self, enrollment_id: int) -> None:
        """The timer of this enrollment was taken from the queue."""
        self._fired.add(enrollment_id)

    def standing(self, contact: int, enrollment_id: int) -> Standing:
        """An enrollment as it stands after what was decided so far."""
        return next(each for each in self.open[contact] if each.enrollment.id == enrollment_id)

    def apply_now(self) -> None:
        """Carry out the noted effects that change facts, so that the next round of decisions sees them."""
        self._acts.carry_out()

    def zone(self, contact: ClaimedContact) -> str | None:
        """The contact's own time zone after what was carried out so far."""
        return self._acts.zone(contact.id, contact.timezone)

    def note(self, item: Item, decision: Decision) -> int | None:
        """Take in a decision: the enrollment as it is now, its effects, its trace. Gives the enrollment's id, if there is one."""
        for effect in decision.effects:
            if isinstance(effect, EndPrevious):  # first: it frees the key
                self._replace(item.contact.id, effect.enrollment)
        enrollment_id = item.standing.enrollment.id if item.standing is not None else None
        if decision.enrollment is not None and decision.changed:
            if item.standing is None:
                enrollment_id = self._enter(item, decision.enrollment)
            else:
                self._replace(item.contact.id, decision.enrollment)
        if decision.trace:
            self._traces.append(self._trace(item, enrollment_id, decision))
        if decision.effects and decision.enrollment is not None and enrollment_id is not None:
            for effect in decision.effects:
                self._take(item, enrollment_id, decision.enrollment, effect)
        return enrollment_id

    def _take(self, item: Item, enrollment_id: int, enrollment: Enrollment, effect: Effect) -> None:
        match effect:
            case PlanSend():
                self._plan(item, enrollment_id, effect)
            case Assign(experiment=experiment, variant=variant):
                who = item.contact.id
                self._assigned.append(Assignment(item.journey, experiment, who, variant, enrollment_id, item.signal.at))
            case UpdateContact() | EmitEvent():
                state, signal = item.machine.states[effect.step], item.signal
                self._acts.add(
                    Act(
                        item.contact.id, enrollment_id, item.journey, state.path, state.label(), signal.at, signal.kind,
                        enrollment.event, effect,
                    )
                )  # fmt: skip
            case PlanCall(step=step, round=round_, visit=visit, due_at=due_at):
                whose = (item.contact.id, item.journey, item.version_id)
                self._calls.append(NewCall(enrollment_id, step, round_, visit, *whose, self._now, due_at))
            case StartJourney(journey=journey, properties=properties, at=at):
                data = {"journey": journey, "properties": dict(properties), "from": item.journey}
                self._signals.append(NewSignal(item.contact.id, "start", at, data=data))
            case EndPrevious():
                pass  # `note` did it first
            case _:
                assert_never(effect)

    def _hear(self, journey: str, before: Enrollment | None, after: Enrollment) -> None:
        """Another journey may begin where this one has ended."""
        if after.state != "ended" or journey not in self._heard or (before is not None and before.state == "ended"):
            return
        data = {"journey": journey, "reason": after.reason, "properties": dict(after.event)}
        self._signals.append(NewSignal(after.contact_id, "finished", after.ended_at or self._now, data=data))

    def _trace(self, item: Item, enrollment_id: int | None, decision: Decision) -> NewTrace:
        assert item.facts is not None
        standing = item.standing.enrollment if item.standing is not None else None
        given = written(Inputs(self._now, item.signal, standing, item.facts))
        return NewTrace(
            item.contact.id,
            enrollment_id,
            item.journey,
            item.signal.at,
            item.signal.kind,
            decision.trace,
            item.version_id,
            given,
            digest(decision),
        )

    def _enter(self, item: Item, newcomer: Enrollment) -> int:
        new_id = next(self._ids, None)
        if new_id is None:
            self._ids = iter(enrollments.reserve_ids(self._conn, self._people))
            new_id = next(self._ids)
        standing = Standing(item.journey, item.version_id, newcomer.but(id=new_id))
        self.open.setdefault(item.contact.id, []).append(standing)
        self._new[new_id] = standing
        self.entered_here[item.contact.id, item.journey, newcomer.key] = newcomer.entered_at
        self._hear(item.journey, None, newcomer)
        return new_id

    def _replace(self, contact: int, changed: Enrollment) -> None:
        assert changed.id is not None
        group = self.open[contact]
        place = [standing.enrollment.id for standing in group].index(changed.id)
        journey, version_id, before = group[place]
        self._hear(journey, before, changed)
        group[place] = Standing(journey, version_id, changed)
        if changed.id in self._new:
            self._new[changed.id] = group[place]
        else:
            self._changed[changed.id] = changed

    def _plan(self, item: Item, enrollment_id: int, effect: PlanSend) -> None:
        self._sends.append(
            NewSend(
                enrollment_id=enrollment_id,
                step=effect.step,
                round=effect.round,
                visit=effect.visit,
                contact_id=item.contact.id,
                journey=item.journey,
                version_id=item.version_id,
                kind=item.machine.kind,
                topic=item.machine.topic,
                template=effect.template,
                via=effect.via,
                priority=_priority(effect, item.machine),
                planned_at=self._now,
                due_at=effect.due_at,
                expires_at=effect.expires_at,
            )
        )

    def save(self) -> None:
        """Write everything that was decided."""
        conn = self._conn
        enrollments.save(conn, self._changed.values(), self._before)  # first, so that a restarted one frees its key
        enrollments.add(conn, self._new.values())
        stale = [e.id for e in self._changed.values() if e.id is not None and self._timer_is_stale(e)]
        signals.drop_timers(conn, stale)
        profiles = self._acts.save()
        signals.put(conn, [*self._timers(), *self._signals, *profiles])
        sends.plan(conn, self._sends)
        if self._calls:
            calls.plan(conn, self._calls)
        experiments.assign(conn, self._assigned)
        traces.write(conn, self._traces)

    def _timer_is_stale(self, after: Enrollment) -> bool:
        before = self._before[after.id]
        if after.id in self._fired:
            return False
        return before.due_at is not None and (before.visit, before.due_at) != (after.visit, after.due_at)

    def _timers(self) -> Iterator[NewSignal]:
        for group in self.open.values():
            for standing in group:
                after = standing.enrollment
                before = self._before.get(after.id)
                unmoved = before is not None and (before.visit, before.due_at) == (after.visit, after.due_at)
                if after.due_at is not None and after.state == "active" and not unmoved:
                    yield NewSignal(after.contact_id, "timer", after.due_at, after.id, standing.journey, after.visit)
