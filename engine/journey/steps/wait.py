"""`wait`: a duration, or the next time the clock shows a given hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, ClassVar

from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar
from engine.grammar import INVALID, Choice, Field, Later, ListOf, Reader, Shape
from engine.journey.steps.base import (
    Go,
    Ignore,
    Move,
    Spot,
    Stay,
    StepId,
    StepKind,
    StepsReader,
    Straight,
    Visit,
)
from engine.moments import CLOCK, WAIT, WEEKDAYS, Duration, add, next_clock_time


@dataclass(frozen=True)
class ClockTime:
    """The next local time strictly after arrival, on one of `days` if any are named."""

    until: time
    days: tuple[str, ...] = ()

    def label(self) -> str:
        days = f" on {', '.join(self.days)}" if self.days else ""
        return f"until {self.until:%H:%M}{days}"

    def due(self, arrived_at: datetime, zone: str) -> datetime:
        return next_clock_time(arrived_at, self.until, zone, self.days)


@dataclass(frozen=True)
class Elapse:
    """A duration from arrival on."""

    duration: Duration

    def label(self) -> str:
        return self.duration.text

    def due(self, arrived_at: datetime, zone: str) -> datetime:
        return add(arrived_at, self.duration, zone)


@dataclass(frozen=True)
class Wait(Straight):
    """A pause of a given length, or until a clock time."""

    span: Elapse | ClockTime

    verb: ClassVar[str] = "wait"

    def label(self) -> str:
        return f"wait {self.span.label()}"

    def move(self, visit: Visit) -> Move:
        enrollment, signal = visit.enrollment, visit.signal
        if visit.arriving:
            return Stay(due_at=self.span.due(visit.at, visit.facts.zone))
        if signal.kind == "timer" and signal.visit == enrollment.visit:
            return Go(self.next, wanted=self.label(), found=signal.at.isoformat(), why="over")
        if signal.kind == "profile":
            # The person may have moved to another zone: clock and calendar times follow, elapsed ones come out the same.
            due = self.span.due(enrollment.arrived_at, visit.facts.zone)
            return (
                Ignore()
                if due == enrollment.due_at
                else Stay(due_at=max(due, signal.at), note="moved with the time zone")
            )
        return Ignore()


_CLOCK_SHAPE = Shape(
    "a wait until a clock time",
    {
        "until": Field(CLOCK, "a local clock time", required=True, example="09:00"),
        "days": Field(ListOf(Choice(WEEKDAYS, "weekday"), single=True, least=1), "only on these weekdays", default=()),
        "offset": Field(Later("offset"), "before or after the date"),
        "at": Field(Later("at"), "clock time on the date"),
        "if_past": Field(Later("if_past"), "what if it is past"),
    },
    build=ClockTime,
)


@dataclass(frozen=True)
class SpanType:
    """What stands behind `wait:`."""

    expected: str = 'a duration such as 1h or 2d, or {until: "09:00"}'

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, MappingNode):
            until = node.get("until")
            if isinstance(until, Scalar) and until.text.startswith(("contact.", "event.")):
                return reader.refuse(until, "waiting until a date or instant of a field is not supported yet")
            return _CLOCK_SHAPE.read(node, reader)
        duration = WAIT.read(node, reader)
        return INVALID if duration is INVALID else Elapse(duration)


_SHAPE = Shape(
    "a wait step",
    {
        "wait": Field(SpanType(), "how long", required=True, example="1h"),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    return (
        INVALID if values is INVALID else Wait(values["id"] or "", Spot(path, node.line, node.column), values["wait"])
    )


KIND = StepKind("wait", "a pause", _read)
