"""JSON Schemas by which editors complete keys and explain them, made from the shapes that the reader itself uses.

They know what stands at the top of a file and inside plain mappings. Where the language decides by more than keys
(conditions, triggers, steps) they accept everything: `alur validate` has the last word.
"""

from __future__ import annotations

from typing import Any, Final

from engine.audience.segment import SEGMENT
from engine.config import CONFIG
from engine.config.types import MapOf
from engine.grammar import Choice, Flag, Later, ListOf, Number, Shape, Text, Type
from engine.journey.journey import JOURNEY

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}  # ${NAME} may stand for any value of config.yaml


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind of file: config, journey, segment."""
    return {
        "config": {"$schema": _DRAFT, "title": "config.yaml", **_of(CONFIG, references=True)},
        "journey": {"$schema": _DRAFT, "title": "a journey", **_of(JOURNEY, references=False)},
        "segment": {"$schema": _DRAFT, "title": "a segment", **_of(SEGMENT, references=False)},
    }


def _of(kind: Type, *, references: bool) -> dict[str, Any]:
    """What may stand at one place; never stricter than the reader."""
    match kind:
        case Shape():
            return _mapping(kind, references)
        case MapOf():
            return {"type": "object", "additionalProperties": _of(kind.value, references=references)}
        case ListOf():
            item = _of(kind.item, references=references)
            items = {"type": "array", "items": item, "minItems": kind.least}
            return {"anyOf": [item, items]} if kind.single else items
        case Text():
            pattern = {"pattern": f"^(?:{kind.pattern})$|{_REFERENCE['pattern']}"} if kind.pattern is not None else {}
            return {"type": ["string", "number", "boolean"], **pattern}
        case Choice() | Number() | Flag():
            plain = _plain(kind)
            return {"anyOf": [plain, _REFERENCE]} if references else plain
        case _:
            return {}


def _plain(kind: Choice | Number | Flag) -> dict[str, Any]:
    match kind:
        case Choice():
            return {"enum": list(kind.words)}
        case Flag():
            return {"type": "boolean"}
        case Number():
            bounds = {"minimum": kind.least, "maximum": kind.most}
            word = "integer" if kind.whole else "number"
            return {"type": word, **{name: bound for name, bound in bounds.items() if bound is not None}}


def _mapping(shape: Shape, references: bool) -> dict[str, Any]:
    fields = {name: field for name, field in shape.fields.items() if not isinstance(field.type, Later)}
    properties: dict[str, Any] = {}
    for name, field in fields.items():
        examples = {"examples": [field.example]} if field.example is not None else {}
        properties[name] = {**_of(field.type, references=references), "description": field.about, **examples}
    required = {"required": [name for name, field in fields.items() if field.required]}
    return {
        "type": "object",
        "properties": properties,
        **(required if required["required"] else {}),
        "additionalProperties": False,
    }
