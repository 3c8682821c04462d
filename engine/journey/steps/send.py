"""`send`: one message; the enrollment stays until the send has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar
from engine.grammar import INVALID, NAME, Choice, Field, Later, ListOf, Reader, Shape, shown
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
from engine.journey.values import PlanSend

MEDIA = ("email", "sms", "whatsapp")


@dataclass(frozen=True)
class Send(Straight):
    """One message to one contact."""

    template: str
    via: tuple[str, ...]
    vars: Mapping[str, Any]

    verb: ClassVar[str] = "send"

    def label(self) -> str:
        return f"send {self.template} via {', else '.join(self.via)}"

    def move(self, visit: Visit) -> Move:
        enrollment = visit.enrollment
        if visit.arriving:
            plan = PlanSend(self.id, enrollment.round, enrollment.visit, self.template, self.via, visit.at)
            return Stay(effects=(plan,), note=f"{self.template} is due")
        signal = visit.signal
        if signal.kind == "send" and signal.visit == enrollment.visit:
            outcome = str(signal.data.get("state", ""))
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
        "expires": Field(Later("expires"), "how long the message may wait"),
        "on_failure": Field(Later("on_failure"), "continue or exit"),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    if values is INVALID:
        return INVALID
    via = values["via"]
    if len(set(via)) != len(via):
        return reader.refuse(node.get("via") or node, "a channel stands twice in 'via'")
    return Send(values["id"] or values["send"], Spot(path, node.line, node.column), values["send"], via, values["vars"])


KIND = StepKind("send", "one message", _read)
