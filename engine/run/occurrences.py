"""Occurrences: arm the next date of each contact, and fire those whose local time has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from sqlalchemy import Connection, Engine

from engine.journey.clock_triggers import Occasion
from engine.journey.machine import Machine
from engine.journey.triggers import DatesTrigger, DateTrigger
from engine.journey.values import TraceLine
from engine.run.machines import Machines
from engine.run.refresh import refresh
from engine.store import journeys, occurrences, segments, signals, traces
from engine.store.occurrences import Armed, DateValue, Occurrence
from engine.store.signals import NewSignal
from engine.store.traces import NewTrace

LATEST = timedelta(hours=24)
"""How late an occurrence may still fire after a downtime; an older one is recorded as missed."""

_MOST = 1000
_AROUND = timedelta(hours=48)
"""More than one local date is away from the same one anywhere else."""

_Next = Callable[[datetime], Occasion | None]  # the first occasion strictly later than an instant


def rearm(conn: Connection, machine: Machine, zone: str, now: datetime, contacts: Sequence[int] | None = None) -> int:
    """Compute the next date of these contacts, whose profile has changed (None: of everybody, because the journey was
    applied); gives how many are armed. `zone`: of those who have none of their own.

    Nothing already past is armed, and no date that has fired before. One that is due and has not fired yet stays, if the
    contact's date still says so; one that a change of zone moves into the past is due now.
    """
    trigger = machine.trigger
    if not isinstance(trigger, DateTrigger | DatesTrigger):
        return 0
    field = trigger.field if isinstance(trigger, DateTrigger) else None
    people = occurrences.values(conn, machine.journey, field, contacts)
    count = 0
    while some := list(islice(people, _MOST)):
        before = occurrences.armed(conn, machine.journey, [person.contact_id for person in some])
        coming: list[Occurrence] = []
        gone: list[int] = []
        for person in some:
            old = before.get(person.contact_id, Armed(None, None))
            occasions = _occasions(trigger, person, person.timezone or zone, old.fired)
            occasion = _coming(occasions, old.coming, now, moved=contacts is not None)
            if occasion is not None:
                coming.append(Occurrence(machine.journey, person.contact_id, *occasion))
            elif old.coming is not None:
                gone.append(person.contact_id)
        occurrences.arm(conn, coming)
        if gone:
            occurrences.disarm(conn, machine.journey, gone)
        count += len(coming)
    return count


def _occasions(trigger: DateTrigger | DatesTrigger, person: DateValue, zone: str, fired: date | None) -> _Next:
    day = trigger.day_of(person.value, zone) if isinstance(trigger, DateTrigger) else None

    def following(after: datetime) -> Occasion | None:
        while True:
            if isinstance(trigger, DatesTrigger):
                occasion = trigger.next_after(after, zone)
            else:
                occasion = trigger.next_after(day, after, zone) if day is not None else None
            if occasion is None or fired is None or occasion[0] > fired:
                return occasion
            after = occasion[1]

    return following


def _coming(following: _Next, old: Occurrence | None, now: datetime, *, moved: bool) -> Occasion | None:
    """What comes next, given what was armed before."""
    if old is not None:
        instant = _instant_of(following, old)
        if instant is not None and instant <= now:  # past, as the calendar stands now, and not fired yet
            if old.due_at <= now:
                return old.date, old.due_at
            if moved:
                return old.date, now
    return following(now)


def _instant_of(following: _Next, old: Occurrence) -> datetime | None:
    """When the date that was armed comes round as things stand now; None when it does not any more."""
    occasion = following(old.due_at - _AROUND)
    while occasion is not None and occasion[0] < old.date:
        occasion = following(occasion[1])
    return occasion[1] if occasion is not None and occasion[0] == old.date else None


def disarm(conn: Connection, journey: str) -> None:
    """The journey fires on no date any more."""
    occurrences.disarm(conn, journey)


def fire(engine: Engine, machines: Machines, zone: str, now: datetime) -> int:
    """Signal the occurrences that are due and arm the next ones; gives how many were taken. Safe in any number of processes.

    A day of a list is for whoever is in its segment when it comes, so that a segment which was refreshed before is
    refreshed first.
    """
    taken = _fire(engine, machines, zone, now)
    if isinstance(taken, int):
        return taken
    refresh(engine, machines.declared, zone, now, only=taken.segments)
    taken = _fire(engine, machines, zone, now, anyway=True)
    return taken if isinstance(taken, int) else 0


@dataclass(frozen=True)
class _Behind:
    """Nothing was fired, because these segments are not up to date."""

    segments: list[str]


def _fire(engine: Engine, machines: Machines, zone: str, now: datetime, *, anyway: bool = False) -> int | _Behind:
    with engine.begin() as conn:
        journeys.share(conn)
        taken = occurrences.due(conn, now, _MOST)
        if not taken:
            return 0
        live = {r.live.name: r.machine for r in machines.applied(conn) if r.live.state == "live"}
        by_journey: dict[str, list[Occurrence]] = defaultdict(list)
        for item in taken:
            by_journey[item.journey].append(item)
        due: dict[str, datetime] = {}
        for journey, items in by_journey.items():
            machine = live.get(journey)
            if machine is not None and isinstance(machine.trigger, DatesTrigger):
                name = machine.trigger.segment
                due[name] = max(due.get(name, items[0].due_at), *(item.due_at for item in items))
        if due and not anyway and (behind := segments.behind(conn, due)):
            return _Behind(behind)
        occurrences.fired(conn, taken)
        for journey, items in by_journey.items():
            machine = live.get(journey)
            if machine is not None and isinstance(machine.trigger, DateTrigger | DatesTrigger):
                _signal(conn, machine, items, now)
                rearm(conn, machine, zone, now, [item.contact_id for item in items])
    return len(taken)


def _signal(conn: Connection, machine: Machine, items: Iterable[Occurrence], now: datetime) -> None:
    trigger = machine.trigger
    kind, word = ("schedule", "occurrence") if isinstance(trigger, DatesTrigger) else ("date", "date")
    items = list(items)
    if isinstance(trigger, DatesTrigger):
        inside = segments.members_among(conn, trigger.segment, [item.contact_id for item in items])
        items = [item for item in items if item.contact_id in inside]
    fired: list[NewSignal] = []
    missed: list[NewTrace] = []
    for item in items:
        if item.due_at < now - LATEST:
            line = TraceLine("trigger", trigger.label(), item.due_at.isoformat(), "missed")
            missed.append(NewTrace(item.contact_id, None, item.journey, now, kind, (line,)))
        else:
            data = {"journey": item.journey, word: item.date.isoformat()}
            fired.append(NewSignal(item.contact_id, kind, item.due_at, None, item.journey, None, None, data))
    signals.put(conn, fired)
    traces.write(conn, missed)
