"""`in_flight`: what becomes of people under way when a new version of their journey is applied."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar
from engine.grammar import INVALID, Choice, Field, Reader, Shape, any_of, shown, suggestion

STEP_NAME: Final = re.compile(r"[a-z][a-z0-9_]*|steps(\.[a-z0-9_]+)+")
"""A step's id, or the path by which a step without one is called, such as `steps.3.then.0`."""


@dataclass(frozen=True)
class InFlight:
    """`pin`: they stay on the version they entered. `migrate`: they move to this one, each to the step of the same id, or
    to the one that `steps` (old name -> new name) says.
    """

    rule: Literal["pin", "migrate"] = "pin"
    steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _StepMap:
    expected: str = "a mapping {old_step: new_step}; {} when every id has stayed"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        steps: dict[str, str] = {}
        good = True
        for key, value in node:
            for end in (key, value):
                if not isinstance(end, Scalar) or STEP_NAME.fullmatch(end.text) is None:
                    reader.refuse(end, f"expected the id of a step (or its path, such as steps.0), found {shown(end)}")
                    good = False
            if isinstance(value, Scalar):
                steps[key.text] = value.text
        return steps if good else INVALID

    def schema(self) -> dict[str, Any]:
        name = {"type": "string", "pattern": f"^(?:{STEP_NAME.pattern})$"}
        return {"type": "object", "propertyNames": name, "additionalProperties": name}


_MIGRATE = Shape(
    "in_flight",
    {"migrate": Field(_StepMap(), "where people go whose step has another id now", required=True, example={})},
)
_PIN = Choice(("pin",), "in_flight rule")


@dataclass(frozen=True)
class InFlightType:
    """`pin`, or `{migrate: {old_step: new_step}}`."""

    expected: str = "pin or {migrate: {old_step: new_step}}"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, MappingNode):
            values = _MIGRATE.read(node, reader)
            return INVALID if values is INVALID else InFlight("migrate", values["migrate"])
        if isinstance(node, Scalar) and node.text == "migrate":
            return reader.refuse(
                node, "write {migrate: {old_step: new_step}}, or {migrate: {}} when every id has stayed"
            )
        return INVALID if _PIN.read(node, reader) is INVALID else InFlight()

    def schema(self) -> dict[str, Any]:
        return any_of(_PIN.schema(), _MIGRATE.schema())


def check_targets(journey: Node, steps: Collection[str], reader: Reader) -> None:
    """Refuse targets that are no steps of this file; which old steps there are is for the plan to know."""
    written = journey.get("in_flight") if isinstance(journey, MappingNode) else None
    targets = written.get("migrate") if isinstance(written, MappingNode) else None
    if not isinstance(targets, MappingNode):
        return
    for _, target in targets:
        if isinstance(target, Scalar) and target.text not in steps:
            reader.refuse(
                target,
                f"unknown step '{target.text}'{suggestion(target.text, steps)}: the new step must be in this file",
            )
