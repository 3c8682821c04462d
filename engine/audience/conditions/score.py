"""Conditions on what is worked out about a person: RFM scores, worth, the last NPS answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from engine.audience import sql
from engine.audience.demand import Demand, Field, read_demand
from engine.audience.kind import OPERATION_SCHEMA, Condition, ConditionKind, Place, SegmentUse, Word
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, Invalid


@dataclass(frozen=True)
class Score:
    """A column of the table `score`."""

    column: str
    type: Literal["number", "text"]
    about: str
    example: str


SCORES: Final = {
    "rfm.recency": Score("recency", "number", "how lately they bought: 1 to 5, 5 is best", "{rfm.recency: {lte: 2}}"),
    "rfm.frequency": Score("frequency", "number", "how often they bought: 1 to 5", "{rfm.frequency: {gte: 4}}"),
    "rfm.monetary": Score("monetary", "number", "how much they spent: 1 to 5", "{rfm.monetary: [4, 5]}"),
    "rfm.group": Score("rfm_group", "text", "the group that the three make", "{rfm.group: [champions, loyal]}"),
    "value.lifetime": Score("lifetime", "number", "what they are worth so far", "{value.lifetime: {gte: 1000000}}"),
    "value.predicted": Score("predicted", "number", "what they will be worth", "{value.predicted: {gt: 0}}"),
    "value.alive": Score("alive", "number", "how likely they buy again, 0 to 1", "{value.alive: {lt: 0.5}}"),
    "value.tier": Score("tier", "text", "the tier of their worth", "{value.tier: gold}"),
    "nps": Score("nps", "number", "their last answer, 0 to 10", "{nps: {gte: 9}}"),
}


@dataclass(frozen=True, kw_only=True)
class ScoreCondition(Condition):
    """OP on one score; nobody has one before it was worked out, and then it is missing."""

    name: str
    demand: Demand

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        score = SCORES[self.name]
        known = sql.Known(score.type, _value(score.column, scope))
        return sql.Verdict(sql.meets(known, self.demand, scope.clock), known.found())

    def label(self) -> str:
        return f"{self.name} {self.demand.label()}"

    def plain(self) -> Plain:
        return {self.name: self.demand.plain()}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


def _value(column: str, scope: sql.Scope) -> sql.ColumnElement[Any]:
    table = sql.tables.score.alias()
    if scope.beside is not None:
        scope.beside.append(table)
        return table.c[column]
    mine = sql.select(table.c[column]).where(table.c.contact_id == scope.contact.c.id)
    return mine.correlate_except(table).scalar_subquery()


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    demand = read_demand(node, place.reader, Field(key.text, SCORES[key.text].type))
    return INVALID if isinstance(demand, Invalid) else ScoreCondition(line=key.line, name=key.text, demand=demand)


KIND = ConditionKind(
    tuple(SCORES),
    _read,
    {name: Word(score.about, OPERATION_SCHEMA, score.example) for name, score in SCORES.items()},
)
