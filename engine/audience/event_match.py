"""An event that a rule waits for, as exits, goals and `wait_for` name it: event, where, key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Select, Text, case, cast, func, select
from sqlalchemy import literal_column as constant

from engine import tables
from engine.audience.condition import Condition, ConditionType, Scope, SegmentUse
from engine.audience.operands import shortest
from engine.audience.path import read_path
from engine.audience.value import at, folded, origin, text_at
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

    def rows(
        self,
        scope: Scope,
        *,
        since: ColumnElement[Any],
        until: ColumnElement[Any] | None = None,
        excluding: ColumnElement[Any] | None = None,
    ) -> Select[Any]:
        """The matching events of the scope's contact in [since, until], without the one called `excluding`.

        `excluding` is an event's id, NULL for none. Columns id, occurred_at, properties, in the order (occurred_at, id).
        The select refers to the scope's tables from outside: use it as a scalar or EXISTS subquery, or a lateral join.
        Raises ValueError when there is a key to match and the scope has none.
        """
        event = tables.event.alias()
        found = select(event.c.id, event.c.occurred_at, event.c.properties).where(
            event.c.contact_id == scope.contact.c.id, event.c.name == self.name, event.c.occurred_at >= since
        )
        if until is not None:
            found = found.where(event.c.occurred_at <= until)
        if excluding is not None:
            found = found.where(event.c.id.is_distinct_from(excluding))
        if self.key is not None:
            if scope.key is None:
                raise ValueError(f"'{self.name}' is matched by key, and the scope has no key")
            found = found.where(folded(_key_text(event.c.properties, self.key) == scope.key))
        if self.where is not None:
            found = found.where(self.where.verdict(scope.testing(event.c.properties)).holds)
        return found.order_by(event.c.occurred_at, event.c.id).correlate_except(event)

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


def _key_text(properties: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[Any]:
    """`read_key` in SQL."""
    json, text = at(properties, path), text_at(properties, path)
    came_as = origin(json)
    return case(
        (came_as.in_([constant("'string'"), constant("'boolean'")]), text),
        (came_as == constant("'number'"), cast(func.trim_scale(cast(json, Numeric)), Text)),
    )
