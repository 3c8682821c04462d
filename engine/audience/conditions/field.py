"""Conditions on a field: `contact.city`, `contact.tags`, `event.total`, `matched.PATH`, `entered.PATH`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from engine.audience import sql
from engine.audience.demand import Demand, Field, read_demand
from engine.audience.kind import OPERATION_SCHEMA, Condition, ConditionKind, Place, SegmentUse, Word
from engine.audience.path import read_path, steps
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, FieldType, Invalid, Types

Root = Literal["contact", "event", "matched", "entered"]

COLUMNS = ("user_id", "email", "phone", "locale", "timezone")  # of the table contact; what a person is known by


@dataclass(frozen=True, kw_only=True)
class FieldCondition(Condition):
    """OP on one field. `field.type` is its declared type; a path with `*` has none, only its items may."""

    root: Root
    parts: tuple[str, ...]
    field: Field
    demand: Demand

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        subject = _subject(self, scope)
        return sql.Verdict(sql.meets(subject, self.demand, scope.clock), subject.found())

    def label(self) -> str:
        return f"{self.field.name} {self.demand.label()}"

    def plain(self) -> Plain:
        return {self.field.name: self.demand.plain()}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


def _subject(condition: FieldCondition, scope: sql.Scope) -> sql.Subject:
    parts, field = condition.parts, condition.field
    if condition.root == "contact" and parts[0] in COLUMNS:
        return sql.Known("text", scope.contact.c[parts[0]])
    json = _properties(condition.root, scope)
    if "*" in parts:
        return sql.Spread(json, steps(parts), field.items)
    value, text = sql.at(json, parts), sql.text_at(json, parts)
    if field.type in (None, "list"):
        return sql.Loose(value, text, field.type, field.items)
    return sql.Json(value, text, field.type)


def _properties(root: Root, scope: sql.Scope) -> sql.ColumnElement[Any]:
    match root:
        case "contact":
            found: sql.ColumnElement[Any] | None = scope.contact.c.traits
        case "event":
            found = scope.event
        case "matched":
            found = scope.matched
        case "entered":
            found = scope.entered
        case _:
            assert_never(root)
    return sql.cast(sql.null(), sql.JSONB) if found is None else found


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
    if root == "contact" and parts[0] == "anonymous_id":
        return place.reader.refuse(key, f"'{key.text}' is not supported yet: a person may have many")
    types = _types(root, place)
    for length in range(1, len(parts)):
        above = ".".join(parts[:length])
        if types.get(above) not in (None, "list"):
            return place.reader.refuse(key, f"'{key.text}': {root}.{above} is a {types[above]} and has no parts")
    items: FieldType | None = "text" if root == "contact" and parts[0] == "tags" else None
    if len(parts) == 1:
        return Field(key.text, types.get(parts[0]), items)
    whole_item = len(parts) == 2  # `tags.0`, `tags.*`
    if "*" in parts:
        return Field(key.text, None, items if whole_item else None)
    return Field(key.text, items if whole_item and items else types.get(".".join(parts)))


_OWN: Types = {**dict.fromkeys(COLUMNS, "text"), "tags": "list"}


def _types(root: Root, place: Place) -> Types:
    """What is declared of the root's fields; nothing where it may be one of several events that nobody can name."""
    reader, events = place.reader, place.reader.declared.events
    if root == "contact":
        return {**reader.declared.fields, **_OWN}
    if root == "matched":
        return _agreed([events.get(name) for name in reader.met])
    name = reader.tested if root == "event" and place.tested else reader.started_by
    return events.get(name or "", {})


def _agreed(contracts: Sequence[Types | None]) -> Types:
    """The types on which those agree that have the property; none at all where one of them is not known."""
    found: dict[str, FieldType] = {}
    unlike: set[str] = set()
    for contract in contracts:
        if contract is None:
            return {}
        for path, kind in contract.items():
            if found.setdefault(path, kind) != kind:
                unlike.add(path)
    return {path: kind for path, kind in found.items() if path not in unlike}


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
