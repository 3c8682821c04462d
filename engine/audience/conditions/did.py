"""Conditions on what a person did: `did` and `did_not`, within a window, with a `where`, so many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, not_, select
from sqlalchemy import literal_column as constant
from sqlalchemy.dialects.postgresql import JSONB

from engine import tables
from engine.audience.operators import Demand, Field, read_demand
from engine.audience.scope import Condition, ConditionKind, Inner, Place, Scope, SegmentUse, Verdict
from engine.audience.value import Known
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, NAME, Invalid, Later, Reader, Shape
from engine.grammar import Field as Key
from engine.moments import WINDOW, Window

_MOST_COUNTED = 1000  # a trace shows no higher count
_DEEPEST = 3  # each is a query inside a query
_COUNT = Field("count", "number")
_COUNT_WORDS = ("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in")


@dataclass(frozen=True, eq=False)
class _Seen:
    """Those events of one person in SQL."""

    rows: Select[Any]

    def any(self) -> ColumnElement[bool]:
        return self.rows.exists()

    def count(self, most: int) -> ColumnElement[Any]:
        """How many, counted no further than `most`."""
        return select(func.count()).select_from(self.rows.limit(most).subquery()).scalar_subquery()

    def found(self, most: int = 0) -> ColumnElement[Any]:
        count = self.count(max(most, _MOST_COUNTED))
        return func.jsonb_build_object(constant("'count'"), count, type_=JSONB)


@dataclass(frozen=True)
class _Events:
    """The person's events that are looked for: all up to now, or in the last `within`, both ends included."""

    name: str
    where: Condition | None
    within: Window | None

    def seen(self, scope: Scope) -> _Seen:
        event = tables.event.alias()
        found: list[ColumnElement[bool]] = [
            event.c.contact_id == scope.contact.c.id,
            event.c.name == self.name,
            event.c.occurred_at <= scope.now,
        ]
        if self.within is not None:
            found.append(event.c.occurred_at >= scope.now - self.within.delta)
        if self.where is not None:
            found.append(self.where.verdict(scope.testing(event.c.properties)).holds)
        rows: Select[Any] = select(constant("1")).select_from(event).where(*found)
        return _Seen(rows.correlate_except(event))

    def label(self) -> str:
        window = f" in the last {self.within.text}" if self.within else ""
        return window + (f" where ({self.where.label()})" if self.where else "")

    def plain(self) -> dict[str, Plain]:
        plain: dict[str, Plain] = {"event": self.name}
        if self.where is not None:
            plain["where"] = self.where.plain()
        if self.within is not None:
            plain["within"] = self.within.text
        return plain

    def names(self) -> frozenset[str]:
        return frozenset({self.name}) | (self.where.events() if self.where else frozenset())

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.where.segments_used() if self.where else ()


@dataclass(frozen=True, kw_only=True)
class Did(Condition):
    """So many such events; without `count` at least one. Found is `{"count": n}`, counted up to 1,000."""

    matching: _Events
    count: Demand | None

    def verdict(self, scope: Scope) -> Verdict:
        seen = self.matching.seen(scope)
        if self.count is None or self.count.plain() in _AT_LEAST_ONE:
            return Verdict(seen.any(), seen.found())
        if self.count.plain() in _NONE:
            return Verdict(not_(seen.any()), seen.found())
        enough = _enough(self.count)
        counted = Known("number", seen.count(enough), always=True)
        return Verdict(self.count.holds(counted), seen.found(enough))

    def label(self) -> str:
        return f"did {self.matching.name}{_times(self.count) if self.count else ''}{self.matching.label()}"

    def plain(self) -> Plain:
        return {"did": self.matching.plain() | ({"count": self.count.plain()} if self.count else {})}

    def events(self) -> frozenset[str]:
        return self.matching.names()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.matching.segments_used()


