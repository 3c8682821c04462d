"""Operands: the values that an author compares with, read by the type of the field they stand beside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from engine.document import Node, Scalar
from engine.grammar import FieldType, Invalid, Reader, shown

Kind = Literal["text", "number", "boolean", "date", "datetime"]

_NUMBER_SHAPE = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DAY_SHAPE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT_SHAPE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_MOST_DIGITS = 60
_BOUNDED = re.compile(rf"[+-]?\d{{0,{_MOST_DIGITS}}}(\.\d{{0,{_MOST_DIGITS}}})?([eE][+-]?\d{{1,3}})?", re.ASCII)


@dataclass(frozen=True)
class Operand:
    """A value with its type; `plain` is how it stands in the file."""

    kind: Kind
    value: str | Decimal | bool | date | datetime
    plain: str | int | float | bool

    def label(self) -> str:
        if isinstance(self.plain, bool):
            return "true" if self.plain else "false"
        text = str(self.plain)
        return '""' if not text else text if len(text) <= 40 else text[:39] + "…"


def read_operand(node: Node, reader: Reader, subject: str, declared: FieldType | None) -> Operand | Invalid:
    """The operand of one comparison; `subject` names the field in errors, `declared` is its type or None."""
    if not isinstance(node, Scalar):
        return reader.refuse(node, f"expected one value to compare {subject} with, found {shown(node)}")
    if not node.text and not node.quoted:
        return reader.refuse(node, f'expected a value to compare {subject} with (the empty text is "")')
    if node.value is None:
        return reader.refuse(node, "null is no value to compare with: write {exists: false} or {exists: true}")
    return _READERS[declared](node, reader, subject)


def _as_it_stands(node: Scalar, reader: Reader, subject: str) -> Operand | Invalid:
    if node.quoted:
        return _text(node, reader, subject)
    if isinstance(node.value, bool):
        return Operand("boolean", node.value, node.value)
    if isinstance(node.value, int | float):
        return _number(node, reader, subject)
    if _NUMBER_SHAPE.fullmatch(node.text):
        return reader.refuse(node, f"{shown(node)} could be a number or a text: {_clearer(node.text)}")
    return _text(node, reader, subject)


def _clearer(text: str) -> str:
    """How to write a number so that nobody takes it for a text."""
    number = _bounded(text)
    return "quote it" if number is None else f"write {shortest(number)}, or quote it"


def shortest(number: Decimal) -> str:
    """The number without exponent and needless zeros: `12`, `1.5`, `0`."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if number else "0"


def _bounded(text: str) -> Decimal | None:
    """The number, or None when it has more digits than anybody means."""
    number = Decimal(text) if _BOUNDED.fullmatch(text) else None
    return number if number is not None and -_MOST_DIGITS <= number.adjusted() < _MOST_DIGITS else None


def _text(node: Scalar, _reader: Reader, _subject: str) -> Operand | Invalid:
    return Operand("text", node.text, node.text)


def _number(node: Scalar, reader: Reader, subject: str) -> Operand | Invalid:
    if not _NUMBER_SHAPE.fullmatch(node.text):
        return reader.refuse(node, f"{subject} is a number, found {shown(node)}")
    number = _bounded(node.text)
    if number is None:
        return reader.refuse(node, f"{shown(node)} has more than {_MOST_DIGITS} digits")
    return Operand("number", number, int(number) if number == number.to_integral_value() else float(number))


def _boolean(node: Scalar, reader: Reader, subject: str) -> Operand | Invalid:
    if node.text in ("true", "false"):
        return Operand("boolean", node.text == "true", node.text == "true")
    return reader.refuse(node, f"{subject} is true or false, found {shown(node)}")


def _date(node: Scalar, reader: Reader, subject: str) -> Operand | Invalid:
    try:
        day = date.fromisoformat(node.text) if _DAY_SHAPE.fullmatch(node.text) else None
    except ValueError:
        day = None
    if day is None:
        return reader.refuse(node, f"{subject} is a date: write it like 2026-03-01, found {shown(node)}")
    return Operand("date", day, node.text)


def _datetime(node: Scalar, reader: Reader, subject: str) -> Operand | Invalid:
    try:
        instant = datetime.fromisoformat(node.text) if _INSTANT_SHAPE.fullmatch(node.text) else None
    except ValueError:
        instant = None
    if instant is None:
        wanted = "write it with its offset, like 2026-03-01T09:00:00+07:00"
        return reader.refuse(node, f"{subject} is an instant: {wanted}, found {shown(node)}")
    return Operand("datetime", instant, node.text)


def read_moment(node: Scalar, reader: Reader, word: str, subject: str, declared: FieldType | None) -> Operand | Invalid:
    """A date, or an instant (not beside a field that is declared as a date), for an operator that asks of dates."""
    if declared == "date":
        return _date(node, reader, subject)
    if _DAY_SHAPE.fullmatch(node.text):
        return _date(node, reader, f"what stands behind '{word}'")
    if _INSTANT_SHAPE.fullmatch(node.text):
        return _datetime(node, reader, f"what stands behind '{word}'")
    wanted = "write it like 2026-03-01 or 2026-03-01T09:00:00+07:00"
    return reader.refuse(node, f"'{word}' takes a date or an instant: {wanted}, found {shown(node)}")


_READERS: dict[FieldType | None, Callable[[Scalar, Reader, str], Operand | Invalid]] = {
    None: _as_it_stands,
    "list": _as_it_stands,
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
}
