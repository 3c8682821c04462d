"""Schedule: arm what the clock starts when a journey is applied, and fire schedules, broadcasts and backfills for all members of
their segments, in sets, each member once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from engine.journey.entry import occurrence_name
from engine.journey.machine import Machine
from engine.journey.triggers import BroadcastTrigger, DatesTrigger, DateTrigger, EntersTrigger, ScheduleTrigger
from engine.run import occurrences
from engine.run.machines import Machines
from engine.run.occurrences import LATEST
from engine.run.refresh import refresh
from engine.store import journeys, scheduled, segments
from engine.store.scheduled import Firing

BACKFILL = "backfill"
"""The name of the firing that enrolls those who are in the segment when the journey is first applied."""

MOST = 5000
_MISSED = 100
"""Most occurrences of a schedule that one downtime records as missed, one by one; of those beyond, nothing is kept."""


def arm(conn: Connection, machine: Machine, zone: str, now: datetime, *, first: bool) -> None:
    """The journey was applied, in this transaction: set what the clock starts next. `first`: it was never applied before.
    `zone`: the organisation's, of people and schedules that have none of their own.

    No instant already past is set; what was due and has not fired to its end goes on, if the journey still says so.
    """
    if isinstance(machine.trigger, DateTrigger | DatesTrigger):
        occurrences.rearm(conn, machine, zone, now)
    else:
        occurrences.disarm(conn, machine.journey)
    match machine.trigger:
        case ScheduleTrigger() | BroadcastTrigger():
            _arm_next(conn, machine, zone, now)
        case EntersTrigger():
            scheduled.disarm(conn, machine.journey, but=[BACKFILL])
            if first and machine.entry.backfill:
                scheduled.arm(conn, Firing(machine.journey, BACKFILL, now))
        case _:
            scheduled.disarm(conn, machine.journey)


def disarm(conn: Connection, journey: str) -> None:
    """The journey was removed: the clock starts nothing in it any more."""
    occurrences.disarm(conn, journey)
    scheduled.disarm(conn, journey)


def _arm_next(conn: Connection, machine: Machine, zone: str, now: datetime) -> None:
    trigger = machine.trigger
    assert isinstance(trigger, ScheduleTrigger | BroadcastTrigger)
    standing = {
        firing.occurrence
        for firing in scheduled.coming(conn, machine.journey)
        if firing.due_at <= now and trigger.next_after(firing.due_at - timedelta(microseconds=1), zone) == firing.due_at
    }
    scheduled.disarm(conn, machine.journey, but=standing)
    due = trigger.next_after(now, zone)
    if due is None or (standing and isinstance(trigger, ScheduleTrigger)):  # the next is set when this one is done
        return
    occurrence = occurrence_name(due)
    if isinstance(trigger, BroadcastTrigger) and _is_over(conn, machine, occurrence):
        return
    scheduled.arm(conn, Firing(machine.journey, occurrence, due))


def _is_over(conn: Connection, machine: Machine, occurrence: str) -> bool:
    """A broadcast reaches everybody once: whoever moves its instant after it has gone out does not send it again, unless
    they say that people may come back.
    """
    return machine.entry.reentry.rule == "never" and scheduled.has_fired(conn, machine.journey, but=occurrence)


# --- firing -----------------------------------------------------------------------------------------------------------


def fire(engine: Engine, machines: Machines, zone: str, now: datetime, most: int = MOST) -> int:
    """Signal the next `most` members of the first firing that is due; gives how much was done, 0 when nothing is due.

    Safe in any number of processes and to be killed at any instant: signals and cursor are written in one transaction.
    Segments that were refreshed before the due instant are refreshed first. A firing over 24 hours late is missed.
    """
    done = _fire(engine, machines, zone, now, most)
    if not isinstance(done, _Behind):
        return done
    refresh(engine, machines.declared, zone, now, only=done.segments)
    done = _fire(engine, machines, zone, now, most, anyway=True)
    return 0 if isinstance(done, _Behind) else done


@dataclass(frozen=True)
class _Behind:
    """Nobody was signalled, because these segments are not up to date."""

    segments: list[str]


def _fire(
    engine: Engine, machines: Machines, zone: str, now: datetime, most: int, *, anyway: bool = False
) -> int | _Behind:
    with engine.begin() as conn:
        journeys.share(conn)
        live = {r.live.name: r.machine for r in machines.applied(conn) if r.live.state == "live"}
        firing = scheduled.due(conn, list(live), now)
        if firing is None:
            return 0
        machine = live[firing.journey]
        if firing.occurrence == BACKFILL:
            return _backfill(conn, machine, firing, now, most)
        trigger = machine.trigger
        if not isinstance(trigger, ScheduleTrigger | BroadcastTrigger):
            scheduled.disarm(conn, firing.journey)
            return 1
        if firing.due_at < now - LATEST:
            return _miss(conn, machine, firing, zone, now)
        behind = segments.behind(conn, dict.fromkeys(trigger.segments, firing.due_at))
        if behind and firing.cursor == 0 and not anyway:
            return _Behind(behind)
        data = {"journey": firing.journey, "occurrence": firing.occurrence}
        if not scheduled.signal_members(conn, firing, trigger.segments, "schedule", data, most):
            scheduled.finish(conn, firing, now)
            _follow(conn, machine, firing.due_at, zone)
    return 1


def _backfill(conn: Connection, machine: Machine, firing: Firing, now: datetime, most: int) -> int:
    trigger = machine.trigger
    names = trigger.segments if isinstance(trigger, EntersTrigger) else ()
    data = {"journey": firing.journey, "segment": next(iter(names), "")}
    # Whoever has come since has a signal of their own.
    if not scheduled.signal_members(conn, firing, names, "backfill", data, most, since=firing.due_at):
        scheduled.finish(conn, firing, now)
    return 1


def _miss(conn: Connection, machine: Machine, firing: Firing, zone: str, now: datetime) -> int:
    """Record it and those after it that are too late as well, and set the first that is not."""
    trigger = machine.trigger
    scheduled.finish(conn, firing, now, missed=True)
    if not isinstance(trigger, ScheduleTrigger):
        return 1
    after = firing.due_at
    for _ in range(_MISSED):
        due = trigger.next_after(after, zone)
        if due is None or due >= now - LATEST:
            break
        late = Firing(firing.journey, occurrence_name(due), due)
        scheduled.arm(conn, late)
        scheduled.finish(conn, late, now, missed=True)
        after = due
    else:
        after = now - LATEST - timedelta(microseconds=1)
    _follow(conn, machine, after, zone)
    return 1


def _follow(conn: Connection, machine: Machine, after: datetime, zone: str) -> None:
    """Set the firing that comes after this one, which may be due already."""
    trigger = machine.trigger
    due = trigger.next_after(after, zone) if isinstance(trigger, ScheduleTrigger) else None
    if due is not None:
        scheduled.arm(conn, Firing(machine.journey, occurrence_name(due), due))
