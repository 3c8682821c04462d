"""Conditions on what is worked out about a person: RFM scores, worth, the last NPS answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, select

from engine import tables
from engine.audience.demand import Demand, Field, read_demand
from engine.audience.scope import OPERATION_SCHEMA, Condition, ConditionKind, Place, Scope, SegmentUse, Verdict, Word
from engine.audience.value import Known
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, Invalid


@dataclass(frozen=True)
class _Score:
    """A column of the table `score`."""

    column: str
    type: Literal["number", "text"]
    about: str
    example: str


_SCORES: Final = {
    "rfm.recency": _Score("recency", "number", "how lately they bought: 1 to 5, 5 is best", "{rfm.recency: {lte: 2}}"),
    "rfm.frequency": _Score("frequency", "number", "how often they bought: 1 to 5", "{rfm.frequency: {gte: 4}}"),
    "rfm.monetary": _Score("monetary", "number", "how much they spent: 1 to 5", "{rfm.monetary: [4, 5]}"),
    "rfm.group": _Score("rfm_group", "text", "the group that the three make", "{rfm.group: [champions, loyal]}"),
    "value.lifetime": _Score("lifetime", "number", "what they are worth so far", "{value.lifetime: {gte: 1000000}}"),
    "value.predicted": _Score("predicted", "number", "what they will be worth", "{value.predicted: {gt: 0}}"),
    "value.alive": _Score("alive", "number", "how likely they buy again, 0 to 1", "{value.alive: {lt: 0.5}}"),
    "value.tier": _Score("tier", "text", "the tier of their worth", "{value.tier: gold}"),
    "nps": _Score("nps", "number", "their last answer, 0 to 10", "{nps: {gte: 9}}"),
}


@dataclass(frozen=True, kw_only=True)
class ScoreCondition(Condition):
    """OP on one score; nobody has one before it was worked out, and then it is missing."""

    name: str
    demand: Demand

    def verdict(self, scope: Scope) -> Verdict:
        score = _SCORES[self.name]
        known = Known(score.type, _value(score.column, scope))
        return Verdict(self.demand.holds(known, scope.clock), known.found())

    def label(self) -> str:
        return f"{self.name} {self.demand.label()}"

    def plain(self) -> Plain:
        return {self.name: self.demand.plain()}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


def _value(column: str, scope: Scope) -> ColumnElement[Any]:
    table = tables.score.alias()
    if scope.beside is not None:
        scope.beside.append(table)
        return table.c[column]
    mine = select(table.c[column]).where(table.c.contact_id == scope.contact.c.id)
    return mine.correlate_except(table).scalar_subquery()


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    demand = read_demand(node, place.reader, Field(key.text, _SCORES[key.text].type))
    return INVALID if isinstance(demand, Invalid) else ScoreCondition(line=key.line, name=key.text, demand=demand)


KIND = ConditionKind(
    tuple(_SCORES),
    _read,
    {name: Word(score.about, OPERATION_SCHEMA, score.example) for name, score in _SCORES.items()},
)
