"""What a decision is made of and what comes out: enrollment, signal, questions, answers, effects, trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from engine.audience.condition import Condition
from engine.audience.event_match import EventMatch

EnrollmentState = Literal["active", "held_out", "ended"]
SignalKind = Literal["event", "timer", "segment", "profile", "send", "date"]
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Enrollment:
    """One passage of one contact through one journey version, under one key. `id` is None until it is saved.

    `step` is the machine state it stands on and `visit` counts arrivals: a timer or a send's end that carries an
    older visit is of the past. `due_at` is when the timer of this visit fires, if one is set.
    """

    id: int | None
    contact_id: int
    key: str
    state: EnrollmentState
    step: str | None
    visit: int
    round: int
    entered_at: datetime
    enrolled_at: datetime
    arrived_at: datetime
    due_at: datetime | None = None
    reason: str | None = None
    ended_at: datetime | None = None
    trigger_event_id: int | None = None
    event: Properties = field(default_factory=dict)
    matched: Properties | None = None
    goal_until: datetime | None = None
    goal_at: datetime | None = None
    goal_event_id: int | None = None
    goal_value: float | None = None


@dataclass(frozen=True)
class Event:
    """An event as the engine sees it; `starts` is False when it came by import or replay."""

    id: int
    name: str
    properties: Properties
    occurred_at: datetime
    received_at: datetime
    starts: bool = True


@dataclass(frozen=True)
class Signal:
    """What moves an enrollment. `at` is its own time: the due instant of a timer, the arrival of an event, the end of a send.

    `visit` ties timers and sends to the arrival they belong to. `data`: for `segment` its name and whether it was
    entered, for `send` the step and how it ended, for `date` the local date of the occurrence, for `profile` what changed.
    """

    kind: SignalKind
    at: datetime
    visit: int | None = None
    event: Event | None = None
    data: Properties = field(default_factory=dict)


# --- questions: what a decision must know; the store answers a whole batch in one go -----------------------------------


@dataclass(frozen=True)
class Holds:
    """Does the condition hold for this contact and enrollment now?"""

    path: str
    condition: Condition


@dataclass(frozen=True)
class Happened:
    """The earliest matching event in [since, until], the trigger's own event left out; found: id, occurred_at, properties."""

    path: str
    match: EventMatch
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Left:
    """Has a membership of this segment ended at or after `since`?"""

    path: str
    segment: str
    since: datetime


Question = Holds | Happened | Left


@dataclass(frozen=True)
class Answer:
    """`holds`, and what was found (JSON-able) for the trace."""

    holds: bool
    found: Any = None


@dataclass(frozen=True)
class Previous:
    """What is known of earlier enrollments of the same contact, journey and key, for the entry rules."""

    active: Enrollment | None = None
    last_entered_at: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """All that a decision may look at besides its arguments. `zone`: the contact's time zone, else the organisation's.
    `paused`: the journey is; people still enter and leave, and nobody moves from step to step.
    """

    contact_id: int
    zone: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    previous: Previous = field(default_factory=Previous)
    paused: bool = False


# --- what a decision says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlanSend:
    """A message is due; whether it may go is for `permit` to say, at the moment of sending."""

    step: str
    round: int
    visit: int
    template: str
    via: tuple[str, ...]
    due_at: datetime


@dataclass(frozen=True)
class EndPrevious:
    """`again: restart`: the active enrollment of the same key ends, and this one begins in its place."""

    enrollment: Enrollment


Effect = PlanSend | EndPrevious


@dataclass(frozen=True)
class TraceLine:
    """One thing looked at: where it stands in the file, what was wanted, what was found, and what followed."""

    path: str
    wanted: str
    found: Any
    result: str


@dataclass(frozen=True)
class Decision:
    """What follows from a signal. `enrollment` is None when nobody enters; `changed` False when nothing need be saved."""

    enrollment: Enrollment | None
    effects: tuple[Effect, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    changed: bool = True


@dataclass(frozen=True)
class Undecided:
    """The facts lack these answers; ask and decide again from the start.

    `about`: the enrollment as it stands in mid-decision (a matched event may be new); None while still at the door.
    """

    questions: tuple[Question, ...]
    about: Enrollment | None = None
