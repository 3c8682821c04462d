"""`exit`: the journey ends here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar
from engine.grammar import INVALID, Field, Reader, Shape, Text, any_of
from engine.journey.steps.base import Build, End, Move, Placed, Spot, State, StepId, StepKind, StepsReader, Visit


@dataclass(frozen=True)
class Exit(Placed):
    """The end under a reason that reports and `alur why` show."""

    reason: str

    verb: ClassVar[str] = "exit"

    def compile(self, name: str, after: str | None, build: Build) -> State:
        return replace(self, id=name)

    def label(self) -> str:
        return "exit" if self.reason == "exit" else f"exit: {self.reason}"

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return ()

    def move(self, visit: Visit) -> Move:
        return End(self.reason)


@dataclass(frozen=True)
class ReasonType:
    """Text, or nothing for the reason `exit`."""

    expected: str = "a reason"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.value is None:
            return "exit"
        return Text(expected=self.expected).read(node, reader)

    def schema(self) -> dict[str, Any]:
        return any_of(Text().schema(), {"type": "null"})


_SHAPE = Shape(
    "an exit step",
    {
        "exit": Field(ReasonType(), "the reason", required=True, example="not_interested"),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    return (
        INVALID if values is INVALID else Exit(values["id"] or "", Spot(path, node.line, node.column), values["exit"])
    )


KIND = StepKind(
    "exit", "the end of the journey", _read, _SHAPE,
    """
- branch:
    - when: {contact.plan: premium}
      do:
        - exit: upgraded
    - otherwise: []
- wait: 1d
""",
)  # fmt: skip
