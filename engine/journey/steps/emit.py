"""`emit`: an event of the contact happens, as if an app had sent it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.document import Mapping as MappingNode
from engine.document import Plain
from engine.grammar import INVALID, NAME, Field, Reader, Shape
from engine.journey.rendered import RenderedMapping
from engine.journey.steps.base import Go, Move, Spot, StepId, StepKind, StepsReader, Straight, Visit
from engine.journey.values import EmitEvent


@dataclass(frozen=True)
class Emit(Straight):
    """One event; text in `properties` is rendered when it happens."""

    event: str
    properties: Mapping[str, Plain]

    verb: ClassVar[str] = "emit"

    def label(self) -> str:
        return f"emit {self.event}"

    def rendered(self) -> tuple[tuple[str, Plain], ...]:
        return (("properties", dict(self.properties)),)

    def move(self, visit: Visit) -> Move:
        enrollment = visit.enrollment
        effect = EmitEvent(self.id, enrollment.round, self.event, self.properties, enrollment.matched)
        return Go(self.next, wanted=self.label(), why="emitted", effects=(effect,))


_SHAPE = Shape(
    "an emit step",
    {
        "emit": Field(NAME, "the event's name", required=True, example="cart_given_up"),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
        "properties": Field(
            RenderedMapping(),
            "what the event holds; text is rendered like a message",
            default={},
            example={"step": "late"},
        ),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    if values is INVALID:
        return INVALID
    return Emit(values["id"] or "", Spot(path, node.line, node.column), values["emit"], values["properties"])


KIND = StepKind(
    "emit", "an event like any other", _read, _SHAPE,
    """
- emit: cart_given_up
  properties: {cart: "{{ event.cart_id }}", reminders: 2}
""",
)  # fmt: skip
