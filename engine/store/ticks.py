"""Ticks: when each duty of the heartbeat was last begun, so that of many schedulers only one does it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

_TAKE = text("""
INSERT INTO tick (name, at) VALUES (:name, :now)
ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE tick.at <= :due OR tick.at > :wrong
RETURNING name
""")


def take(conn: Connection, name: str, every: timedelta, now: datetime) -> bool:
    """True for the one caller who is to do this duty now; False when another has begun it less than `every` ago.

    A caller who dies on the way is not missed for longer than `every`. A last time that lies in the future (a clock was
    set back) does not count.
    """
    # A little grace: schedulers come a little early or late, and should not skip every second beat for that.
    grace = min(every * 0.1, timedelta(minutes=1))
    given = {"name": name, "now": now, "due": now - every + grace, "wrong": now + every}
    return conn.execute(_TAKE, given).first() is not None
