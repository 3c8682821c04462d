"""Entry: who a signal lets into a journey, and why nobody else. Pure; `decide` asks it when there is no enrollment yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from engine.audience.event_match import read_key
from engine.journey.machine import Machine
from engine.journey.triggers import DateTrigger, EntersTrigger, EventTrigger
from engine.journey.values import Enrollment, Facts, Holds, Question, Signal, TraceLine


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


def entry_questions(machine: Machine) -> tuple[Question, ...]:
    """What must be known of the contact before the door opens."""
    questions: list[Question] = []
    if isinstance(machine.trigger, EventTrigger) and machine.trigger.match.where is not None:
        questions.append(Holds("trigger.where", machine.trigger.match.where))
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
    if entry_key(machine, signal) is None:
        return (TraceLine("trigger.key", "a key", None, "no_key"),)
    return _too_soon(machine, signal, facts)


def _too_soon(machine: Machine, signal: Signal, facts: Facts) -> tuple[TraceLine, ...] | None:
    entry, previous = machine.entry, facts.previous
    if previous.active is not None and entry.again == "ignore":
        since = previous.active.entered_at.isoformat()
        return (TraceLine("entry.again", "nobody under way with this key", since, "already_in"),)
    last = previous.last_entered_at
    if previous.active is not None or last is None:
        return None
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


def newcomer(machine: Machine, signal: Signal, contact_id: int, key: str, now: datetime) -> Enrollment:
    """The enrollment as it begins, before its first step."""
    event, goal, entered_at = signal.event, machine.goal, _entered_at(signal)
    return Enrollment(
        id=None,
        contact_id=contact_id,
        key=key,
        state="active",
        step=None,
        visit=0,
        round=1,
        entered_at=entered_at,
        enrolled_at=now,
        arrived_at=signal.at,
        trigger_event_id=event.id if event is not None else None,
        event=event.properties if event is not None else {},
        goal_until=entered_at + goal.within.delta if goal is not None else None,
    )
