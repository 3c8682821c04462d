"""The condition `in_segment`: the person is a member of a segment, or of any of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.audience import sql
from engine.audience.kind import Condition, ConditionKind, Place, SegmentUse, Word
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, NAME, Invalid, ListOf, MentionType, Reader


@dataclass(frozen=True, kw_only=True)
class InSegment(Condition):
    """Membership as it was last refreshed. Found is the list of those of the named segments that the person is in."""

    uses: tuple[SegmentUse, ...]

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        member = sql.tables.segment_member.alias()
        names = [use.name for use in self.uses]
        here = (member.c.contact_id == scope.contact.c.id, member.c.segment.in_(names))
        holds = sql.select(sql.literal_column("1")).select_from(member).where(*here).correlate_except(member).exists()
        listed = sql.func.coalesce(
            sql.func.jsonb_agg(member.c.segment), sql.literal_column("'[]'::jsonb", sql.JSONB), type_=sql.JSONB
        )
        return sql.Verdict(holds, sql.select(listed).where(*here).correlate_except(member).scalar_subquery())

    def label(self) -> str:
        return f"in segment {' or '.join(use.name for use in self.uses)}"

    def plain(self) -> Plain:
        return {"in_segment": [use.name for use in self.uses]}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.uses


@dataclass(frozen=True)
class _Use:
    """A segment's name with its place."""

    expected: str = "a segment's name"

    def read(self, node: Node, reader: Reader) -> Any:
        name = MentionType("segment", NAME).read(node, reader)
        return INVALID if isinstance(name, Invalid) else SegmentUse(name, node.line, node.column)

    def schema(self) -> dict[str, Any]:
        return NAME.schema()


_USES = ListOf(_Use(), single=True, least=1)


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    uses = _USES.read(node, place.reader)
    return INVALID if isinstance(uses, Invalid) else InSegment(line=key.line, uses=uses)


KIND = ConditionKind(
    ("in_segment",),
    _read,
    {
        "in_segment": Word(
            "is a member of the segment, or of any of several", _USES.schema(), "{in_segment: [loyal_buyers, vips]}"
        )
    },
)
