"""Triggers: what brings a contact into a journey. One line per kind in the registry at the end; those that the clock
pulls are in `clock_triggers`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from engine.audience.event_match import DOOR_MATCH_FIELDS, EventMatch
from engine.audience.kind import TestedShape
from engine.document import Mapping, Node, Scalar
from engine.grammar import NAME, Field, Flag, MentionType, Reader, Shape, Text, any_of, shown, suggestion
from engine.journey.clock_triggers import (
    BROADCAST,
    DATE,
    DATES,
    SCHEDULE,
    BroadcastTrigger,
    ClockTrigger,
    DatesTrigger,
    DateTrigger,
    ScheduleTrigger,
)

__all__ = [
    "KINDS",
    "BroadcastTrigger",
    "ClockTrigger",
    "DateTrigger",
    "DatesTrigger",
    "EntersTrigger",
    "EventTrigger",
    "FinishedTrigger",
    "LeavesTrigger",
    "ManualTrigger",
    "ScheduleTrigger",
    "Trigger",
    "TriggerKind",
    "TriggerType",
    "event_named",
    "has_event",
]


@dataclass(frozen=True)
class EventTrigger:
    """The contact did something; `key` makes one enrollment per value of that property."""

    match: EventMatch

    has_event = True
    segments: ClassVar[tuple[str, ...]] = ()

    def label(self) -> str:
        where = f" where ({self.match.where.label()})" if self.match.where else ""
        key = f", one for each {'.'.join(self.match.key)}" if self.match.key else ""
        return f"{self.match.name}{where}{key}"


@dataclass(frozen=True)
class EntersTrigger:
    """The contact became a member of the segment."""

    segment: str

    has_event = False

    @property
    def segments(self) -> tuple[str, ...]:
        return (self.segment,)

    def label(self) -> str:
        return f"enters {self.segment}"


@dataclass(frozen=True)
class LeavesTrigger:
    """The contact stopped being a member of the segment."""

    segment: str

    has_event = False

    @property
    def segments(self) -> tuple[str, ...]:
        return (self.segment,)

    def label(self) -> str:
        return f"leaves {self.segment}"


@dataclass(frozen=True)
class FinishedTrigger:
    """Another journey has ended for the contact, for this reason or any; what was its `event` is handed over."""

    journey: str
    reason: str | None

    has_event = True
    segments: ClassVar[tuple[str, ...]] = ()

    def label(self) -> str:
        return f"{self.journey} has ended{f' as {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class ManualTrigger:
    """Nothing by itself: people are enrolled by the API, the command line or a step `start`."""

    has_event = True
    segments: ClassVar[tuple[str, ...]] = ()

    def label(self) -> str:
        return "by hand"


Trigger = EventTrigger | EntersTrigger | LeavesTrigger | ClockTrigger | FinishedTrigger | ManualTrigger

# --- reading ----------------------------------------------------------------------------------------------------------

_EVENT = TestedShape(
    "an event trigger",
    DOOR_MATCH_FIELDS,
    lambda event, where, key: EventTrigger(EventMatch(event, where, key)),
)
_ENTERS = Shape(
    "an enters trigger",
    {"enters": Field(MentionType("segment", NAME), "the segment", required=True, example="lapsed_buyers")},
    build=EntersTrigger,
    rename={"enters": "segment"},
)
_LEAVES = Shape(
    "a leaves trigger",
    {"leaves": Field(MentionType("segment", NAME), "the segment", required=True, example="lapsed_buyers")},
    build=LeavesTrigger,
    rename={"leaves": "segment"},
)
_FINISHED = Shape(
    "a finished trigger",
    {
        "finished": Field(MentionType("journey", NAME), "the other journey", required=True, example="welcome"),
        "reason": Field(Text(expected="a reason"), "only when it ended so; else for any reason", example="completed"),
    },
    build=FinishedTrigger,
    rename={"finished": "journey"},
)


@dataclass(frozen=True)
class _Yes:
    """`true`, the only thing that can be said here."""

    expected: str = "true"

    def read(self, node: Node, reader: Reader) -> Any:
        value = Flag(self.expected).read(node, reader)
        return reader.refuse(node, f"expected {self.expected}, found {shown(node)}") if value is False else value

    def schema(self) -> dict[str, Any]:
        return {"enum": [True]}


_MANUAL = Shape(
    "a manual trigger",
    {"manual": Field(_Yes(), "people are enrolled one by one", required=True, example=True)},
    lambda **_: ManualTrigger(),
)


@dataclass(frozen=True)
class TriggerKind:
    """The registry's entry: what brings people in, the shape that reads the mapping, a trigger as an author writes it.

    `has_event`: what started a person is `event` in the journey.
    """

    about: str
    shape: Shape
    example: str
    has_event: bool = False

    def read(self, node: Mapping, reader: Reader) -> Any:
        """The trigger of a mapping that has this kind's key, or `INVALID` after reporting."""
        return replace(self.shape, kinds=tuple(KINDS)).read(node, reader)


