"""Reach: how many people a journey would let in, and how many of them none of its first messages could get to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import TIMESTAMP

from engine import tables
from engine.audience.condition import Condition
from engine.audience.sql.scope import Scope
from engine.journey.rules import Reentry
from engine.store.everybody import over_everybody
from engine.store.zones import ZONES, zone_values

_member, _contact, _enrollment = tables.segment_member, tables.contact, tables.enrollment


@dataclass(frozen=True)
class Door:
    """Who stands before it: members of any of `segments` for whom `where` holds, and whom `reentry` lets in again under
    `key`. `channels`: those of the first messages (empty: there are none), `topic` None for transactional ones.
    """

    journey: str
    segments: Sequence[str]
    where: Condition | None
    reentry: Reentry
    key: str
    channels: Sequence[str]
    topic: str | None


@dataclass(frozen=True)
class Reach:
    """`people` would enter; `unreached` more would, and none of the first messages could be sent to them."""

    people: int
    unreached: int


def reach(conn: Connection, door: Door, zone: str, now: datetime) -> Reach:
    """How many would enter at `now`, by what is in the database; `zone` is the organisation's."""
    contact = _contact.alias("contact")
    at = literal(now, TIMESTAMP(timezone=True))
    scope = Scope(contact=contact, now=at, zones=ZONES, beside=[])
    holds = door.where.verdict(scope).holds if door.where is not None else true()
    inside = select(_member.c.contact_id).where(_member.c.segment.in_(door.segments))
    reached = or_(*(_reached(contact, channel, door.topic) for channel in door.channels)) if door.channels else true()
    query = (
        select(func.count().filter(reached), func.count().filter(~reached))
        .select_from(scope.everybody())
        .where(contact.c.id.in_(inside), contact.c.merged_into.is_(None), contact.c.erased_at.is_(None), holds)
        .where(~_shut(contact, door, at))
    )
    given = zone_values(conn, zone)
    with over_everybody(conn):
        return Reach(*conn.execute(query, given).one())


def _shut(contact: Any, door: Door, at: ColumnElement[Any]) -> ColumnElement[bool]:
    """Somebody is inside under this key, or was and may not come again yet."""
    past: ColumnElement[bool] = true()
    if door.reentry.rule == "always":
        past = _enrollment.c.state == "active"
    elif door.reentry.rule == "after":
        past = or_(_enrollment.c.state == "active", _enrollment.c.entered_at > at - door.reentry.after)
    same = and_(
        _enrollment.c.contact_id == contact.c.id, _enrollment.c.journey == door.journey, _enrollment.c.key == door.key
    )
    return select(_enrollment.c.id).where(same, past).exists()


def _reached(contact: Any, channel: str, topic: str | None) -> ColumnElement[bool]:
    """Whether a message over this channel would have an address, consent and no suppression."""
    address = func.lower(contact.c.email) if channel == "email" else contact.c.phone
    suppression, consent = tables.suppression, tables.consent
    scopes = ("all",) if topic is None else ("all", "marketing")
    shut = select(suppression.c.address).where(
        suppression.c.channel == channel, suppression.c.address == address, suppression.c.scope.in_(scopes)
    )
    open_ = and_(address.is_not(None), ~shut.exists())
    if topic is None:
        return open_
    newest = (
        select(consent.c.given)
        .where(consent.c.contact_id == contact.c.id, consent.c.topic == topic, consent.c.channel == channel)
        .order_by(consent.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return and_(open_, func.coalesce(newest, False))


RECENT = 100_000
"""How many of the last events `recent_events` looks at: names have no index of their own."""


def recent_events(conn: Connection) -> frozenset[str]:
    """The names of the events that came lately; empty when none ever came."""
    last = select(tables.event.c.name).order_by(tables.event.c.id.desc()).limit(RECENT).subquery()
    return frozenset(conn.scalars(select(last.c.name).distinct()))


def members(conn: Connection, segment: str) -> int:
    """How many are in the segment."""
    return int(conn.scalar(select(func.count()).select_from(_member).where(_member.c.segment == segment)) or 0)
