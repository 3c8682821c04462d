"""Entry: who a signal lets into a journey, and why nobody else. Pure; `decide` asks it when there is no enrollment yet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, assert_never

from engine.audience.event_match import read_key
from engine.journey.lot import lot
from engine.journey.machine import Machine
from engine.journey.triggers import (
    BroadcastTrigger,
    DatesTrigger,
    DateTrigger,
    EntersTrigger,
    EventTrigger,
    FinishedTrigger,
    LeavesTrigger,
    ManualTrigger,
    ScheduleTrigger,
)
from engine.journey.values import Enrollment, EnrollmentState, Facts, Holds, Properties, Question, Signal, TraceLine
from engine.moments import local_date

KNOCKS: Final = frozenset({"date", "schedule", "start", "finished", "manual", "backfill"})
"""Signals that only concern the doors of journeys, never those who are under way."""

_BY_HAND: Final = frozenset({"start", "manual"})  # these name the journey whose door they knock at
_OCCURRENCES: Final = frozenset({"date", "schedule"})  # each of them lets a contact in once, whatever `reentry` says


def triggered_by(machine: Machine, signal: Signal) -> bool:
    """True when this kind of signal may start the journey at all; the rest is for `decide` to say.

    A step `start` and a manual enrollment knock at the door of any journey, whatever its trigger.
    """
    data, trigger = signal.data, machine.trigger
    if signal.kind in _BY_HAND:
        return data.get("journey") == machine.journey
    match trigger:
        case EventTrigger(match=match):
            return signal.event is not None and signal.event.starts and signal.event.name == match.name
        case EntersTrigger() | LeavesTrigger():
            return _moves(trigger, machine.journey, signal)
        case DateTrigger() | DatesTrigger() | ScheduleTrigger() | BroadcastTrigger():
            kind = "date" if isinstance(trigger, DateTrigger) else "schedule"
            return signal.kind == kind and data.get("journey") == machine.journey
        case FinishedTrigger(journey=journey, reason=reason):
            ended = signal.kind == "finished" and data.get("journey") == journey
            return ended and reason in (None, data.get("reason"))
        case ManualTrigger():
            return False
        case _:
            assert_never(trigger)


def _moves(trigger: EntersTrigger | LeavesTrigger, journey: str, signal: Signal) -> bool:
    """True for a change of membership that the trigger waits for, and for the backfill of a new journey."""
    if signal.data.get("segment") != trigger.segment:
        return False
    if signal.kind == "backfill":
        return signal.data.get("journey") == journey
    return signal.kind == "segment" and bool(signal.data.get("entered")) is isinstance(trigger, EntersTrigger)


def handed(signal: Signal) -> Properties | None:
    """What is `event` for somebody who enters by this signal: the event's properties, or what was handed over with it."""
    if signal.event is not None:
        return signal.event.properties
    properties = signal.data.get("properties")
    return properties if isinstance(properties, dict) else None


def entry_key(machine: Machine, signal: Signal, zone: str) -> str | None:
    """The key an entry by this signal would have: the trigger's `key` property as text, the occurrence of a date, schedule
    or broadcast, else ''. None when the trigger wants a key that was not handed over.

    Who is enrolled by hand in a journey of dates or schedules has the day as key (`zone` is the contact's), so that the
    occurrence of that day does not let them in again; in a broadcast, its own.
    """
    trigger = machine.trigger
    match trigger:
        case EventTrigger(match=match) if match.key is not None:
            return read_key(match.key, handed(signal) or {})
        case DateTrigger() | DatesTrigger() | ScheduleTrigger() | BroadcastTrigger():
            occurrence = signal.data.get("occurrence", signal.data.get("date"))
            if occurrence is not None and signal.kind not in _BY_HAND:
                return str(occurrence)
            if isinstance(trigger, BroadcastTrigger):
                return occurrence_name(trigger.at)
            return local_date(signal.at, zone).isoformat()
        case _:
            return ""


