"""`wait_for`: an event, or a condition that turns true, or else the timeout; exactly one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.audience.event_match import EVENT_MATCH_FIELDS, EventMatch
from engine.document import Mapping as MappingNode
from engine.document import Node
from engine.grammar import INVALID, Field, Later, Reader, Shape, shown
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
)
from engine.journey.values import Happened, Holds, Question
from engine.moments import WINDOW, Window


@dataclass(frozen=True)
class Awaited:
    """What is waited for: `match` or `when`, at most `timeout`."""

    match: EventMatch | None
    when: Condition | None
    timeout: Window

    def label(self) -> str:
        what = self.match.label() if self.match else self.when.label() if self.when else ""
        return f"{what}, at most {self.timeout.text}"


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
            matched = answer.found.get("properties") if self.awaited.match and isinstance(answer.found, dict) else None
            return Go(self.then, wanted=self.label(), found=answer.found, why="came", matched=matched)
        if visit.arriving:
            return Stay(due_at=deadline)
        if visit.signal.kind != "timer" or visit.signal.visit != visit.enrollment.visit:
            return Ignore()
        if visit.signal.at < deadline:  # set while the journey was paused, for something that holds no longer
            return Stay(due_at=deadline)
        return Go(self.otherwise, wanted=self.label(), found=answer.found, why="timeout")

    def _question(self, visit: Visit, deadline: Any) -> Question:
        # Looked up in the stored history, never in the signal alone: an event counts when it happened at or after
        # arrival and up to the deadline, in whatever order the signals come.
        if self.awaited.match is not None:
            since = deadline - self.awaited.timeout.delta
            return Happened(self.question_path, self.awaited.match, since, min(deadline, visit.now))
        assert self.awaited.when is not None
        return Holds(self.question_path, self.awaited.when)


@dataclass(frozen=True)
class AwaitedType:
    """What stands behind `wait_for:`."""

    expected: str = "a mapping {event, where, key, timeout} or {when, timeout}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        timeout = {"timeout": Field(WINDOW, "when to go on without it", required=True, example="23h")}
        if node.key("when") is not None:
            shape = Shape("wait_for", {"when": Field(ConditionType(), "the condition", required=True), **timeout})
            values = shape.read(node, reader)
            return INVALID if values is INVALID else Awaited(None, values["when"], values["timeout"])
        since = {"since": Field(Later("since"), "from when events count")}
        values = Shape("wait_for", {**EVENT_MATCH_FIELDS, **timeout, **since}).read(node, reader)
        if values is INVALID:
            return INVALID
        return Awaited(EventMatch(values["event"], values["where"], values["key"]), None, values["timeout"])


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    shape = Shape(
        "a wait_for step",
        {
            "wait_for": Field(AwaitedType(), "the event or condition", required=True),
            "id": Field(StepId(), "the step's name; the event's name if left out"),
            "then": Field(StepsType(steps, f"{path}.then"), "steps when it came", default=()),
            "otherwise": Field(StepsType(steps, f"{path}.otherwise"), "steps after the timeout", default=()),
        },
    )
    values = shape.read(node, reader)
    if values is INVALID:
        return INVALID
    awaited: Awaited = values["wait_for"]
    name = values["id"] or (awaited.match.name if awaited.match else "")
    return WaitFor(name, Spot(path, node.line, node.column), awaited, values["then"], values["otherwise"])


KIND = StepKind("wait_for", "an event, a condition or the timeout", _read)
