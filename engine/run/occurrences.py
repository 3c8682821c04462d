"""Occurrences: arm the next date of each contact, and fire those whose local time has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine

from engine.journey.machine import Machine
from engine.journey.triggers import DateTrigger
from engine.journey.values import TraceLine
from engine.run.machines import Machines
from engine.store import occurrences, signals, traces
from engine.store.occurrences import Occurrence
from engine.store.signals import NewSignal
from engine.store.traces import NewTrace

LATEST = timedelta(hours=24)
"""How late an occurrence may still fire after a downtime; an older one is recorded as missed."""

_MOST = 1000


def rearm(conn: Connection, machine: Machine, zone: str, now: datetime, contacts: Sequence[int] | None = None) -> int:
    """Compute the next occurrence of these contacts (None: of all that have the field); gives how many are armed.

    Nothing already past is armed. One that is due and has not fired yet stays, if the contact's date still says so.
    """
    trigger = machine.trigger
    if not isinstance(trigger, DateTrigger):
        return 0
    before = occurrences.pending(conn, machine.journey, contacts)
    armed: list[Occurrence] = []
    for person in occurrences.values(conn, trigger.field, contacts):
        value, local = _date(person.value), person.timezone or zone
        if value is None:
            continue
        old = before.get(person.contact_id)
        since = min(now, old.due_at - timedelta(microseconds=1)) if old is not None else now
        upcoming = trigger.next_after(value, since, local)
        if old is not None and upcoming != (old.date, old.due_at):
            upcoming = trigger.next_after(value, now, local)
        if upcoming is not None:
            armed.append(Occurrence(machine.journey, person.contact_id, *upcoming))
    keep = {o.contact_id for o in armed}
    occurrences.disarm(conn, machine.journey, [c for c in before if c not in keep])
    for at in range(0, len(armed), _MOST):
        occurrences.arm(conn, armed[at : at + _MOST])
    return len(armed)


def disarm(conn: Connection, journey: str) -> None:
    """The journey fires on no date any more."""
    occurrences.disarm(conn, journey)


def _date(value: str | None) -> date | None:
    """The date in a trait such as `1990-02-28` (a time behind it is ignored); None when it is none."""
    try:
        return date.fromisoformat((value or "")[:10])
    except ValueError:
        return None


def fire(engine: Engine, machines: Machines, zone: str, now: datetime) -> int:
    """Signal the occurrences that are due and arm the next ones; gives how many were taken. Safe in any number of processes."""
    with engine.begin() as conn:
        taken = occurrences.due(conn, now, _MOST)
        if not taken:
            return 0
        live = {r.live.name: r.machine for r in machines.applied(conn) if r.live.state == "live"}
        fired: list[NewSignal] = []
        missed: list[NewTrace] = []
        again: dict[str, list[int]] = defaultdict(list)
        for item in taken:
            machine = live.get(item.journey)
            if machine is None or not isinstance(machine.trigger, DateTrigger):
                continue
            if item.due_at < now - LATEST:
                line = TraceLine("trigger", machine.trigger.label(), item.due_at.isoformat(), "missed")
                missed.append(NewTrace(item.contact_id, None, item.journey, now, "date", (line,)))
            else:
                data = {"journey": item.journey, "date": item.date.isoformat()}
                fired.append(NewSignal(item.contact_id, "date", item.due_at, None, item.journey, None, None, data))
            again[item.journey].append(item.contact_id)
        signals.put(conn, fired)
        traces.write(conn, missed)
        for journey in {item.journey for item in taken}:
            occurrences.disarm(conn, journey, [item.contact_id for item in taken if item.journey == journey])
            if journey in again:
                rearm(conn, live[journey], zone, now, again[journey])
    return len(taken)
