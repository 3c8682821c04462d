"""Outcome: what the decisions of one claim add up to, kept in memory until it is written in one go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from engine.journey.machine import Machine
from engine.journey.values import (
    Answer,
    Decision,
    EndPrevious,
    Enrollment,
    PlanSend,
    Previous,
    Signal,
)
from engine.store import enrollments, sends, signals, traces
from engine.store.enrollments import Standing
from engine.store.sends import NewSend
from engine.store.signals import ClaimedContact, NewSignal
from engine.store.traces import NewTrace

_PRIORITY = 50


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


class Outcome:
    """Who stands where after what was decided so far, and what has to be written for it."""

    def __init__(self, conn: Connection, people: int, now: datetime, open_: dict[int, list[Standing]]) -> None:
        self._conn, self._people, self._now = conn, people, now
        self.open = open_
        self._before = {s.enrollment.id: s.enrollment for group in open_.values() for s in group}
        self._ids: Iterator[int] = iter(())
        self._new: dict[int, Standing] = {}
        self._changed: dict[int, Enrollment] = {}
        self.entered_here: dict[tuple[int, str, str], datetime] = {}
        self._fired: set[int] = set()
        self._sends: list[NewSend] = []
        self._traces: list[NewTrace] = []

    @property
    def entered(self) -> int:
        return len(self._new)

    @property
    def planned(self) -> int:
        return len(self._sends)

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

    def note(self, item: Item, decision: Decision) -> None:
        """Take in a decision: the enrollment as it is now, its effects, its trace."""
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
            self._traces.append(
                NewTrace(item.contact.id, enrollment_id, item.journey, item.signal.at, item.signal.kind, decision.trace)
            )
        for effect in decision.effects:
            match effect:
                case PlanSend():
                    if enrollment_id is not None:
                        self._plan(item, enrollment_id, effect)
                case EndPrevious():
                    pass
                case _:
                    assert_never(effect)

    def _enter(self, item: Item, newcomer: Enrollment) -> int:
        new_id = next(self._ids, None)
        if new_id is None:
            self._ids = iter(enrollments.reserve_ids(self._conn, self._people))
            new_id = next(self._ids)
        standing = Standing(item.journey, item.version_id, replace(newcomer, id=new_id))
        self.open.setdefault(item.contact.id, []).append(standing)
        self._new[new_id] = standing
        self.entered_here[item.contact.id, item.journey, newcomer.key] = newcomer.entered_at
        return new_id

    def _replace(self, contact: int, changed: Enrollment) -> None:
        assert changed.id is not None
        group = self.open[contact]
        place = next(ix for ix, standing in enumerate(group) if standing.enrollment.id == changed.id)
        group[place] = replace(group[place], enrollment=changed)
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
                priority=_PRIORITY,
                planned_at=self._now,
                due_at=effect.due_at,
            )
        )

    def save(self) -> None:
        """Write everything that was decided."""
        conn = self._conn
        enrollments.save(conn, list(self._changed.values()))  # first, so that a restarted one frees its key
        enrollments.add(conn, self._new.values())
        stale = [e.id for e in self._changed.values() if e.id is not None and self._timer_is_stale(e)]
        signals.drop_timers(conn, stale)
        signals.put(conn, self._timers())
        sends.plan(conn, self._sends)
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
