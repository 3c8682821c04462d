"""The parts of the language that refer to themselves, as definitions of a JSON Schema: steps, conditions, operations."""

from __future__ import annotations

from typing import Any

from engine.audience.conditions import KINDS as CONDITION_KINDS
from engine.audience.demand import demand_schema
from engine.grammar import any_of
from engine.journey.steps import KINDS as STEP_KINDS

_STEP = {"$ref": "#/definitions/step"}


def definitions() -> dict[str, dict[str, Any]]:
    """What `{"$ref": "#/definitions/NAME"}` in the schema of any part of the language stands for."""
    return {
        "steps": {"type": "array", "items": _STEP},
        "step": any_of(*({**kind.shape.schema(), "description": kind.about} for kind in STEP_KINDS.values())),
        "condition": _condition(),
        "operation": demand_schema(),
    }


def _condition() -> dict[str, Any]:
    told = {word: each for kind in CONDITION_KINDS for word, each in kind.told.items()}
    fragments = {word: _described(each.schema, each.about) for word, each in told.items()}
    roots = {word: fragment for word, fragment in fragments.items() if word.endswith(".")}
    return {
        "type": "object",
        "description": "several keys mean all of them",
        "properties": {word: fragment for word, fragment in fragments.items() if word not in roots},
        "patternProperties": {f"^{root[:-1]}\\..": fragment for root, fragment in roots.items()},
        "minProperties": 1,
        "additionalProperties": False,
    }


def _described(fragment: dict[str, Any], about: str) -> dict[str, Any]:
    """Draft-07 ignores whatever stands beside a `$ref`."""
    return {"allOf": [fragment], "description": about} if "$ref" in fragment else {**fragment, "description": about}
