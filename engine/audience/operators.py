"""The operators: what stands behind each word, and how a sentence says it; those of dates have a file of their own.

What each asks of a value: `engine.audience.sql.operators`.
"""

from __future__ import annotations

from engine.audience.date_operators import DATE_OPERATORS
from engine.audience.operands import Operand
from engine.audience.operation import Operator
from engine.grammar import FieldType

_TEXTS: tuple[FieldType, ...] = ("text", "list")


def _order(word: str, words: str, of_time: str) -> Operator:
    return Operator(
        "one",
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
        "one", lambda o: f"is {o[0].label()}",
        about="equal; the same as the value alone", example="{contact.city: {eq: Jakarta}}",
    ),
    "ne": Operator(
        "one", lambda o: f"is not {o[0].label()}",
        about="there, and not equal", example="{contact.city: {ne: Jakarta}}",
    ),
    "gt": _order("gt", "more than", "after"),
    "gte": _order("gte", "at least", "on or after"),
    "lt": _order("lt", "less than", "before"),
    "lte": _order("lte", "at most", "on or before"),
    "between": Operator(
        "ends", lambda o: f"is between {o[0].label()} and {o[1].label()}", ordered=True,
        about="between two values, both ends included", example="{contact.points: {between: [100, 500]}}",
    ),
    "in": Operator(
        "list", lambda o: f"is one of {_listed(o)}" if len(o) > 1 else f"is {o[0].label()}",
        about="one of several; the same as the list alone", example="{contact.city: {in: [Jakarta, Bandung]}}",
    ),
    "not_in": Operator(
        "list", lambda o: f"is none of {_listed(o)}",
        about="there, and none of these", example="{contact.city: {not_in: [Jakarta, Bandung]}}",
    ),
    "contains": Operator(
        "one", lambda o: f"contains {o[0].label()}",
        asked_of=_TEXTS,
        about="a text with this in it, or a list with an item equal to it", example="{contact.tags: {contains: vip}}",
    ),
    "not_contains": Operator(
        "one", lambda o: f"does not contain {o[0].label()}", asked_of=_TEXTS,
        about="there, and does not contain it", example="{contact.tags: {not_contains: staff}}",
    ),
    "starts_with": Operator(
        "text", lambda o: f"starts with {o[0].label()}", asked_of=_TEXTS,
        about="a text that begins with this", example="{contact.phone: {starts_with: +62}}",
    ),
    "ends_with": Operator(
        "text", lambda o: f"ends with {o[0].label()}", asked_of=_TEXTS,
        about="a text that ends with this", example="{contact.email: {ends_with: .ac.id}}",
    ),
    "has_any": Operator(
        "list", lambda o: f"has any of {_listed(o)}", asked_of=("list",),
        about="a list with at least one of these in it", example="{contact.tags: {has_any: [vip, gold]}}",
    ),
    "has_all": Operator(
        "list", lambda o: f"has all of {_listed(o)}",
        asked_of=("list",), about="a list with every one of these in it",
        example="{contact.tags: {has_all: [student, newsletter]}}",
    ),
    "exists": Operator(
        "flag", lambda o: "exists" if o[0].value else "does not exist",
        about="there at all; null counts as missing", example="{contact.phone: {exists: true}}",
    ),
    "empty": Operator(
        "flag", lambda o: "is empty" if o[0].value else "is not empty",
        about="missing, the empty text or an empty list", example="{contact.nickname: {empty: false}}",
    ),
    **DATE_OPERATORS,
}  # fmt: skip
