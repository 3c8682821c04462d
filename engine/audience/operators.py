"""The operators, each with what it asks of a value in SQL and how a sentence says it; those of dates have a file of their own."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, func, not_

from engine.audience.date_operators import DATE_OPERATORS
from engine.audience.operands import Operand, all_bound
from engine.audience.operation import Operator
from engine.audience.value import Kind, One, Subject, Test
from engine.grammar import FieldType

_FEW = 8  # more values go in as one array, which PostgreSQL hashes

_TEXTS: tuple[FieldType, ...] = ("text", "list")


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


def _starts_with(operand: Operand) -> Test:
    bound = operand.bound()
    return lambda one: func.starts_with(one.typed("text"), bound)


def _ends_with(operand: Operand) -> Test:
    bound = operand.bound()
    return lambda one: func.right(one.typed("text"), func.length(bound)) == bound


def _is_asked(answer: ColumnElement[bool], asked: Operand) -> ColumnElement[bool]:
    return answer if asked.value else not_(answer)


def _order(word: str, compare: Callable[[Any, Any], Any], words: str, of_time: str) -> Operator:
    return Operator(
        "one",
        lambda subject, operands, _: subject.any(_compares(compare, operands[0])),
        lambda operands: f"is {of_time if operands[0].kind in ('date', 'datetime') else words} {operands[0].label()}",
        ordered=True,
        about=f"{words}; of dates: {of_time}",
        example=f"{{event.total: {{{word}: 49.9}}}}",
    )


def _listed(operands: tuple[Operand, ...]) -> str:
    shown_ones = ", ".join(operand.label() for operand in operands[:5])
    return shown_ones if len(operands) <= 5 else f"{shown_ones}, … ({len(operands)} values)"


OPERATORS: dict[str, Operator] = {
    "eq": Operator(
        "one", lambda s, o, _: s.any(_equals(o[0])), lambda o: f"is {o[0].label()}",
        about="equal; the same as the value alone", example="{contact.city: {eq: Jakarta}}",
    ),
    "ne": Operator(
        "one", lambda s, o, _: _but_not(s, s.any(_equals(o[0]))), lambda o: f"is not {o[0].label()}",
        about="there, and not equal", example="{contact.city: {ne: Jakarta}}",
    ),
    "gt": _order("gt", operator.gt, "more than", "after"),
    "gte": _order("gte", operator.ge, "at least", "on or after"),
    "lt": _order("lt", operator.lt, "less than", "before"),
    "lte": _order("lte", operator.le, "at most", "on or before"),
    "between": Operator(
        "ends", lambda s, o, _: _between(s, o), lambda o: f"is between {o[0].label()} and {o[1].label()}", ordered=True,
        about="between two values, both ends included", example="{contact.points: {between: [100, 500]}}",
    ),
    "in": Operator(
        "list", lambda s, o, _: _one_of(s, o), lambda o: f"is one of {_listed(o)}" if len(o) > 1 else f"is {o[0].label()}",
        about="one of several; the same as the list alone", example="{contact.city: {in: [Jakarta, Bandung]}}",
    ),
    "not_in": Operator(
        "list", lambda s, o, _: _but_not(s, _one_of(s, o)), lambda o: f"is none of {_listed(o)}",
        about="there, and none of these", example="{contact.city: {not_in: [Jakarta, Bandung]}}",
    ),
    "contains": Operator(
        "one", lambda s, o, _: s.contains(o[0].kind, o[0].bound()), lambda o: f"contains {o[0].label()}",
        asked_of=_TEXTS,
        about="a text with this in it, or a list with an item equal to it", example="{contact.tags: {contains: vip}}",
    ),
    "not_contains": Operator(
        "one", lambda s, o, _: _but_not(s, s.contains(o[0].kind, o[0].bound())),
        lambda o: f"does not contain {o[0].label()}", asked_of=_TEXTS,
        about="there, and does not contain it", example="{contact.tags: {not_contains: staff}}",
    ),
    "starts_with": Operator(
        "text", lambda s, o, _: s.any(_starts_with(o[0])), lambda o: f"starts with {o[0].label()}", asked_of=_TEXTS,
        about="a text that begins with this", example="{contact.phone: {starts_with: +62}}",
    ),
    "ends_with": Operator(
        "text", lambda s, o, _: s.any(_ends_with(o[0])), lambda o: f"ends with {o[0].label()}", asked_of=_TEXTS,
        about="a text that ends with this", example="{contact.email: {ends_with: .ac.id}}",
    ),
    "has_any": Operator(
        "list", lambda s, o, _: _one_of(s, o), lambda o: f"has any of {_listed(o)}", asked_of=("list",),
        about="a list with at least one of these in it", example="{contact.tags: {has_any: [vip, gold]}}",
    ),
    "has_all": Operator(
        "list", lambda s, o, _: and_(*(s.any(_equals(each)) for each in o)), lambda o: f"has all of {_listed(o)}",
        asked_of=("list",), about="a list with every one of these in it",
        example="{contact.tags: {has_all: [student, newsletter]}}",
    ),
    "exists": Operator(
        "flag", lambda s, o, _: _is_asked(s.exists(), o[0]), lambda o: "exists" if o[0].value else "does not exist",
        about="there at all; null counts as missing", example="{contact.phone: {exists: true}}",
    ),
    "empty": Operator(
        "flag", lambda s, o, _: _is_asked(s.empty(), o[0]), lambda o: "is empty" if o[0].value else "is not empty",
        about="missing, the empty text or an empty list", example="{contact.nickname: {empty: false}}",
    ),
    **DATE_OPERATORS,
}  # fmt: skip
