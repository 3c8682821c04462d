"""`update`: fields and tags of the contact change, and consent is taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.audience.operands import read_operand
from engine.audience.path import read_path
from engine.document import Mapping as MappingNode
from engine.document import Node, Plain, Scalar, Sequence
from engine.grammar import (
    INVALID,
    NAME,
    SCALAR,
    Field,
    Invalid,
    ListOf,
    MentionType,
    Number,
    Reader,
    Shape,
    Text,
    any_of,
    shown,
    suggestion,
)
from engine.journey.change import COLUMNS, AddTo, Change, SetField
from engine.journey.steps.base import Go, Move, Spot, StepId, StepKind, StepsReader, Straight, Visit
from engine.journey.values import UpdateContact
from engine.moments import ZONE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATTERN = r"^contact\.[A-Za-z_]"

_IDENTITY = "says who the contact is, and comes from the app (identify) or an import"
_REFUSED = {
    **dict.fromkeys(("user_id", "anonymous_id", "email", "phone"), _IDENTITY),
    "tags": "is changed by tags: {add: [..], remove: [..]}",
    "consent": "is taken away by consent: {TOPIC: out}",
    "consent_wording": "is part of the person's own statement",
}
"""Fields that no journey sets, and what to say to who tries."""


@dataclass(frozen=True)
class Update(Straight):
    """The change of one step."""

    change: Change

    verb: ClassVar[str] = "update"

    def label(self) -> str:
        return f"update {', '.join(self._parts())}"

    def _parts(self) -> list[str]:
        change, parts = self.change, []
        for field in change.fields:
            name = f"contact.{'.'.join(field.path)}"
            parts.append(f"{name} {field.amount:+}" if isinstance(field, AddTo) else f"{name} = {_said(field.value)}")
        parts += [f"tag +{tag}" for tag in change.tags_added]
        parts += [f"tag -{tag}" for tag in change.tags_removed]
        return parts + [f"consent to {topic} out" for topic in change.withdrawn]

    def move(self, visit: Visit) -> Move:
        effect = UpdateContact(self.id, visit.enrollment.round, self.change)
        return Go(self.next, wanted=self.label(), why="updated", effects=(effect,))


def _said(value: Plain) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_said, value))}]"
        case _:
            return str(value)


# --- reading ----------------------------------------------------------------------------------------------------------

_TOPIC = MentionType("topic", NAME)
_ADD = Shape("a sum", {"add": Field(Number(), "how much is added; a missing field counts as 0", required=True)})
_LANGUAGE = Text(r"[a-z]{2,3}", "a language such as id or en")
_TAGS = Shape(
    "tags",
    {
        "add": Field(ListOf(Text(expected="a tag"), single=True), "tags to give", default=()),
        "remove": Field(ListOf(Text(expected="a tag"), single=True), "tags to take", default=()),
    },
)


@dataclass(frozen=True)
class ChangesType:
    """What stands behind `update:`."""

    expected: str = "a mapping such as {contact.tier: gold, tags: {add: [vip]}, consent: {offers: out}}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if not node.pairs:
            return reader.refuse(node, f"an update changes something: expected {self.expected}")
        found: dict[str, Any] = {"fields": []}
        for key, value in node:
            if key.text in _PARTS:
                found[key.text] = _PARTS[key.text](value, reader)
            elif key.text.startswith("contact."):
                found["fields"].append(_field(key, value, reader))
            else:
                reader.refuse(key, f"unknown key '{key.text}' in an update{_hint(key.text)}")
                found[key.text] = INVALID
        fields = found["fields"]
        if INVALID in found.values() or INVALID in fields or _collide(node, fields, reader):
            return INVALID
        added, removed = found.get("tags", ((), ()))
        return Change(tuple(fields), added, removed, found.get("consent", ()))

    def schema(self) -> dict[str, Any]:
        value = any_of(SCALAR, {"type": "null"}, {"type": "array", "items": SCALAR}, _ADD.schema())
        return {
            "type": "object",
            "properties": {
                "tags": {"description": "tags to give and to take", **_TAGS.schema()},
                "consent": {
                    "description": "topics to which consent is taken away",
                    "type": "object",
                    "additionalProperties": {"enum": ["out"]},
                    "minProperties": 1,
                },
            },
            "patternProperties": {_PATTERN: {"description": "the field's new value; null removes it", **value}},
            "additionalProperties": False,
            "minProperties": 1,
        }


def _hint(word: str) -> str:
    known = suggestion(word, ("tags", "consent"))
    return known or f" (did you mean 'contact.{word}'?)" if _NAME.fullmatch(word) else ": write contact.FIELD"


def _field(key: Scalar, node: Node, reader: Reader) -> SetField | AddTo | Invalid:
    parts = read_path(key.text, "contact", key, reader)
    if isinstance(parts, Invalid):
        return INVALID
    if parts[0] in _REFUSED:
        return reader.refuse(key, f"'{key.text}' can't be set by a journey: it {_REFUSED[parts[0]]}")
    if not all(map(_NAME.fullmatch, parts)) or (parts[0] in COLUMNS and len(parts) > 1):
        return reader.refuse(
            key, f"'{key.text}' is no field that can be set: write names, such as contact.address.city"
        )
    if isinstance(node, MappingNode):
        return _sum(key, node, parts, reader)
    value = _new_value(key, node, parts, reader)
    return INVALID if isinstance(value, Invalid) else SetField(parts, value)


def _new_value(key: Scalar, node: Node, parts: tuple[str, ...], reader: Reader) -> Plain | Invalid:
    if isinstance(node, Scalar) and node.value is None:
        return None if node.text else reader.refuse(node, f"expected a value for {key.text} (null removes it)")
    if parts[0] in COLUMNS:
        column: str | Invalid = (ZONE if parts[0] == "timezone" else _LANGUAGE).read(node, reader)
        return column
    if isinstance(node, Sequence) or reader.declared.fields.get(".".join(parts)) == "list":
        return _list(key, node, parts, reader)
    return _value(node, key, reader)


def _sum(key: Scalar, node: MappingNode, parts: tuple[str, ...], reader: Reader) -> AddTo | Invalid:
    declared = reader.declared.fields.get(".".join(parts))
    if node.key("add") is None:
        return reader.refuse(node, f"expected a value for {key.text} or {{add: NUMBER}}, found a mapping")
    values: dict[str, int | float] | Invalid = _ADD.read(node, reader)
    if isinstance(values, Invalid):
        return INVALID
    if parts[0] in COLUMNS or declared not in (None, "number"):
        what = f"declared as {declared} in config.yaml" if declared else "no number"
        return reader.refuse(node, f"{key.text} is {what}: nothing can be added to it")
    return AddTo(parts, values["add"], declared == "number")


def _list(key: Scalar, node: Node, parts: tuple[str, ...], reader: Reader) -> Plain | Invalid:
    declared = reader.declared.fields.get(".".join(parts))
    if declared not in (None, "list"):
        return reader.refuse(node, f"{key.text} is declared as {declared} in config.yaml, found a list")
    items = node.items if isinstance(node, Sequence) else (node,)
    values = [_value(item, key, reader) for item in items]
    good: list[Plain] = [value for value in values if not isinstance(value, Invalid)]
    return good if len(good) == len(values) else INVALID


def _value(node: Node, key: Scalar, reader: Reader) -> str | int | float | bool | Invalid:
    declared = reader.declared.fields.get(key.text.removeprefix("contact."))
    if not isinstance(node, Scalar) or node.value is None:
        return reader.refuse(node, f"expected one value for {key.text}, found {shown(node)}")
    operand = read_operand(node, reader, key.text, declared)
    if isinstance(operand, Invalid):
        return INVALID
    if isinstance(operand.plain, str) and ("{{" in operand.plain or "{%" in operand.plain):
        return reader.refuse(node, f"{shown(node)}: an update takes values as they are written, not templates")
    return operand.plain


def _tags(node: Node, reader: Reader) -> Any:
    values = _TAGS.read(node, reader)
    if values is INVALID:
        return INVALID
    added, removed = values["add"], values["remove"]
    if not added and not removed:
        return reader.refuse(node, "tags lacks 'add' or 'remove'")
    both = next((tag for tag in added if tag in removed), None)
    if both is not None:
        return reader.refuse(node, f"the tag '{both}' is both added and removed")
    return tuple(dict.fromkeys(added)), tuple(dict.fromkeys(removed))


def _consent(node: Node, reader: Reader) -> Any:
    if not isinstance(node, MappingNode) or not node.pairs:
        return reader.refuse(node, f"expected topics, such as {{offers: out}}, found {shown(node)}")
    topics = []
    for topic, word in node:
        name = _TOPIC.read(topic, reader)
        if isinstance(word, Scalar) and word.text == "out":
            topics.append(name)
            continue
        wants = isinstance(word, Scalar) and word.text in ("in", "true")
        own = "consent can only be taken away here ('out'); giving it needs the person's own act"
        topics.append(reader.refuse(word, own if wants else f"expected 'out', found {shown(word)}"))
    return INVALID if INVALID in topics else tuple(topics)


_PARTS: dict[str, Callable[[Node, Reader], Any]] = {"tags": _tags, "consent": _consent}


def _collide(node: MappingNode, fields: list[SetField | AddTo], reader: Reader) -> bool:
    """A field and a part of it can't both be set."""
    paths = [field.path for field in fields]
    for path in paths:
        whole = next((other for other in paths if other != path and path[: len(other)] == other), None)
        if whole is not None:
            name = f"contact.{'.'.join(path)}"
            at = node.key(name) or node
            reader.refuse(at, f"'{name}' is a part of 'contact.{'.'.join(whole)}', which this update sets too")
            return True
    return False


_SHAPE = Shape(
    "an update step",
    {
        "update": Field(
            ChangesType(),
            "what changes",
            required=True,
            example={"contact.tier": "gold", "contact.points": {"add": 10}},
        ),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    if values is INVALID:
        return INVALID
    return Update(values["id"] or "", Spot(path, node.line, node.column), values["update"])


KIND = StepKind(
    "update", "a change of the contact", _read, _SHAPE,
    """
- update:
    contact.tier: gold
    contact.points: {add: 10}
    tags: {add: [vip], remove: newcomer}
    consent: {offers: out}
""",
)  # fmt: skip
