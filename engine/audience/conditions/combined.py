"""Conditions made of others: `all`, `any`, `not`, and a mapping of several keys, which means all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from engine.audience import sql
from engine.audience.kind import CONDITION_SCHEMA, Condition, ConditionKind, Inner, Place, SegmentUse, Word
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, Invalid, ListOf

_MOST_ARGUMENTS = 50  # PostgreSQL passes at most 100 to a function


@dataclass(frozen=True, kw_only=True)
class Group(Condition):
    """All of the parts, or any of them. Found is the list of what the parts found, in their order."""

    word: Literal["all", "any"]
    parts: tuple[Condition, ...]

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        verdicts = [part.verdict(scope) for part in self.parts]
        join = sql.and_ if self.word == "all" else sql.or_
        return sql.Verdict(join(*(each.holds for each in verdicts)), _array([each.found for each in verdicts]))

    def label(self) -> str:
        parts = (f"({part.label()})" if isinstance(part, Group) else part.label() for part in self.parts)
        return f"{self.word} of: {'; '.join(parts)}"

    def plain(self) -> Plain:
        return {self.word: [part.plain() for part in self.parts]}

    def events(self) -> frozenset[str]:
        return frozenset[str]().union(*(part.events() for part in self.parts))

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return tuple(use for part in self.parts for use in part.segments_used())


@dataclass(frozen=True, kw_only=True)
class Not(Condition):
    """Holds when the part does not, also for want of a value."""

    part: Condition

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        part = self.part.verdict(scope)
        return sql.Verdict(sql.not_(part.holds), part.found)  # `holds` is never NULL, so this is `(C) IS NOT TRUE`

    def label(self) -> str:
        return f"not ({self.part.label()})"

    def plain(self) -> Plain:
        return {"not": self.part.plain()}

    def events(self) -> frozenset[str]:
        return self.part.events()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.part.segments_used()


def _array(values: list[sql.ColumnElement[Any]]) -> sql.ColumnElement[Any]:
    chunks = [values[first : first + _MOST_ARGUMENTS] for first in range(0, len(values), _MOST_ARGUMENTS)]
    array: sql.ColumnElement[Any] = sql.func.jsonb_build_array(*chunks[0], type_=sql.JSONB)
    for chunk in chunks[1:]:
        array = array.op("||", return_type=sql.JSONB())(sql.func.jsonb_build_array(*chunk, type_=sql.JSONB))
    return array


def together(parts: tuple[Condition, ...], line: int) -> Condition:
    """What a mapping means: its only condition, or all of several."""
    return parts[0] if len(parts) == 1 else Group(line=line, word="all", parts=parts)


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    if key.text == "not":
        part = place.read(node, place)
        return INVALID if isinstance(part, Invalid) else Not(line=key.line, part=part)
    parts = ListOf(Inner(place), least=1).read(node, place.reader)
    if isinstance(parts, Invalid):
        return INVALID
    return Group(line=key.line, word="all" if key.text == "all" else "any", parts=parts)


_LIST = {"type": "array", "items": CONDITION_SCHEMA, "minItems": 1}

KIND = ConditionKind(
    ("all", "any", "not"),
    _read,
    {
        "all": Word("every one of them holds", _LIST, "{all: [{contact.city: Jakarta}, {did: {event: signed_up}}]}"),
        "any": Word("at least one of them holds", _LIST, "{any: [{contact.tier: gold}, {contact.points: {gte: 500}}]}"),
        "not": Word(
            "it does not hold, also for want of a value",
            CONDITION_SCHEMA,
            "{not: {contact.city: Jakarta}}  # holds for somebody without a city, too",
        ),
    },
)
