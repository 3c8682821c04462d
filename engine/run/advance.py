"""Advance: take what is due, decide it, save what follows; one transaction for a claim of many people."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.errors import DatabaseUnavailableError, WorkspaceError
from engine.journey.decide import concerns, decide, entry_key, triggered_by
from engine.journey.machine import Machine
from engine.journey.values import (
    Answer,
    Decision,
    EndPrevious,
    Enrollment,
    Facts,
    PlanSend,
    Previous,
    Signal,
    TraceLine,
    Undecided,
)
from engine.run import occurrences
from engine.run.machines import Machines, Running
from engine.store import dead_letters, enrollments, holds, sends, signals, traces
from engine.store.answers import Case, answer
from engine.store.bulk import as_json
from engine.store.enrollments import Standing
from engine.store.sends import NewSend
from engine.store.signals import ClaimedContact, DueSignal, NewSignal
from engine.store.traces import NewTrace

log = logging.getLogger(__name__)

CLAIM = 500
_EACH = 50
"""Most signals of one contact in one claim: somebody with thousands must not keep the others of the claim waiting."""
_PRIORITY = 50


@dataclass(frozen=True)
class Advanced:
    """What one claim did."""

    contacts: int = 0
    signals: int = 0
    entered: int = 0
    planned: int = 0


def advance(engine: Engine, machines: Machines, zone: str, now: datetime, most: int = CLAIM) -> Advanced:
    """Decide everything that is due for up to `most` contacts. `zone`: of contacts that have none of their own.

    Safe to run in any number of processes: contacts that another one works on are passed over. Zero contacts: nothing is due.
    A signal that can't be decided, whatever the fault, becomes a dead letter with a trace, and stops nobody else (P11).
    """
    while True:
        try:
            return _advance(engine, machines, zone, now, most)
        except Exception as error:  # promise P11: one bad signal never stops the others
            if _passes(error):
                raise
            if most == 1:
                return _advance_by_one(engine, machines, zone, now)
            most = max(1, most // 8)  # until the bad one stands alone, or is not among them


def _advance(engine: Engine, machines: Machines, zone: str, now: datetime, most: int) -> Advanced:
    with engine.begin() as conn:
        paused = _paused(conn)
        people = signals.claim(conn, now, most, paused)
        due = signals.take(conn, [person.id for person in people], now, paused, _EACH) if people else {}
        return _decide(conn, machines, people, due, paused, zone, now)


def _advance_by_one(engine: Engine, machines: Machines, zone: str, now: datetime) -> Advanced:
    """Decide the one signal that comes first; if that can't be done, bury it."""
    with engine.begin() as conn:
        paused = _paused(conn)
        people = signals.claim(conn, now, 1, paused)
        due = signals.take(conn, [person.id for person in people], now, paused, 1)
        try:
            with conn.begin_nested():
                return _decide(conn, machines, people, due, paused, zone, now)
        except Exception as error:  # as above
            if _passes(error):
                raise
            for contact, (only,) in due.items():
                log.exception("signal %d of contact %d can't be decided: dead letter", only.id, contact)
                _bury(conn, contact, only, error, now)
            return Advanced(len(people), len(due))


def _decide(
    conn: Connection,
    machines: Machines,
    people: list[ClaimedContact],
    due: dict[int, list[DueSignal]],
    paused: list[str],
    zone: str,
    now: datetime,
) -> Advanced:
    if not people:
        return Advanced()
    running = machines.applied(conn)
    _rearm_dates(conn, running, due, zone, now)
    claim = _Claim(conn, machines, running, people, paused, zone, now)
    for wave in _waves(due):
        claim.decide(wave)
    claim.save()
    return claim.summary(sum(map(len, due.values())))


def _passes(error: Exception) -> bool:
    """True for what is nobody's signal's fault: the database is away, busy or out of something. The same may go well later."""
    if isinstance(error, DatabaseUnavailableError | PoolTimeoutError):
        return True
    said = error.orig if isinstance(error, DBAPIError) else error
    too_big = isinstance(said, psycopg.Error) and (said.sqlstate or "").startswith("54")
    return isinstance(said, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError) and not too_big


def _paused(conn: Connection) -> list[str]:
    return [hold.name for hold in holds.standing(conn) if hold.scope == "journey"]