@dataclass(frozen=True, kw_only=True)
class DidNot(Condition):
    """No such event. Found is `{"count": n}`."""

    matching: _Events

    def verdict(self, scope: Scope) -> Verdict:
        seen = self.matching.seen(scope)
        return Verdict(not_(seen.any()), seen.found())

    def label(self) -> str:
        return f"did not {self.matching.name}{self.matching.label()}"

    def plain(self) -> Plain:
        return {"did_not": dict(self.matching.plain())}

    def events(self) -> frozenset[str]:
        return self.matching.names()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.matching.segments_used()


_AT_LEAST_ONE: tuple[Plain, ...] = ({"gte": 1}, {"gt": 0})  # asked by EXISTS, which the planner can turn into a join
_NONE: tuple[Plain, ...] = ({"eq": 0}, {"lt": 1}, {"lte": 0})


def _numbers(count: Demand) -> list[int]:
    return [operand.plain for each in count.comparisons for operand in each.operands if isinstance(operand.plain, int)]


def _enough(count: Demand) -> int:
    """How far to count: one more than the highest number asked for decides every operator."""
    return max(_numbers(count)) + 1


_SAYS = {
    "eq": "exactly {}",
    "ne": "not exactly {}",
    "gt": "more than {}",
    "gte": "at least {}",
    "lt": "fewer than {}",
    "lte": "at most {}",
    "in": "exactly {}",
    "not_in": "not exactly {}",
}


def _times(count: Demand) -> str:
    parts = []
    for each in count.comparisons:
        numbers = [operand.label() for operand in each.operands]
        if each.word == "between":
            parts.append(f"between {numbers[0]} and {numbers[1]}")
        else:
            parts.append(_SAYS[each.word].format(" or ".join(numbers)))
    return f" {' and '.join(parts)} {'time' if _numbers(count)[-1] == 1 else 'times'}"


@dataclass(frozen=True)
class _CountType:
    """OP on a whole number."""

    expected: str = "a count such as 2 or {gte: 2}"

    def read(self, node: Node, reader: Reader) -> Any:
        demand = read_demand(node, reader, _COUNT, _COUNT_WORDS)
        if isinstance(demand, Invalid):
            return INVALID
        operands = [operand for each in demand.comparisons for operand in each.operands]
        if all(isinstance(each.plain, int) and 0 <= each.plain <= 1_000_000 for each in operands):
            return demand
        return reader.refuse(node, "a count is compared with whole numbers from 0 to 1000000")


def _keys(where: Inner) -> dict[str, Key]:
    return {
        "event": Key(NAME, "the event's name", required=True, example="order_completed"),
        "where": Key(where, "a condition on the event that is looked at, as 'event'"),
        "within": Key(WINDOW, "only events of the last such span", example="30d"),
    }


def _read_did(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    where = Inner(place.inside())
    keys = _keys(where) | {"count": Key(_CountType(), "how many of them; without it at least one", example={"gte": 2})}
    later = {word: Key(Later(word), "of a property of these events") for word in ("sum", "avg", "min", "max")}

    def build(event: str, where: Condition | None, within: Window | None, count: Demand | None, **_: None) -> Condition:
        return Did(line=key.line, matching=_Events(event, where, within), count=count)

    did: Condition | Invalid = Shape("did", keys | later, build).read(node, place.reader)
    return did


def _read_did_not(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    def build(event: str, where: Condition | None, within: Window | None) -> Condition:
        return DidNot(line=key.line, matching=_Events(event, where, within))

    did_not: Condition | Invalid = Shape("did_not", _keys(Inner(place.inside())), build).read(node, place.reader)
    return did_not


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    if place.depth >= _DEEPEST:
        return place.reader.refuse(
            key, f"'{key.text}': at most {_DEEPEST} of them inside each other; make a segment of a part"
        )
    return _read_did(key, node, place) if key.text == "did" else _read_did_not(key, node, place)


KIND = ConditionKind(("did", "did_not"), _read)
