"""The condition `subscribed`: the person allows a topic, on a channel or on any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from channels.base import Medium
from engine.audience import sql
from engine.audience.kind import Condition, ConditionKind, Place, SegmentUse, Word
from engine.document import Node, Plain, Scalar
from engine.grammar import INVALID, NAME, Choice, Field, Invalid, ListOf, MentionType, Shape


@dataclass(frozen=True, kw_only=True)
class Subscribed(Condition):
    """On one of the channels (none named: on any) the newest consent allows the topic and the address is not suppressed,
    which is what `permit` asks of a marketing send. Whether there is an address at all is not asked.

    Found says of each channel on which the person ever said something: `in`, `out` or `suppressed`.
    """

    topic: str
    via: tuple[str, ...]

    def verdict(self, scope: sql.Scope) -> sql.Verdict:
        consent, later = sql.tables.consent.alias(), sql.tables.consent.alias()
        same = [later.c[name] == consent.c[name] for name in ("contact_id", "topic", "channel")]
        overruled: sql.Select[Any] = (
            sql.select(sql.literal_column("1")).select_from(later).where(*same, later.c.id > consent.c.id)
        )
        said = [
            consent.c.contact_id == scope.contact.c.id,
            consent.c.topic == sql.literal(self.topic),
            *([consent.c.channel.in_(self.via)] if self.via else []),
            sql.not_(overruled.correlate_except(later).exists()),
        ]
        suppressed = _suppressed(consent, scope)
        holds: sql.Select[Any] = (
            sql.select(sql.literal_column("1")).select_from(consent).where(*said, consent.c.given, sql.not_(suppressed))
        )
        state = sql.case(
            (sql.not_(consent.c.given), sql.literal_column("'out'")),
            (suppressed, sql.literal_column("'suppressed'")),
            else_=sql.literal_column("'in'"),
        )
        states = sql.func.jsonb_object_agg(consent.c.channel, state, type_=sql.JSONB)
        told = sql.func.coalesce(states, sql.literal_column("'{}'::jsonb", sql.JSONB), type_=sql.JSONB)
        found = sql.select(told).select_from(consent).where(*said).correlate_except(consent)
        return sql.Verdict(holds.correlate_except(consent).exists(), found.scalar_subquery())

    def label(self) -> str:
        return f"subscribed to {self.topic}" + (f" via {' or '.join(self.via)}" if self.via else "")

    def plain(self) -> Plain:
        return {"subscribed": {"topic": self.topic, **({"via": list(self.via)} if self.via else {})}}

    def events(self) -> frozenset[str]:
        return frozenset()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return ()


def _suppressed(consent: Any, scope: sql.Scope) -> sql.ColumnElement[bool]:
    """The person's address on the consent's channel is suppressed, in whatever scope."""
    shut, contact = sql.tables.suppression.alias(), scope.contact
    address = sql.case((consent.c.channel == "email", sql.func.lower(contact.c.email)), else_=contact.c.phone)
    here = (shut.c.channel == consent.c.channel, shut.c.address == address)
    return sql.select(sql.literal_column("1")).select_from(shut).where(*here).correlate_except(shut).exists()


_SHAPE = Shape(
    "subscribed",
    {
        "topic": Field(MentionType("topic", NAME), "a topic of config.yaml", required=True, example="offers"),
        "via": Field(
            ListOf(Choice(get_args(Medium), "channel"), single=True, least=1),
            "the channel, or several: on any of them; left out: on any channel",
            default=(),
            example="email",
        ),
    },
)


def _read(key: Scalar, node: Node, place: Place) -> Condition | Invalid:
    values = _SHAPE.read(node, place.reader)
    return INVALID if values is INVALID else Subscribed(line=key.line, topic=values["topic"], via=values["via"])


KIND = ConditionKind(
    ("subscribed",),
    _read,
    {
        "subscribed": Word(
            "allows the topic by their last word on it, at an address that is not suppressed",
            _SHAPE.schema(),
            "{subscribed: {topic: offers, via: email}}",
        )
    },
)
