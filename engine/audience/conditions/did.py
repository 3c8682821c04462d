"""Conditions on what a person did: `did` and `did_not`, within a window, with a `where`, so many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.audience import sql
from engine.audience.demand import Demand, Field, demand_schema, read_demand
from engine.audience.kind import (
    Condition,
    ConditionKind,
    Inner,
    Place,
    SegmentUse,
    TestedShape,
    Word,
    unread_condition,
)
from engine.audience.path import read_path
from engine.audience.sought import Sought, Total
from engine.audience.sought import Word as TotalWord
from engine.document import Mapping, Node, Plain, Scalar
from engine.grammar import INVALID, NAME, Invalid, Reader, Shape, shown
from engine.grammar import Field as Key
from engine.moments import WINDOW, Window

_DEEPEST = 3  # each is a query inside a query
_NUMERIC = ("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in")
_COUNT = Field("count", "number")


_MOST_COUNTED = 1000  # a trace shows no higher count, unless more was asked for
_AT_LEAST_ONE: tuple[Plain, ...] = ({"gte": 1}, {"gt": 0})  # asked by EXISTS, which the planner can turn into a join
_NONE: tuple[Plain, ...] = ({"eq": 0}, {"lt": 1}, {"lte": 0})


@dataclass(frozen=True, kw_only=True)
class Did(Condition):
    """So many such events, without `count` at least one, and totals of their properties.

    Found is `{"count": n}`, counted up to 1,000; with totals `{"count": n, "sum": {"total": 900}}`.
    """

    matching: Sought
    count: Demand | None
    totals: tuple[Total, ...] = ()

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        rows, asked = sql.rows_of_one(self.matching, scope), self.count.plain() if self.count else None
        if not self.totals and (asked is None or asked in _AT_LEAST_ONE):
            return sql.Verdict(rows.exists(), _counted(rows))
        if not self.totals and asked in _NONE:
            return sql.Verdict(sql.not_(rows.exists()), _counted(rows))
        if scope.beside is not None:
            tally = sql.of_everybody(self.matching, self.totals, scope)
            return sql.Verdict(_holds(self, tally, scope), tally.found())
        if not self.totals and self.count:
            enough = _enough(self.count)
            tally = sql.Tally(sql.count_up_to(rows, enough))
            return sql.Verdict(_holds(self, tally, scope), _counted(rows, enough))
        holds = sql.of_one(rows, self.totals, lambda tally: _holds(self, tally, scope))
        return sql.Verdict(holds, sql.of_one(rows, self.totals, sql.Tally.found))

    def label(self) -> str:
        totals = "".join(f", {total.label()}" for total in self.totals)
        return f"did {self.matching.name}{_times(self.count) if self.count else ''}{self.matching.label()}{totals}"

    def plain(self) -> Plain:
        plain = self.matching.plain() | ({"count": self.count.plain()} if self.count else {})
        for word in dict.fromkeys(total.word for total in self.totals):
            plain[word] = {total.name: total.demand.plain() for total in self.totals if total.word == word}
        return {"did": plain}

    def events(self) -> frozenset[str]:
        return self.matching.names()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.matching.segments_used()


@dataclass(frozen=True, kw_only=True)
class DidNot(Condition):
    """No such event. Found is `{"count": n}`."""

    matching: Sought

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        rows = sql.rows_of_one(self.matching, scope)
        return sql.Verdict(sql.not_(rows.exists()), _counted(rows))

    def label(self) -> str:
        return f"did not {self.matching.name}{self.matching.label()}"

    def plain(self) -> Plain:
        return {"did_not": dict(self.matching.plain())}

    def events(self) -> frozenset[str]:
        return self.matching.names()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.matching.segments_used()


def _holds(condition: Did, tally: sql.Tally, scope: sql.Scope) -> sql.ColumnElement[bool]:
    count = sql.Known("number", tally.count, always=True)
    often = (
        sql.meets(count, condition.count, scope.clock) if condition.count else tally.count >= sql.literal_column("1")
    )
    return sql.and_(often, *(sql.meets(known, total.demand, scope.clock) for total, known in tally.known()))


def _counted(rows: sql.Select[Any], enough: int = 0) -> sql.ColumnElement[Any]:
    return sql.Tally(sql.count_up_to(rows, max(enough, _MOST_COUNTED))).found()


def _enough(count: Demand) -> int:
    """How far to count: one more than the highest number asked for decides every operator."""
    return max(limits(count)) + 1


def limits(count: Demand) -> list[int]:
    """The whole numbers that a count is compared with."""
    return [operand.plain for each in count.comparisons for operand in each.operands if isinstance(operand.plain, int)]


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
    return f" {' and '.join(parts)} {'time' if limits(count)[-1] == 1 else 'times'}"


@dataclass(frozen=True)
class _CountType:
    """OP on a whole number."""

    expected: str = "a count such as 2 or {gte: 2}"

    def read(self, node: Node, reader: Reader) -> Any:
        demand = read_demand(node, reader, _COUNT, _NUMERIC)
        if isinstance(demand, Invalid):
            return INVALID
        operands = [operand for each in demand.comparisons for operand in each.operands]
        if all(isinstance(each.plain, int) and 0 <= each.plain <= 1_000_000 for each in operands):
            return demand
        return reader.refuse(node, "a count is compared with whole numbers from 0 to 1000000")

    def schema(self) -> dict[str, Any]:
        return demand_schema(_NUMERIC, {"type": "integer", "minimum": 0, "maximum": 1_000_000})


@dataclass(frozen=True)
class _TotalsType:
    """PATH: OP, for each path what its numbers come to."""

    word: TotalWord
    expected: str = "a mapping such as {total: {gte: 300}}: a path inside the properties, and what it is compared with"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Mapping) or not node.pairs:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        totals = [self._total(key, value, reader) for key, value in node]
        return INVALID if any(isinstance(total, Invalid) for total in totals) else tuple(totals)

    def _total(self, key: Scalar, value: Node, reader: Reader) -> Total | Invalid:
        path = read_path(key.text, "", key, reader)
        if isinstance(path, Invalid):
            return INVALID
        declared = reader.declared.events.get(reader.tested or "", {}).get(key.text)
        if declared not in (None, "number"):
            does = "adds up" if self.word == "sum" else "looks at"
            return reader.refuse(key, f"'{self.word}' {does} numbers; {key.text} of {reader.tested} is a {declared}")
        demand = read_demand(value, reader, Field(f"the {self.word} of {key.text}", "number"), (*_NUMERIC, "exists"))
        return INVALID if isinstance(demand, Invalid) else Total(self.word, path, demand, declared)

    def schema(self) -> dict[str, Any]:
        number = demand_schema((*_NUMERIC, "exists"), {"type": ["number", "string"]})
        return {"type": "object", "minProperties": 1, "additionalProperties": number}


_TOTALS: Final[dict[TotalWord, str]] = {
    "sum": "what a property of these events adds up to; 0 without any number",
    "avg": "its average",
    "min": "the least of it",
    "max": "the most of it",
}


def _keys(where: Inner) -> dict[str, Key]:
    return {
        "event": Key(NAME, "the event's name", required=True, example="order_completed"),
        "where": Key(where, "a condition on the event that is looked at, as 'event'"),
        "within": Key(WINDOW, "only events of the last such span", example="30d"),
    }


def _did_keys(where: Inner) -> dict[str, Key]:
    count = {"count": Key(_CountType(), "how many of them; without it at least one", example={"gte": 2})}
    totals = {
        word: Key(_TotalsType(word), about, default=(), example={"total": {"gte": 300000}})
        for word, about in _TOTALS.items()
    }
    return _keys(where) | count | totals


def _read_did(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    def build(
        event: str, where: Condition | None, within: Window | None, count: Demand | None, **totals: tuple[Total, ...]
    ) -> Condition:
        every = tuple(total for word in _TOTALS for total in totals[word])
        return Did(line=key.line, matching=Sought(event, where, within), count=count, totals=every)

    shape = TestedShape("did", _did_keys(Inner(place.inside())), build)
    did: Condition | Invalid = shape.read(node, place.reader)
    return did


def _read_did_not(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    def build(event: str, where: Condition | None, within: Window | None) -> Condition:
        return DidNot(line=key.line, matching=Sought(event, where, within))

    shape = TestedShape("did_not", _keys(Inner(place.inside())), build)
    did_not: Condition | Invalid = shape.read(node, place.reader)
    return did_not


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    if place.depth >= _DEEPEST:
        return place.reader.refuse(
            key, f"'{key.text}': at most {_DEEPEST} of them inside each other; make a segment of a part"
        )
    return _read_did(key, node, place) if key.text == "did" else _read_did_not(key, node, place)


_ANYWHERE = Inner(Place(Reader(""), tested=True, matched=True, read=unread_condition))

KIND = ConditionKind(
    ("did", "did_not"),
    _read,
    {
        "did": Word(
            "did something: so many times, within a window, with properties that come to so much",
            Shape("did", _did_keys(_ANYWHERE)).schema(),
            "{did: {event: order_completed, where: {event.shop: jakarta}, within: 30d, count: {gte: 2}, sum: {total: {gte: 300000}}}}",
        ),
        "did_not": Word(
            "did no such thing",
            Shape("did_not", _keys(_ANYWHERE)).schema(),
            "{did_not: {event: order_completed, within: 90d}}",
        ),
    },
)