def _bury(conn: Connection, contact: int, due: DueSignal, error: Exception, now: datetime) -> None:
    """Keep a signal that can't be decided where it is seen, with all that is needed to queue it again."""
    signal = due.signal
    reason = f"{signal.kind} signal: {type(error).__name__}: {error}".replace("\0", "")
    payload = {
        "contact_id": contact, "enrollment_id": due.enrollment_id, "journey": due.journey, "kind": signal.kind, "at": signal.at,
        "visit": signal.visit, "event_id": signal.event.id if signal.event is not None else None, "data": dict(signal.data),
    }  # fmt: skip
    dead_letters.write(conn, [("advance", None, reason, as_json(payload) or "")], now)
    line = TraceLine("", "a decision", reason, "undecided")
    traces.write(conn, [NewTrace(contact, due.enrollment_id, due.journey or "", signal.at, signal.kind, (line,))])


def _waves(due: dict[int, list[DueSignal]]) -> Iterator[dict[int, DueSignal]]:
    """The first signal of every contact, then the second of those who have one, and so on."""
    for number in range(max(map(len, due.values()), default=0)):
        yield {contact: queue[number] for contact, queue in due.items() if number < len(queue)}


def _rearm_dates(
    conn: Connection, running: Iterable[Running], due: dict[int, list[DueSignal]], zone: str, now: datetime
) -> None:
    changed = [contact for contact, queue in due.items() if any(item.signal.kind == "profile" for item in queue)]
    for journey in running:
        if changed and journey.live.state == "live":
            occurrences.rearm(conn, journey.machine, zone, now, changed)


@dataclass
class _Item:
    """One decision to make: a signal for an enrollment, or for the door of a journey (`standing` None)."""

    contact: ClaimedContact
    journey: str
    version_id: int
    machine: Machine
    standing: Standing | None
    signal: Signal
    previous: Previous = field(default_factory=Previous)
    answers: dict[str, Answer] = field(default_factory=dict)