KINDS: dict[str, TriggerKind] = {
    "event": TriggerKind(
        "somebody does something",
        _EVENT,
        "{event: cart_updated, where: {event.total: {gte: 50000}}, key: event.cart_id}",
        has_event=True,
    ),
    "enters": TriggerKind("somebody becomes a member of a segment", _ENTERS, "{enters: lapsed_buyers}"),
    "leaves": TriggerKind("somebody stops being a member of a segment", _LEAVES, "{leaves: lapsed_buyers}"),
    "date": TriggerKind(
        "a date of the contact comes round", DATE, '{date: contact.birthday, offset: -3d, at: "09:00", leap_day: mar1}'
    ),
    "dates": TriggerKind(
        "a day of a list comes, such as a moving holiday",
        DATES,
        '{dates: [2027-03-10, 2028-02-27], offset: -7d, at: "10:00", segment: lapsed_buyers}',
    ),
    "schedule": TriggerKind(
        "a schedule comes round",
        SCHEDULE,
        '{schedule: "0 9 * * mon", timezone: Asia/Jakarta, segment: lapsed_buyers}',
    ),
    "finished": TriggerKind(
        "another journey has ended for somebody", _FINISHED, "{finished: welcome, reason: completed}", has_event=True
    ),
    "manual": TriggerKind(
        "somebody is enrolled by the API or the command line", _MANUAL, "{manual: true}", has_event=True
    ),
    # Last, because a date has a key 'at', too: the first kind whose key is there reads the mapping.
    "at": TriggerKind(
        "an instant comes: a broadcast", BROADCAST, "{at: 2027-03-10T09:00:00+07:00, segment: [lapsed_buyers]}"
    ),
}


def has_event(node: Node | None) -> bool:
    """False when the trigger is of a kind under which no `event` starts people; judged before it is read."""
    word = _kind(node) if isinstance(node, Mapping) else None
    return word is None or KINDS[word].has_event


def event_named(node: Node | None) -> str | None:
    """The event that the trigger names, the one that starts people; judged before it is read."""
    event = node.get("event") if isinstance(node, Mapping) else None
    return event.text if isinstance(event, Scalar) else None


def _kind(node: Mapping) -> str | None:
    return next((word for word in KINDS if node.key(word) is not None), None)


@dataclass(frozen=True)
class TriggerType:
    """What stands behind `trigger:`; exactly one kind."""

    expected: str = "a mapping with one of " + ", ".join(KINDS)

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        word = _kind(node)
        if word is not None:
            return KINDS[word].read(node, reader)
        if not node.pairs:
            return reader.refuse(node, f"trigger lacks its kind (one of: {', '.join(KINDS)})")
        key = node.pairs[0][0]
        return reader.refuse(key, f"unknown trigger '{key.text}'{suggestion(key.text, KINDS)}")

    def schema(self) -> dict[str, Any]:
        return any_of(*(kind.shape.schema() for kind in KINDS.values()))
