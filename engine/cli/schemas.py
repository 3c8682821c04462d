"""JSON Schemas by which editors complete, explain and check the files, made from the shapes that the reader itself uses.

They are never stricter than the reader. `alur validate` has the last word: what hangs on other files, on the order of
things or on two keys at once, no schema can say.
"""

from __future__ import annotations

import json
from typing import Any, Final

from engine.audience.segment import SEGMENT
from engine.config import CONFIG
from engine.journey.journey import JOURNEY
from engine.journey.schema import definitions

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (draft-07) of each kind of file: journey, segment, config."""
    return {
        "journey": _whole(JOURNEY.schema()),
        "segment": _whole(SEGMENT.schema()),
        "config": _whole(_with_references(CONFIG.schema())),
    }


def as_text(schema: dict[str, Any]) -> str:
    """The schema as the text of a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _whole(fragment: dict[str, Any]) -> dict[str, Any]:
    """The fragment as a schema of its own, with those definitions that it needs."""
    known = definitions()
    needed: dict[str, dict[str, Any]] = {}
    more = _referred(fragment)
    while more - needed.keys():
        needed |= {name: known[name] for name in more}
        more = {name for definition in needed.values() for name in _referred(definition)}
    return {"$schema": _DRAFT, **fragment, **({"definitions": needed} if needed else {})}


def _referred(part: Any) -> set[str]:
    match part:
        case {"$ref": str(place)}:
            return {place.removeprefix("#/definitions/")}
        case dict():
            return {name for each in part.values() for name in _referred(each)}
        case list():
            return {name for each in part for name in _referred(each)}
        case _:
            return set()


def _with_references(fragment: dict[str, Any]) -> dict[str, Any]:
    """The fragment, with `${NAME}` allowed for every value that is one word: the environment fills it in."""
    if "enum" in fragment or _is_word(fragment.get("type")):
        told: dict[str, Any] = {key: fragment[key] for key in ("description", "default", "examples") if key in fragment}
        return {"anyOf": [{key: fragment[key] for key in fragment if key not in told}, _REFERENCE], **told}
    changed: dict[str, Any] = dict(fragment)
    for key in ("items", "additionalProperties"):
        if isinstance(fragment.get(key), dict):
            changed[key] = _with_references(fragment[key])
    for key in ("anyOf", "allOf"):
        if key in fragment:
            changed[key] = [_with_references(each) for each in fragment[key]]
    if "properties" in fragment:
        changed["properties"] = {name: _with_references(each) for name, each in fragment["properties"].items()}
    return changed


def _is_word(kind: object) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return bool({"string", "number", "integer", "boolean"} & set(kinds))
