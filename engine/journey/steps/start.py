"""`start`: the contact knocks at the door of another journey, which decides by its own entry rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from engine.document import Mapping as MappingNode
from engine.grammar import INVALID, NAME, Field, MentionType, Reader, Shape
from engine.journey.steps.base import Go, Move, Spot, StepId, StepKind, StepsReader, Straight, Visit
from engine.journey.values import StartJourney


@dataclass(frozen=True)
class Start(Straight):
    """What started this journey is handed over: `event` is the same there."""

    journey: str

    verb: ClassVar[str] = "start"

    def label(self) -> str:
        return f"start {self.journey}"

    def move(self, visit: Visit) -> Move:
        effect = StartJourney(self.id, self.journey, visit.enrollment.event, visit.at)
        return Go(self.next, wanted=self.label(), why="started", effects=(effect,))


_SHAPE = Shape(
    "a start step",
    {
        "start": Field(MentionType("journey", NAME), "the other journey's name", required=True, example="winback"),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    if values is INVALID:
        return INVALID
    return Start(values["id"] or "", Spot(path, node.line, node.column), values["start"])


KIND = StepKind(
    "start", "another journey begins", _read, _SHAPE,
    """
- wait: 30d
- start: winback
""",
)  # fmt: skip
