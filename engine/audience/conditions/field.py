"""Conditions on a field: `contact.city`, `contact.tags`, `event.total`, `matched.PATH`, `entered.PATH`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, assert_never

from sqlalchemy import ColumnElement, cast, null
from sqlalchemy.dialects.postgresql import JSONB

from engine.audience.demand import Demand, Field, read_demand
from engine.audience.path import read_path, steps
from engine.audience.scope import OPERATION_SCHEMA, Condition, ConditionKind, Place, Scope, SegmentUse, Verdict, Word
from engine.audience.value import Json, Known, Loose, Spread, Subject, at, text_at
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, FieldType, Invalid

Root = Literal["contact", "event", "matched", "entered"]

COLUMNS = ("user_id", "email", "phone", "locale", "timezone")  # of the table contact; what a person is known by


@dataclass(frozen=True, kw_only=True)
class FieldCondition(Condition):
    """OP on one field. `field.type` is its declared type; a path with `*` has none, only its items may."""

    root: Root
    parts: tuple[str, ...]
    field: Field
    demand: Demand

    def verdict(self, scope: Scope) -> Verdict:
        subject = self._subject(scope)
        return Verdict(self.demand.holds(subject, scope.clock), subject.found())

    def _subject(self, scope: Scope) -> Subject:
        if self.root == "contact" and self.parts[0] in COLUMNS:
            return Known("text", scope.contact.c[self.parts[0]])
        json = self._json(scope)
        if "*" in self.parts:
            return Spread(json, steps(self.parts), self.field.items)
        value, text = at(json, self.parts), text_at(json, self.parts)
        if self.field.type in (None, "list"):
            return Loose(value, text, self.field.type, self.field.items)
        return Json(value, text, self.field.type)

    def _json(self, scope: Scope) -> ColumnElement[Any]:
        match self.root:
            case "contact":
                found: ColumnElement[Any] | None = scope.contact.c.traits
            case "event":
                found = scope.event
            case "matched":
                found = scope.matched
            case "entered":
                found = scope.entered
            case _:
                assert_never(self.root)
        return _NOTHING if found is None else found

    def label(self) -> str:
        return f"{self.field.name} {self.demand.label()}"

    def plain(self) -> Plain:
        return {self.field.name: self.demand.plain()}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


_NOTHING: ColumnElement[Any] = cast(null(), JSONB)
_ROOTS: tuple[Root, ...] = ("contact", "event", "matched", "entered")


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    root = next(root for root in _ROOTS if key.text.startswith(root + "."))
    parts = read_path(key.text, root, key, place.reader)
    refusal = _out_of_place(root, key.text, place)
    if refusal is not None:
        return place.reader.refuse(key, refusal)
    if isinstance(parts, Invalid):
        return INVALID
    field = _declared(root, parts, key, place)
    if isinstance(field, Invalid):
        return INVALID
    demand = read_demand(node, place.reader, field)
    if isinstance(demand, Invalid):
        return INVALID
    return FieldCondition(line=key.line, root=root, parts=parts, field=field, demand=demand)


def _out_of_place(root: Root, name: str, place: Place) -> str | None:
    """Why the root means nothing here, or None."""
    match root:
        case "contact":
            return None
        case "event":
            if place.tested or place.reader.has_event:
                return None
            return f"'{name}': no event starts people here, so there is no 'event'"
        case "matched":
            return None if place.matched else f"'{name}': no wait_for has come before, so there is no 'matched'"
        case "entered":
            if not place.reader.has_event:
                return f"'{name}': no event starts people here, so there is no 'entered'"
            if place.tested:
                return None
            return f"'{name}': outside of 'where' it is called 'event': write 'event.{name.partition('.')[2]}'"


def _declared(root: Root, parts: tuple[str, ...], key: Scalar, place: Place) -> Field | Invalid:
    """The field with its declared type; refused when it goes below something that has no parts."""
    if root != "contact":
        return Field(key.text, None)
    top = parts[0]
    if top == "anonymous_id":
        return place.reader.refuse(key, f"'{key.text}' is not supported yet: a person may have many")
    declared: FieldType | None = "text" if top in COLUMNS else "list" if top == "tags" else place.reader.fields.get(top)
    items: FieldType | None = "text" if top == "tags" else None
    if len(parts) == 1:
        return Field(key.text, declared, items)
    if declared not in (None, "list"):
        return place.reader.refuse(key, f"'{key.text}': contact.{top} is a {declared} and has no parts")
    whole_item = len(parts) == 2  # `tags.0`, `tags.*`
    if "*" in parts:
        return Field(key.text, None, items if whole_item else None)
    return Field(key.text, items if whole_item else place.reader.fields.get(".".join(parts)))


_TOLD: dict[Root, tuple[str, str]] = {
    "contact": (
        "a field of the contact, such as contact.city, contact.tags or contact.address.zip",
        "{contact.city: Jakarta, contact.points: {gte: 100}}",
    ),
    "event": (
        "a property of the event that started the enrollment; inside a where, of the event that is tested",
        "{event.total: {gte: 50000}, event.items.*.sku: lp_12}",
    ),
    "matched": ("a property of the event that the last wait_for met", "{matched.total: {gte: 100000}}"),
    "entered": (
        "inside a where: a property of the event that started the enrollment",
        "{did: {event: order_completed, where: {entered.cart_id: {exists: true}}}}",
    ),
}

KIND = ConditionKind(
    tuple(f"{root}." for root in _ROOTS),
    _read,
    {f"{root}.": Word(about, OPERATION_SCHEMA, example) for root, (about, example) in _TOLD.items()},
)
