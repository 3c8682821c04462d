"""What a decision is made of and what comes out: enrollment, signal, questions, answers, effects, trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from engine.audience.condition import Condition
from engine.audience.event_match import EventMatch
from engine.document import Plain
from engine.journey.change import Change

EnrollmentState = Literal["active", "held_out", "ended"]
SignalKind = Literal[
    "event", "timer", "segment", "profile", "send", "date",
    "call", "start", "finished", "manual", "schedule", "backfill", "moved",
]  # fmt: skip
Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Lap:
    """How far a `repeat` has come. `round` is the round under way in this passage, which began with its first one at
    `since`; both are None while it stands outside. `total` counts the rounds of all passages: a repeat inside another
    one is passed several times, and the send key wants each round apart.
    """

    total: int
    round: int | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Enrollment:
    """One passage of one contact through one journey version, under one key. `id` is None until it is saved.

    `step` is the machine state it stands on and `visit` counts arrivals: a timer or a send's end that carries an
    older visit is of the past. `due_at` is when the timer of this visit fires, if one is set. `round` is that of the
    innermost `repeat` around the step (1 outside), counted over the whole enrollment: with the step it makes the send key.
    `loops`: how far each `repeat` has come, by the name of its state. `variants`: experiment -> variant.
    `matched_ids`: the events that a `wait_for` has had already. `arriving` is never saved: the enrollment has come to its
    step in this very decision, which then stopped (see `Decision.again`).
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
    loops: Mapping[str, Lap] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    matched_ids: tuple[int, ...] = ()
    arriving: bool = False

    def but(self, **changes: Any) -> Enrollment:
        """This enrollment with some of its fields changed: `dataclasses.replace` at a fifth of its cost, because decisions
        come by the ten thousand a second.
        """
        changed = object.__new__(Enrollment)
        changed.__dict__.update(self.__dict__, **changes)
        return changed


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
    """The earliest matching event in [since, until], the trigger's own event left out; found: id, occurred_at, properties.
    `unused`: those that an earlier `wait_for` has had are left out too.
    """

    path: str
    match: EventMatch
    since: datetime
    until: datetime
    unused: bool = False


@dataclass(frozen=True)
class Left:
    """Has a membership of this segment ended at or after `since`?"""

    path: str
    segment: str
    since: datetime


@dataclass(frozen=True)
class Assigned:
    """Which variant of the journey's experiment has the contact, and which one has won? `found`: {variant, winner}, each a name or
    None; `holds` when there is either.
    """

    path: str
    experiment: str


Question = Holds | Happened | Left | Assigned


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
    `paused`: the journey is; people still enter and leave, and nobody moves from step to step. `holdout`: the share of
    people who are held out of all marketing journeys.
    """

    contact_id: int
    zone: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    previous: Previous = field(default_factory=Previous)
    paused: bool = False
    holdout: float = 0.0


# --- what a decision says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlanSend:
    """A message is due; whether it may go is for `permit` to say, at the moment of sending. From `expires_at` on it is too
    late to begin. `priority` None: the journey's.
    """

    step: str
    round: int
    visit: int
    template: str
    via: tuple[str, ...]
    due_at: datetime
    expires_at: datetime | None = None
    priority: int | None = None


@dataclass(frozen=True)
class Assign:
    """The contact has this variant of the experiment from now on."""

    experiment: str
    variant: str


@dataclass(frozen=True)
class EndPrevious:
    """`again: restart`: the active enrollment of the same key ends, and this one begins in its place."""

    enrollment: Enrollment


@dataclass(frozen=True)
class UpdateContact:
    """The contact changes. It is carried out at once: whatever is decided next must see it."""

    step: str
    round: int
    change: Change


@dataclass(frozen=True)
class EmitEvent:
    """An event of this contact happens; text in `properties` is rendered like a message, `matched` being what the last
    `wait_for` had found. Once per (enrollment, step, round).
    """

    step: str
    round: int
    name: str
    properties: Mapping[str, Plain]
    matched: Properties | None = None


@dataclass(frozen=True)
class PlanCall:
    """A webhook is to be called; the enrollment stays until that has ended."""

    step: str
    round: int
    visit: int
    due_at: datetime


@dataclass(frozen=True)
class StartJourney:
    """The contact knocks at the door of another journey, with these properties as `event`."""

    step: str
    journey: str
    properties: Properties
    at: datetime


Effect = PlanSend | EndPrevious | Assign | UpdateContact | EmitEvent | PlanCall | StartJourney


@dataclass(frozen=True)
class TraceLine:
    """One thing looked at: where it stands in the file, what was wanted, what was found, and what followed."""

    path: str
    wanted: str
    found: Any
    result: str


class Decision(NamedTuple):
    """What follows from a signal. `enrollment` is None when nobody enters; `changed` False when nothing need be saved.

    `again`: the enrollment has moved, and what was answered may not be true any more (the contact was changed, say). Carry
    the effects out and decide this enrollment again, with the same signal and no answers; `arriving` is set on it.
    """

    enrollment: Enrollment | None
    effects: tuple[Effect, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    changed: bool = True
    again: bool = False


class Undecided(NamedTuple):
    """The facts lack these answers; ask and decide again from the start.

    `about`: the enrollment as it stands in mid-decision (a matched event may be new); None while still at the door.
    """

    questions: tuple[Question, ...]
    about: Enrollment | None = None
