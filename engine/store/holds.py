"""Holds: what a person, or the engine for a stated reason, has stopped; they stand until lifted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from engine.store.sends import Stopped
from engine.tables import hold

HoldScope = Literal["journey", "run", "channel"]


@dataclass(frozen=True)
class Hold:
    scope: HoldScope
    name: str
    reason: str
    by: str
    at: datetime


def standing(conn: Connection) -> list[Hold]:
    """All holds that are not lifted, oldest first."""
    columns = (hold.c.scope, hold.c.name, hold.c.reason, hold.c.by, hold.c.at)
    return [Hold(*row) for row in conn.execute(select(*columns).where(hold.c.lifted_at.is_(None)).order_by(hold.c.id))]


def stopped(conn: Connection) -> Stopped:
    """The journeys, send runs and channels whose sends must stay in the outbox."""
    holds = standing(conn)
    return Stopped(
        tuple(h.name for h in holds if h.scope == "journey"),
        tuple(int(h.name) for h in holds if h.scope == "run"),
        tuple(h.name for h in holds if h.scope == "channel"),
    )


def place(conn: Connection, new: Hold) -> bool:
    """Set a hold; False when the same thing is held already."""
    same = select(hold.c.id).where(hold.c.lifted_at.is_(None), hold.c.scope == new.scope, hold.c.name == new.name)
    if conn.scalar(same.limit(1)) is not None:
        return False
    conn.execute(insert(hold).values(scope=new.scope, name=new.name, reason=new.reason, by=new.by, at=new.at))
    return True


def lift(conn: Connection, scope: HoldScope, name: str, now: datetime) -> int:
    """Lift every standing hold on the thing; gives how many there were."""
    query = update(hold).where(hold.c.lifted_at.is_(None), hold.c.scope == scope, hold.c.name == name)
    return conn.execute(query.values(lifted_at=now)).rowcount


def lifted_since(conn: Connection, journey: str, by: str, since: datetime) -> bool:
    """Whether a hold on the journey that `by` had placed was lifted later than `since`."""
    query = select(hold.c.id).where(hold.c.scope == "journey", hold.c.name == journey, hold.c.by == by)
    return conn.scalar(query.where(hold.c.lifted_at > since).limit(1)) is not None
