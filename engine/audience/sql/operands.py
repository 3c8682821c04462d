"""Operands in SQL: what an author compares with, as bound parameters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Date, Numeric, Select, Text, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.types import TypeEngine

from engine.audience.operands import Kind, Operand

_TYPES: dict[Kind, TypeEngine[Any]] = {
    "text": Text(),
    "number": Numeric(),
    "boolean": Boolean(),
    "date": Date(),
    "datetime": TIMESTAMP(timezone=True),
}


def bound(operand: Operand) -> ColumnElement[Any]:
    """The value as a bound parameter; text folded by the database itself, so that both sides are folded alike."""
    value = literal(operand.value, _TYPES[operand.kind])
    return func.lower(value, type_=Text) if operand.kind == "text" else value


def all_bound(kind: Kind, operands: list[Operand]) -> Select[Any]:
    """The values of one kind as rows, from one bound array."""
    values = literal([operand.value for operand in operands], ARRAY(_TYPES[kind]))
    value = func.unnest(values, type_=_TYPES[kind]).column_valued()
    return select(func.lower(value, type_=Text) if kind == "text" else value)
