"""What is asked of one field: OP of the language, read from text and told in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.audience.date_operators import days_schema, read_days, read_span
from engine.audience.operands import Kind, Operand, read_moment, read_operand
from engine.audience.operation import Given, Takes
from engine.audience.operators import OPERATORS
from engine.document import Node, Plain, Scalar, Sequence
from engine.grammar import INVALID, SCALAR, FieldType, Flag, Invalid, Reader, any_of, shown, suggestion, text_schema
from engine.moments import WINDOW

_MOST_VALUES = 1000
_MOST_OF_ALL = 100  # of a list, each is a test of its own
_COMPARABLE: tuple[Kind, ...] = ("text", "number", "date", "datetime")


@dataclass(frozen=True)
class Comparison:
    """One operator with its operands."""

    word: str
    operands: tuple[Given, ...]

    def label(self) -> str:
        return OPERATORS[self.word].says(self.operands)

    def plain(self) -> Plain:
        several = OPERATORS[self.word].takes in ("list", "ends", "days")
        return [operand.plain for operand in self.operands] if several else self.operands[0].plain


@dataclass(frozen=True)
class Demand:
    """What is asked of one field: several comparisons mean all of them."""

    comparisons: tuple[Comparison, ...]

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


def demand_schema(words: tuple[str, ...] = tuple(OPERATORS), value: dict[str, Any] | None = None) -> dict[str, Any]:
    """OP as JSON Schema; `value` is what one operand may be."""
    one = SCALAR if value is None else value
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": _MOST_VALUES}
    takes: dict[Takes, dict[str, Any]] = {
        "one": one,
        "list": several,
        "ends": {"type": "array", "items": one, "minItems": 2, "maxItems": 2},
        "flag": {"type": "boolean"},
        "text": SCALAR,
        "moment": text_schema(r"\d{4}-\d\d-\d\d.*"),
        "span": WINDOW.schema(),
        "days": days_schema(),
    }
    operators = {word: {**takes[OPERATORS[word].takes], "description": OPERATORS[word].about} for word in words}
    mapping = {"type": "object", "properties": operators, "minProperties": 1, "additionalProperties": False}
    return any_of(one, several, mapping)


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
    if key.text in OPERATORS:
        return reader.refuse(key, f"'{key.text}' can't be asked of {field.name}")
    hint = suggestion(key.text, words) or f" (one of: {', '.join(words)})"
    return reader.refuse(key, f"unknown operator '{key.text}'{hint}")


def _read_comparison(word: str, at: Node, node: Node, reader: Reader, field: Field) -> Comparison | Invalid:
    operation = OPERATORS[word]
    asked_of = operation.asked_of
    if asked_of is not None and field.type is not None and field.type not in asked_of:
        kinds = " and ".join(_PLURAL[each] for each in asked_of if each != "list" or len(asked_of) < 3)
        return reader.refuse(at, f"'{word}' is asked of {kinds}; {field.name} is a {field.type}")
    operands = _read_operands(word, operation.takes, node, reader, field)
    return INVALID if isinstance(operands, Invalid) else Comparison(word, operands)


_PLURAL: dict[FieldType, str] = {"text": "texts", "list": "lists", "date": "dates", "datetime": "instants"}


def _read_operands(word: str, takes: Takes, node: Node, reader: Reader, field: Field) -> tuple[Given, ...] | Invalid:
    match takes:
        case "flag":
            asked = Flag().read(node, reader)
            return INVALID if isinstance(asked, Invalid) else (Operand("boolean", asked, asked),)
        case "one" | "text" | "moment":
            return _read_one(word, takes, node, reader, field)
        case "list":
            return _read_list(word, node, reader, field)
        case "ends":
            return _read_ends(word, node, reader, field)
        case "span":
            return read_span(node, reader)
        case "days":
            return read_days(node, reader)


def _read_one(word: str, takes: Takes, node: Node, reader: Reader, field: Field) -> tuple[Operand] | Invalid:
    if not isinstance(node, Scalar):
        several = {"contains": "has_any' or 'has_all", "not_contains": "has_any' or 'has_all"}.get(
            word, "in' or 'not_in"
        )
        hint = f"; for several write '{several}'" if isinstance(node, Sequence) else ""
        return reader.refuse(node, f"'{word}' takes one value, found {shown(node)}{hint}")
    if takes == "moment":
        moment = read_moment(node, reader, word, field.name, field.type)
        return INVALID if isinstance(moment, Invalid) else (moment,)
    operand = read_operand(node, reader, field.name, field.operand_type)
    if isinstance(operand, Invalid):
        return INVALID
    if takes == "text" and operand.kind != "text":
        return reader.refuse(node, f"'{word}' takes a text: quote it, \"{node.text}\"")
    if OPERATORS[word].ordered and operand.kind not in _COMPARABLE:
        return reader.refuse(node, f"'{word}' needs a number, a text or a date, found {shown(node)}")
    return (operand,)


def _read_list(word: str, node: Node, reader: Reader, field: Field) -> tuple[Operand, ...] | Invalid:
    if not isinstance(node, Sequence) or not node.items:
        return reader.refuse(node, f"'{word}' takes a list with at least one value, found {_list_shown(node)}")
    most = _MOST_OF_ALL if word == "has_all" else _MOST_VALUES
    if len(node.items) > most:
        return reader.refuse(node, f"'{word}' takes at most {most} values, found {len(node.items)}")
    return _all_read(node.items, reader, field)


def _read_ends(word: str, node: Node, reader: Reader, field: Field) -> tuple[Operand, ...] | Invalid:
    if not isinstance(node, Sequence) or len(node.items) != 2:
        return reader.refuse(node, f"'{word}' takes a list of two values, [lowest, highest], found {_list_shown(node)}")
    ends = _all_read(node.items, reader, field)
    if isinstance(ends, Invalid):
        return INVALID
    low, high = ends
    if low.kind != high.kind:
        return reader.refuse(node.items[1], f"'{word}' needs two values of one type, found {low.kind} and {high.kind}")
    if low.kind not in _COMPARABLE:
        return reader.refuse(node, f"'{word}' needs a number, a text or a date, found {shown(node)}")
    if low.kind != "text" and low.value > high.value:  # type: ignore[operator]  # one kind, one type
        return reader.refuse(node, f"'{word}' takes the lower end first: [{high.label()}, {low.label()}]")
    return ends


def _list_shown(node: Node) -> str:
    return f"{len(node.items)} value(s)" if isinstance(node, Sequence) else shown(node)


def _all_read(nodes: tuple[Node, ...], reader: Reader, field: Field) -> tuple[Operand, ...] | Invalid:
    operands = [read_operand(node, reader, field.name, field.operand_type) for node in nodes]
    good = tuple(each for each in operands if isinstance(each, Operand))
    return good if len(good) == len(operands) else INVALID
