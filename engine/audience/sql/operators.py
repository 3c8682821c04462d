"""What each operator asks of a value in SQL; those of dates have a file of their own."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, not_

from engine.audience.operands import Kind, Operand
from engine.audience.sql.date_operators import DATES_ASK
from engine.audience.sql.operands import all_bound, bound
from engine.audience.sql.value import Asks, One, Subject, Test

_FEW = 8  # more values go in as one array, which PostgreSQL hashes


def _sortable(one: One, kind: Kind) -> ColumnElement[Any]:
    """The value in an order that is the same in every database: text by code point, whatever the collation."""
    return one.typed(kind).collate("C") if kind == "text" else one.typed(kind)


def _compares(compare: Callable[[Any, Any], Any], operand: Operand) -> Test:
    value = bound(operand)
    return lambda one: compare(_sortable(one, operand.kind), value)


def _equals(operand: Operand) -> Test:
    value = bound(operand)
    return lambda one: one.typed(operand.kind) == value


def _one_of(subject: Subject, operands: tuple[Operand, ...]) -> ColumnElement[bool]:
    kinds: dict[Kind, list[Operand]] = {}
    for operand in operands:
        kinds.setdefault(operand.kind, []).append(operand)
    return _either(*(subject.any(_among(kind, alike)) for kind, alike in kinds.items()))


def _among(kind: Kind, operands: list[Operand]) -> Test:
    few = [bound(operand) for operand in operands] if len(operands) <= _FEW else all_bound(kind, operands)
    return lambda one: one.typed(kind).in_(few)


def _either(first: ColumnElement[bool], *others: ColumnElement[bool]) -> ColumnElement[bool]:
    for other in others:
        first = first | other
    return first


def _but_not(subject: Subject, opposite: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(subject.present(), not_(opposite))


def _between(subject: Subject, ends: tuple[Operand, ...]) -> ColumnElement[bool]:
    kind, low, high = ends[0].kind, bound(ends[0]), bound(ends[1])
    return subject.any(lambda one: _sortable(one, kind).between(low, high))


def _starts_with(operand: Operand) -> Test:
    value = bound(operand)
    return lambda one: func.starts_with(one.typed("text"), value)


def _ends_with(operand: Operand) -> Test:
    value = bound(operand)
    return lambda one: func.right(one.typed("text"), func.length(value)) == value


def _is_asked(answer: ColumnElement[bool], asked: Operand) -> ColumnElement[bool]:
    return answer if asked.value else not_(answer)


def _order(compare: Callable[[Any, Any], Any]) -> Asks:
    return lambda subject, operands, _: subject.any(_compares(compare, operands[0]))


ASKS: Final[Mapping[str, Asks]] = {
    "eq": lambda s, o, _: s.any(_equals(o[0])),
    "ne": lambda s, o, _: _but_not(s, s.any(_equals(o[0]))),
    "gt": _order(operator.gt),
    "gte": _order(operator.ge),
    "lt": _order(operator.lt),
    "lte": _order(operator.le),
    "between": lambda s, o, _: _between(s, o),
    "in": lambda s, o, _: _one_of(s, o),
    "not_in": lambda s, o, _: _but_not(s, _one_of(s, o)),
    "contains": lambda s, o, _: s.contains(o[0].kind, bound(o[0])),
    "not_contains": lambda s, o, _: _but_not(s, s.contains(o[0].kind, bound(o[0]))),
    "starts_with": lambda s, o, _: s.any(_starts_with(o[0])),
    "ends_with": lambda s, o, _: s.any(_ends_with(o[0])),
    "has_any": lambda s, o, _: _one_of(s, o),
    "has_all": lambda s, o, _: and_(*(s.any(_equals(each)) for each in o)),
    "exists": lambda s, o, _: _is_asked(s.exists(), o[0]),
    "empty": lambda s, o, _: _is_asked(s.empty(), o[0]),
    **DATES_ASK,
}
"""By the operator's word, as `engine.audience.operators` has them."""
