"""An event that a rule waits for, as exits, goals and `wait_for` name it: event, where, key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.audience.operands import shortest
from engine.audience.path import read_path
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, NAME, Field, Invalid, Reader, shown, text_schema


@dataclass(frozen=True)
class EventPath:
    """`event.PATH` to one value, as `key` and `value` take it; read as the parts of PATH."""

    expected: str = "a property such as event.cart_id"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Scalar) or not node.text.startswith("event."):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        parts = read_path(node.text, "event", node, reader)
        if isinstance(parts, Invalid):
            return INVALID
        return reader.refuse(node, f"'{node.text}' is a list; one value is needed here") if "*" in parts else parts

    def schema(self) -> dict[str, Any]:
        return text_schema(r"event\.[^*]+")


EVENT_MATCH_FIELDS: dict[str, Field] = {
    "event": Field(NAME, "the event's name", required=True, example="order_completed"),
    "where": Field(
        ConditionType(tested=True), "a condition on that event, as 'event'", example={"event.total": {"gte": 50000}}
    ),
    "key": Field(EventPath(), "the property that must equal the key of the enrollment", example="event.cart_id"),
}

DOOR_MATCH_FIELDS = EVENT_MATCH_FIELDS | {
    "where": replace(EVENT_MATCH_FIELDS["where"], type=ConditionType(tested=True, matched=False, enrolled=False))
}
"""The same at the door, where nobody is under way yet."""


@dataclass(frozen=True)
class EventMatch:
    """Events called `name` for which `where` holds and whose property at `key` is the enrollment's key."""

    name: str
    where: Condition | None = None
    key: tuple[str, ...] | None = None

    def label(self) -> str:
        where = f" where ({self.where.label()})" if self.where else ""
        key = f" with the same {'.'.join(self.key)}" if self.key else ""
        return f"{self.name}{where}{key}"

    def plain(self) -> Plain:
        plain: dict[str, Plain] = {"event": self.name}
        if self.where is not None:
            plain["where"] = self.where.plain()
        if self.key is not None:
            plain["key"] = "event." + ".".join(self.key)
        return plain

    def events(self) -> frozenset[str]:
        return frozenset({self.name}) | (self.where.events() if self.where else frozenset())

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.where.segments_used() if self.where else ()

    def segments(self) -> frozenset[str]:
        return frozenset(use.name for use in self.segments_used())


def read_key(path: tuple[str, ...], properties: Mapping[str, Any]) -> str | None:
    """The enrollment key that an event's properties hold at the path: text as it is, numbers and booleans in their
    shortest JSON notation (`12`, `1.5`, `true`); None where there is none, or a list or mapping stands there.
    """
    value: Any = properties
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            return shortest(Decimal(str(value)))
        case _:
            return None
