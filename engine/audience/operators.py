"""Operators: what each takes, what it asks of a value in SQL, and how a sentence says it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, not_

from engine.audience.operands import Operand, all_bound, read_operand
from engine.audience.value import Kind, One, Subject, Test
from engine.document import Node, Plain, Scalar, Sequence
from engine.grammar import INVALID, FieldType, Flag, Invalid, Reader, shown, suggestion

_MOST_VALUES = 1000
_FEW = 8  # more values go in as one array, which PostgreSQL hashes
_COMPARABLE: tuple[Kind, ...] = ("text", "number", "date", "datetime")

LATER = (
    *("not_contains", "starts_with", "ends_with", "has_any", "has_all", "before", "after", "within_last"),
    *("within_next", "day_is", "anniversary"),
)


@dataclass(frozen=True)
class Operator:
    """One word of the language. `takes` says what stands behind it: one value, a list, two ends, or true/false."""

    takes: Literal["one", "list", "ends", "flag"]
    holds: Callable[[Subject, tuple[Operand, ...]], ColumnElement[bool]]
    says: Callable[[tuple[Operand, ...]], str]
    ordered: bool = False  # needs a type that has an order


def _sortable(one: One, kind: Kind) -> ColumnElement[Any]:
    """The value in an order that is the same in every database: text by code point, whatever the collation."""
    return one.typed(kind).collate("C") if kind == "text" else one.typed(kind)


def _compares(compare: Callable[[Any, Any], Any], operand: Operand) -> Test:
    bound = operand.bound()
    return lambda one: compare(_sortable(one, operand.kind), bound)


def _equals(operand: Operand) -> Test:
    bound = operand.bound()
    return lambda one: one.typed(operand.kind) == bound


def _one_of(subject: Subject, operands: tuple[Operand, ...]) -> ColumnElement[bool]:
    kinds: dict[Kind, list[Operand]] = {}
    for operand in operands:
        kinds.setdefault(operand.kind, []).append(operand)
    return _either(*(subject.any(_among(kind, alike)) for kind, alike in kinds.items()))


def _among(kind: Kind, operands: list[Operand]) -> Test:
    few = [operand.bound() for operand in operands] if len(operands) <= _FEW else all_bound(kind, operands)
    return lambda one: one.typed(kind).in_(few)


def _either(first: ColumnElement[bool], *others: ColumnElement[bool]) -> ColumnElement[bool]:
    for other in others:
        first = first | other
    return first


def _but_not(subject: Subject, opposite: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(subject.present(), not_(opposite))


def _between(subject: Subject, ends: tuple[Operand, ...]) -> ColumnElement[bool]:
    kind, low, high = ends[0].kind, ends[0].bound(), ends[1].bound()
    return subject.any(lambda one: _sortable(one, kind).between(low, high))


def _is_asked(answer: ColumnElement[bool], asked: Operand) -> ColumnElement[bool]:
    return answer if asked.value else not_(answer)


def _order(compare: Callable[[Any, Any], Any], words: str, of_time: str) -> Operator:
    return Operator(
        "one",
        lambda subject, operands: subject.any(_compares(compare, operands[0])),
        lambda operands: f"is {of_time if operands[0].kind in ('date', 'datetime') else words} {operands[0].label()}",
        ordered=True,
    )


def _listed(operands: tuple[Operand, ...]) -> str:
    shown_ones = ", ".join(operand.label() for operand in operands[:5])
    return shown_ones if len(operands) <= 5 else f"{shown_ones}, … ({len(operands)} values)"


OPERATORS: dict[str, Operator] = {
    "eq": Operator("one", lambda s, o: s.any(_equals(o[0])), lambda o: f"is {o[0].label()}"),
    "ne": Operator("one", lambda s, o: _but_not(s, s.any(_equals(o[0]))), lambda o: f"is not {o[0].label()}"),
    "gt": _order(operator.gt, "more than", "after"),
    "gte": _order(operator.ge, "at least", "on or after"),
    "lt": _order(operator.lt, "less than", "before"),
    "lte": _order(operator.le, "at most", "on or before"),
    "between": Operator("ends", _between, lambda o: f"is between {o[0].label()} and {o[1].label()}", ordered=True),
    "in": Operator("list", _one_of, lambda o: f"is one of {_listed(o)}" if len(o) > 1 else f"is {o[0].label()}"),
    "not_in": Operator("list", lambda s, o: _but_not(s, _one_of(s, o)), lambda o: f"is none of {_listed(o)}"),
    "contains": Operator("one", lambda s, o: s.contains(o[0].kind, o[0].bound()), lambda o: f"contains {o[0].label()}"),
    "exists": Operator(
        "flag", lambda s, o: _is_asked(s.exists(), o[0]), lambda o: "exists" if o[0].value else "does not exist"
    ),
    "empty": Operator(
        "flag", lambda s, o: _is_asked(s.empty(), o[0]), lambda o: "is empty" if o[0].value else "is not empty"
    ),
}


@dataclass(frozen=True)
class Comparison:
    """One operator with its operands."""

    word: str
    operands: tuple[Operand, ...]

    def holds(self, subject: Subject) -> ColumnElement[bool]:
        return OPERATORS[self.word].holds(subject, self.operands)

    def label(self) -> str:
        return OPERATORS[self.word].says(self.operands)

    def plain(self) -> Plain:
        if OPERATORS[self.word].takes in ("one", "flag"):
            return self.operands[0].plain
        return [operand.plain for operand in self.operands]


@dataclass(frozen=True)
class Demand:
    """What is asked of one field: several comparisons mean all of them."""

    comparisons: tuple[Comparison, ...]

    def holds(self, subject: Subject) -> ColumnElement[bool]:
        return and_(*(each.holds(subject) for each in self.comparisons))

    def label(self) -> str:
        return " and ".join(each.label() for each in self.comparisons)

    def plain(self) -> Plain:
        return {each.word: each.plain() for each in self.comparisons}


@dataclass(frozen=True)
class Field:
    """What an operator stands beside: its name in errors, its declared type (None: undeclared), that of its items."""

    name: str
    type: FieldType | None
    items: FieldType | None = None

    @property
    def operand_type(self) -> FieldType | None:
        return self.items if self.type in (None, "list") else self.type


def read_demand(
    node: Node, reader: Reader, field: Field, words: tuple[str, ...] = tuple(OPERATORS)
) -> Demand | Invalid:
    """OP of the language: a scalar (equal), a list (one of) or a mapping of operators, those of `words` allowed."""
    if isinstance(node, Scalar):
        return _demand([_read_comparison("eq", node, node, reader, field)])
    if isinstance(node, Sequence):
        return _demand([_read_comparison("in", node, node, reader, field)])
    if not node.pairs:
        return reader.refuse(node, f"expected at least one operator ({', '.join(words)})")
    return _demand([_read_word(key, value, reader, field, words) for key, value in node])


def _demand(comparisons: list[Comparison | Invalid]) -> Demand | Invalid:
    good = tuple(each for each in comparisons if isinstance(each, Comparison))
    return Demand(good) if len(good) == len(comparisons) else INVALID


def _read_word(key: Scalar, value: Node, reader: Reader, field: Field, words: tuple[str, ...]) -> Comparison | Invalid:
    if key.text in words:
        return _read_comparison(key.text, key, value, reader, field)
    if key.text in LATER:
        return reader.refuse(key, f"'{key.text}' is not supported yet")
    if key.text in OPERATORS:
        return reader.refuse(key, f"'{key.text}' can't be asked of {field.name}")
    hint = suggestion(key.text, words) or f" (one of: {', '.join(words)})"
    return reader.refuse(key, f"unknown operator '{key.text}'{hint}")


def _read_comparison(word: str, at: Node, node: Node, reader: Reader, field: Field) -> Comparison | Invalid:
    operands = _read_operands(word, node, reader, field)
    if isinstance(operands, Invalid):
        return INVALID
    kinds = {operand.kind for operand in operands}
    if OPERATORS[word].ordered and not kinds <= set(_COMPARABLE):
        return reader.refuse(node, f"'{word}' needs a number, a text or a date, found {shown(node)}")
    if word == "contains" and field.type not in (None, "text", "list"):
        return reader.refuse(at, f"'contains' is asked of texts and lists; {field.name} is a {field.type}")
    return Comparison(word, operands)


def _read_operands(word: str, node: Node, reader: Reader, field: Field) -> tuple[Operand, ...] | Invalid:
    match OPERATORS[word].takes:
        case "flag":
            asked = Flag().read(node, reader)
            return INVALID if isinstance(asked, Invalid) else (Operand("boolean", asked, asked),)
        case "one":
            if not isinstance(node, Scalar):
                hint = "; for several write 'in' or 'not_in'" if isinstance(node, Sequence) else ""
                return reader.refuse(node, f"'{word}' takes one value, found {shown(node)}{hint}")
            return _all_read((node,), reader, field)
        case "list":
            if not isinstance(node, Sequence) or not node.items:
                return reader.refuse(node, f"'{word}' takes a list with at least one value, found {_list_shown(node)}")
            if len(node.items) > _MOST_VALUES:
                return reader.refuse(node, f"'{word}' takes at most {_MOST_VALUES} values, found {len(node.items)}")
            return _all_read(node.items, reader, field)
        case "ends":
            return _read_ends(word, node, reader, field)


def _read_ends(word: str, node: Node, reader: Reader, field: Field) -> tuple[Operand, ...] | Invalid:
    if not isinstance(node, Sequence) or len(node.items) != 2:
        return reader.refuse(node, f"'{word}' takes a list of two values, [lowest, highest], found {_list_shown(node)}")
    ends = _all_read(node.items, reader, field)
    if isinstance(ends, Invalid):
        return INVALID
    low, high = ends
    if low.kind != high.kind:
        return reader.refuse(node.items[1], f"'{word}' needs two values of one type, found {low.kind} and {high.kind}")
    if low.kind not in ("text", "boolean") and low.value > high.value:  # type: ignore[operator]  # one kind, one type
        return reader.refuse(node, f"'{word}' takes the lower end first: [{high.label()}, {low.label()}]")
    return ends


def _list_shown(node: Node) -> str:
    return f"{len(node.items)} value(s)" if isinstance(node, Sequence) else shown(node)


def _all_read(nodes: tuple[Node, ...], reader: Reader, field: Field) -> tuple[Operand, ...] | Invalid:
    operands = [read_operand(node, reader, field.name, field.operand_type) for node in nodes]
    good = tuple(each for each in operands if isinstance(each, Operand))
    return good if len(good) == len(operands) else INVALID