class _Claim:
    """The people of one claim and what has been decided for them, in memory until `save`."""

    def __init__(
        self,
        conn: Connection,
        machines: Machines,
        running: list[Running],
        people: list[ClaimedContact],
        paused: list[str],
        zone: str,
        now: datetime,
    ) -> None:
        self._conn, self._machines, self._running, self._zone, self._now = conn, machines, running, zone, now
        self._paused = frozenset(paused)
        self._people = {person.id: person for person in people}
        self._open = enrollments.open_for(conn, list(self._people))
        self._before = {s.enrollment.id: s.enrollment for group in self._open.values() for s in group}
        self._ids: Iterator[int] = iter(())
        self._new: dict[int, Standing] = {}
        self._changed: dict[int, Enrollment] = {}
        self._entered_here: dict[tuple[int, str, str], datetime] = {}
        self._fired: set[int] = set()
        self._sends: list[NewSend] = []
        self._traces: list[NewTrace] = []
        self._undecidable: list[tuple[int, DueSignal, WorkspaceError]] = []

    # --- deciding ---

    def decide(self, wave: dict[int, DueSignal]) -> None:
        """Decide one signal per contact: for those under way first, then at the doors it may open."""
        self._settle([item for contact, due in wave.items() for item in self._under_way(self._people[contact], due)])
        doors = [item for contact, due in wave.items() for item in self._doors(self._people[contact], due)]
        self._look_back(doors)
        self._settle(doors)

    def _under_way(self, person: ClaimedContact, due: DueSignal) -> Iterator[_Item]:
        for standing in self._open.get(person.id, ()):
            if due.enrollment_id is not None and due.enrollment_id != standing.enrollment.id:
                continue
            try:
                machine = self._machines.version(self._conn, standing.version_id)
            except WorkspaceError as error:
                if due.enrollment_id is not None:  # what happens is also found later, in the history
                    self._undecidable.append((person.id, due, error))
                continue
            if due.signal.kind == "timer" and due.enrollment_id is not None:
                self._fired.add(due.enrollment_id)
            if concerns(machine, standing.enrollment, due.signal):
                yield _Item(person, standing.journey, standing.version_id, machine, standing, due.signal)

    def _doors(self, person: ClaimedContact, due: DueSignal) -> Iterator[_Item]:
        for journey in self._running:
            if journey.live.state == "live" and triggered_by(journey.machine, due.signal):
                yield _Item(person, journey.live.name, journey.live.version_id, journey.machine, None, due.signal)

    def _look_back(self, doors: list[_Item]) -> None:
        """Fetch for every door who is, and when somebody last was, inside under the same key."""
        wanted = {}
        for item in doors:
            key = entry_key(item.machine, item.signal)
            if key is not None:
                wanted[id(item)] = (item.contact.id, item.journey, key)
        past = enrollments.last_entries(self._conn, sorted(set(wanted.values())))
        for item in doors:
            triple = wanted.get(id(item))
            if triple is None:
                continue
            last = max((t for t in (past.get(triple), self._entered_here.get(triple)) if t is not None), default=None)
            item.previous = Previous(self._active(*triple), last)

    def _active(self, contact: int, journey: str, key: str) -> Enrollment | None:
        for standing in self._open.get(contact, ()):
            inside = standing.enrollment
            if standing.journey == journey and inside.key == key and inside.state == "active":
                return inside
        return None

    def _settle(self, items: list[_Item]) -> None:
        """Ask and decide in rounds until every item is decided; the same questions are asked for all at once."""
        while items:
            undecided: list[tuple[_Item, Undecided]] = []
            for item in items:
                outcome = self._decide(item)
                match outcome:
                    case Undecided():
                        undecided.append((item, outcome))
                    case Decision():
                        self._note(item, outcome)
                    case _:
                        assert_never(outcome)
            cases = [
                Case(ix, item.version_id, item.contact.id, outcome.about, item.signal.event, outcome.questions)
                for ix, (item, outcome) in enumerate(undecided)
            ]
            answers = answer(self._conn, cases, self._now) if cases else {}
            for ix, (item, outcome) in enumerate(undecided):
                item.answers.update({question.path: answers[ix, question.path] for question in outcome.questions})
            items = [item for item, _ in undecided]

    def _decide(self, item: _Item) -> Decision | Undecided:
        zone, paused = item.contact.timezone or self._zone, item.journey in self._paused
        facts = Facts(item.contact.id, zone, item.answers, item.previous, paused)
        inside = item.standing.enrollment if item.standing is not None else None
        return decide(item.machine, inside, item.signal, facts, self._now)

    # --- what follows ---

    def _note(self, item: _Item, decision: Decision) -> None:
        for effect in decision.effects:
            if isinstance(effect, EndPrevious):
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
            if isinstance(effect, PlanSend) and enrollment_id is not None:
                self._plan(item, enrollment_id, effect)

    def _enter(self, item: _Item, newcomer: Enrollment) -> int:
        new_id = next(self._ids, None)
        if new_id is None:
            self._ids = iter(enrollments.reserve_ids(self._conn, len(self._people)))
            new_id = next(self._ids)
        standing = Standing(item.journey, item.version_id, replace(newcomer, id=new_id))
        self._open.setdefault(item.contact.id, []).append(standing)
        self._new[new_id] = standing
        self._entered_here[item.contact.id, item.journey, newcomer.key] = newcomer.entered_at
        return new_id

    def _replace(self, contact: int, changed: Enrollment) -> None:
        assert changed.id is not None
        group = self._open[contact]
        place = next(ix for ix, standing in enumerate(group) if standing.enrollment.id == changed.id)
        group[place] = replace(group[place], enrollment=changed)
        if changed.id in self._new:
            self._new[changed.id] = group[place]
        else:
            self._changed[changed.id] = changed

    def _plan(self, item: _Item, enrollment_id: int, effect: PlanSend) -> None:
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
        for contact, due, error in self._undecidable:
            _bury(conn, contact, due, error, self._now)

    def _timer_is_stale(self, after: Enrollment) -> bool:
        before = self._before[after.id]
        if after.id in self._fired:
            return False
        return before.due_at is not None and (before.visit, before.due_at) != (after.visit, after.due_at)

    def _timers(self) -> Iterator[NewSignal]:
        for group in self._open.values():
            for standing in group:
                after = standing.enrollment
                before = self._before.get(after.id)
                unmoved = before is not None and (before.visit, before.due_at) == (after.visit, after.due_at)
                if after.due_at is not None and after.state == "active" and not unmoved:
                    yield NewSignal(after.contact_id, "timer", after.due_at, after.id, standing.journey, after.visit)

    def summary(self, taken: int) -> Advanced:
        return Advanced(len(self._people), taken, len(self._new), len(self._sends))
