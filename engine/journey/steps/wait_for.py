"""`wait_for`: an event, or a condition that turns true, or else the timeout; exactly one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.audience.event_match import EVENT_MATCH_FIELDS, EventMatch
from engine.audience.kind import TestedShape
from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar, Sequence
from engine.grammar import INVALID, Choice, Field, Reader, Shape, any_of, shown
from engine.journey.steps.base import (
    Ask,
    Build,
    Go,
    Ignore,
    Move,
    Placed,
    Spot,
    State,
    Stay,
    Step,
    StepId,
    StepKind,
    StepsReader,
    StepsType,
    Visit,
    unread_steps,
)
from engine.journey.values import Happened, Holds, Question
from engine.moments import WINDOW, Window


@dataclass(frozen=True)
class Awaited:
    """What is waited for: `match` or `when`, at most `timeout` from arrival on. `since`: from when events count, the arrival on
    this step or the time of the trigger.
    """

    match: EventMatch | None
    when: Condition | None
    timeout: Window
    since: Literal["arrival", "entry"] = "arrival"

    def label(self) -> str:
        what = self.match.label() if self.match else self.when.label() if self.when else ""
        since = " since entry" if self.since == "entry" else ""
        return f"{what}{since}, at most {self.timeout.text}"


@dataclass(frozen=True)
class WaitFor(Placed):
    """A wait_for as it is written."""

    awaited: Awaited
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]

    def nested(self) -> tuple[tuple[Step, ...], ...]:
        return (self.then, self.otherwise)

    def segments_used(self) -> tuple[SegmentUse, ...]:
        awaited = self.awaited.match or self.awaited.when
        return awaited.segments_used() if awaited is not None else ()

    def compile(self, name: str, after: str | None, build: Build) -> State:
        return WaitForState(name, self.spot, self.awaited, build(self.then, after), build(self.otherwise, after))


@dataclass(frozen=True)
class WaitForState(Placed):
    awaited: Awaited
    then: str | None
    otherwise: str | None

    verb: ClassVar[str] = "wait_for"

    @property
    def question_path(self) -> str:
        return f"{self.path}.wait_for"

    def label(self) -> str:
        return f"wait for {self.awaited.label()}"

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return (("then", self.then), ("otherwise", self.otherwise))

    def move(self, visit: Visit) -> Move:
        arrived_at = visit.at if visit.arriving else visit.enrollment.arrived_at
        deadline = arrived_at + self.awaited.timeout.delta
        answer = visit.answer(self.question_path)
        if answer is None:
            return Ask((self._question(visit, deadline),))
        if answer.holds:
            if self.awaited.match is None:
                return Go(self.then, self.label(), answer.found, "came")
            matched, number = answer.found["properties"], int(answer.found["id"])
            return Go(self.then, self.label(), answer.found, "came", matched=matched, matched_id=number)
        if visit.arriving:
            return Stay(due_at=deadline)
        if visit.signal.kind == "moved" and deadline != visit.enrollment.due_at:
            return Stay(due_at=max(deadline, visit.signal.at), note="moved")
        if visit.signal.kind != "timer" or visit.signal.visit != visit.enrollment.visit:
            return Ignore()
        if visit.signal.at < deadline:  # set while the journey was paused, for something that holds no longer
            return Stay(due_at=deadline)
        return Go(self.otherwise, wanted=self.label(), found=answer.found, why="timeout")

    def _question(self, visit: Visit, deadline: datetime) -> Question:
        # Looked up in the stored history, never in the signal alone: an event counts when it happened at or after
        # arrival and up to the deadline, in whatever order the signals come; once, so that no other wait_for has it too.
        if self.awaited.match is not None:
            arrived_at = deadline - self.awaited.timeout.delta
            since = visit.enrollment.entered_at if self.awaited.since == "entry" else arrived_at
            return Happened(self.question_path, self.awaited.match, since, min(deadline, visit.now), unused=True)
        assert self.awaited.when is not None
        return Holds(self.question_path, self.awaited.when)


@dataclass(frozen=True)
class AwaitedType:
    """What stands behind `wait_for:`."""

    expected: str = "a mapping {event, where, key, since, timeout} or {when, timeout}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if node.key("when") is not None:
            values = _WHEN.read(node, reader)
            return INVALID if values is INVALID else Awaited(None, values["when"], values["timeout"])
        values = _EVENT.read(node, reader)
        if values is INVALID:
            return INVALID
        match = EventMatch(values["event"], values["where"], values["key"])
        return Awaited(match, None, values["timeout"], values["since"])

    def schema(self) -> dict[str, Any]:
        return any_of(_EVENT.schema(), _WHEN.schema())


_TIMEOUT = {"timeout": Field(WINDOW, "when to go on without it", required=True, example="23h")}
_KINDS = ("event", "when")
_WHEN = Shape("wait_for", {"when": Field(ConditionType(), "the condition", required=True), **_TIMEOUT}, kinds=_KINDS)
_SINCE = Field(
    Choice(("arrival", "entry"), "start"), "from when events count: arrival here, or entry", default="arrival"
)
_EVENT = TestedShape("wait_for", {**EVENT_MATCH_FIELDS, **_TIMEOUT, "since": _SINCE}, kinds=_KINDS)


def _shape(path: str, steps: StepsReader) -> Shape:
    return Shape(
        "a wait_for step",
        {
            "wait_for": Field(AwaitedType(), "the event or condition", required=True),
            "id": Field(StepId(), "the step's name; the event's name if left out"),
            "then": Field(StepsType(steps, f"{path}.then"), "steps when it came", default=()),
            "otherwise": Field(StepsType(steps, f"{path}.otherwise"), "steps after the timeout", default=()),
        },
    )


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _shape(path, steps).read(node, reader)
    if values is INVALID:
        return INVALID
    awaited: Awaited = values["wait_for"]
    name = values["id"] or (awaited.match.name if awaited.match else "")
    return WaitFor(name, Spot(path, node.line, node.column), awaited, values["then"], values["otherwise"])


def awaited_events(node: Node) -> Iterator[str]:
    """The events that a `wait_for` anywhere under the node names, as far as they are names; judged before it is read."""
    match node:
        case MappingNode():
            awaited = node.get("wait_for")
            event = awaited.get("event") if isinstance(awaited, MappingNode) else None
            if isinstance(event, Scalar):
                yield event.text
            for _, value in node:
                yield from awaited_events(value)
        case Sequence():
            for item in node.items:
                yield from awaited_events(item)
        case Scalar():
            pass


KIND = StepKind(
    "wait_for", "an event, a condition or the timeout", _read, _shape("", unread_steps),
    """
- wait_for: {event: order_completed, timeout: 23h}
  then:
    - exit: bought
  otherwise:
    - {send: cart_reminder, via: email}
""",
)  # fmt: skip