def occurrence_name(at: datetime) -> str:
    """The key of whoever enters at this instant by a schedule or broadcast; the same however the instant is written."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry_questions(machine: Machine, signal: Signal) -> tuple[Question, ...]:
    """What must be known of the contact before the door opens. The trigger's own `where` is asked of its events only."""
    questions: list[Question] = []
    trigger = machine.trigger
    if signal.kind == "event" and isinstance(trigger, EventTrigger) and trigger.match.where is not None:
        questions.append(Holds("trigger.where", trigger.match.where))
    if machine.entry.where is not None:
        questions.append(Holds("entry.where", machine.entry.where))
    return tuple(questions)


def refusal(machine: Machine, signal: Signal, facts: Facts) -> tuple[TraceLine, ...] | None:
    """Why nobody enters: an empty trace when the trigger simply does not match, None when the door is open."""
    entry = machine.entry
    where = facts.answers.get("trigger.where")
    if where is not None and not where.holds:
        return ()
    event = signal.event
    if event is not None and isinstance(machine.trigger, EventTrigger):
        age = event.received_at - event.occurred_at
        if age > entry.max_age:
            return (TraceLine("entry.max_age", f"at most {entry.max_age} old", f"{age}", "too_old"),)
    if (entry.start is not None and signal.at < entry.start) or (entry.end is not None and signal.at >= entry.end):
        return (TraceLine("entry", "between start and end", signal.at.isoformat(), "out_of_season"),)
    rule = facts.answers.get("entry.where")
    if rule is not None and not rule.holds and entry.where is not None:
        return (TraceLine("entry.where", entry.where.label(), rule.found, "not_admitted"),)
    if entry_key(machine, signal, facts.zone) is None:
        return (TraceLine("trigger.key", "a key", None, "no_key"),)
    return _too_soon(machine, signal, facts)


def _too_soon(machine: Machine, signal: Signal, facts: Facts) -> tuple[TraceLine, ...] | None:
    entry, previous = machine.entry, facts.previous
    occurs = signal.kind in _OCCURRENCES
    if previous.active is not None and (entry.again == "ignore" or occurs):
        since = previous.active.entered_at.isoformat()
        return (TraceLine("entry.again", "nobody under way with this key", since, "already_in"),)
    last = previous.last_entered_at
    if previous.active is not None or last is None:
        return None
    if occurs:
        return (TraceLine("trigger", "each occurrence once", last.isoformat(), "no_reentry"),)
    if entry.reentry.rule == "never":
        return (TraceLine("entry.reentry", "never", last.isoformat(), "no_reentry"),)
    if entry.reentry.rule == "after" and _entered_at(signal) < last + entry.reentry.after:
        return (TraceLine("entry.reentry", f"not before {entry.reentry.after} after", last.isoformat(), "no_reentry"),)
    return None


def _entered_at(signal: Signal) -> datetime:
    return signal.event.occurred_at if signal.event is not None else signal.at


def trigger_found(signal: Signal) -> Any:
    """What the signal brought, for the trace."""
    return dict(signal.event.properties) if signal.event is not None else dict(signal.data)


def held_out(machine: Machine, contact_id: int, everywhere: float) -> bool:
    """True for whoever belongs to a control group: the journey's own, or the one of all journeys (`everywhere`, a share).

    The same at every entry, and for every version of the journey. Nobody is held out of transactional journeys.
    """
    if machine.kind == "transactional":
        return False
    own = machine.delivery.holdout
    return (
        lot("holdout", contact_id=contact_id) < everywhere
        or lot("holdout", machine.journey, contact_id=contact_id) < own
    )


def newcomer(machine: Machine, signal: Signal, facts: Facts, key: str, now: datetime) -> Enrollment:
    """The enrollment as it begins, before its first step; `held_out` for whoever will run none."""
    event, goal, entered_at = signal.event, machine.goal, _entered_at(signal)
    state: EnrollmentState = "held_out" if held_out(machine, facts.contact_id, facts.holdout) else "active"
    return Enrollment(
        id=None,
        contact_id=facts.contact_id,
        key=key,
        state=state,
        step=None,
        visit=0,
        round=1,
        entered_at=entered_at,
        enrolled_at=now,
        arrived_at=signal.at,
        trigger_event_id=event.id if event is not None else None,
        event=handed(signal) or {},
        goal_until=entered_at + goal.within.delta if goal is not None else None,
    )
