"""`send`: one message; the enrollment stays until the send has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar, node_at
from engine.grammar import INVALID, NAME, SCALAR, Choice, Field, ListOf, Reader, Shape, shown
from engine.journey.steps.base import (
    ON_FAILURE,
    End,
    Go,
    Ignore,
    Move,
    OnFailure,
    Spot,
    Stay,
    StepId,
    StepKind,
    StepsReader,
    Straight,
    Visit,
)
from engine.journey.values import PlanSend
from engine.moments import WINDOW, Window

MEDIA = ("email", "sms", "whatsapp")


@dataclass(frozen=True)
class Send(Straight):
    """One message to one contact. Not begun within `expires` of becoming due, it is withheld."""

    template: str
    via: tuple[str, ...]
    vars: Mapping[str, Any]
    expires: Window | None = None
    on_failure: OnFailure = "continue"

    verb: ClassVar[str] = "send"

    def label(self) -> str:
        return f"send {self.template} via {', else '.join(self.via)}"

    def move(self, visit: Visit) -> Move:
        enrollment = visit.enrollment
        if visit.arriving:
            expires_at = visit.at + self.expires.delta if self.expires is not None else None
            plan = PlanSend(self.id, enrollment.round, enrollment.visit, self.template, self.via, visit.at, expires_at)
            return Stay(effects=(plan,), note=f"{self.template} is due")
        signal = visit.signal
        if signal.kind == "send" and signal.visit == enrollment.visit:
            outcome = str(signal.data.get("state", ""))
            if self.on_failure == "exit" and outcome in ("failed", "unknown"):
                return End("exit", dict(signal.data))
            return Go(self.next, wanted="the end of the send", found=dict(signal.data), why=outcome)
        return Ignore()


@dataclass(frozen=True)
class VarsType:
    """Named values for the template; text may hold template expressions."""

    expected: str = "a mapping of names to values"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        values = {}
        for key, value in node:
            if NAME.read(key, reader) is INVALID:
                continue
            if not isinstance(value, Scalar):
                reader.refuse(
                    value, f"the variable '{key.text}' must be text, a number or true/false, found {shown(value)}"
                )
                continue
            values[key.text] = value.value
        return values

    def schema(self) -> dict[str, Any]:
        value = {"type": [*SCALAR["type"], "null"]}
        return {"type": "object", "additionalProperties": value, "propertyNames": {"pattern": NAME.schema()["pattern"]}}


_SHAPE = Shape(
    "a send step",
    {
        "send": Field(NAME, "the template's name", required=True, example="cart_reminder"),
        "id": Field(StepId(), "the step's name, part of the send key; the template's name if left out"),
        "via": Field(
            ListOf(Choice(MEDIA, "channel"), single=True, least=1),
            "the channel, or several: the first one that may be used",
            required=True,
            example="email",
        ),
        "vars": Field(VarsType(), "values for the template", default={}, example={"discount": 10}),
        "expires": Field(WINDOW, "how long after becoming due it may still begin", example="24h"),
        "on_failure": ON_FAILURE,
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    if values is INVALID:
        return INVALID
    via = values["via"]
    twice = next((number for number, channel in enumerate(via) if channel in via[:number]), None)
    if twice is not None:
        at = node_at(node, f"via.{twice}") or node
        return reader.refuse(at, f"channel '{via[twice]}' stands in 'via' twice")
    return Send(
        values["id"] or values["send"],
        Spot(path, node.line, node.column),
        values["send"],
        via,
        values["vars"],
        values["expires"],
        values["on_failure"],
    )


KIND = StepKind(
    "send", "one message", _read, _SHAPE,
    """
- id: nudge
  send: cart_nudge
  via: [whatsapp, sms]
  vars: {discount: 10}
""",
)  # fmt: skip
