"""Brake: a journey that sends far more than ever before, or more than its steps allow, is paused and says why."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engine.store import holds, pace
from engine.store.holds import Hold
from engine.store.pace import Hour, Past

log = logging.getLogger(__name__)

BY = "the brake"
LEAST = 1000
"""An hour with at most so many messages is no rush, whatever came before."""

_TIMES = 5
_LOOKED_BACK = timedelta(days=14)
_FREE_HOURS = 2
"""Hours of the clock in which a journey that has just begun has nothing to be measured by: its first, and the next."""
_REST = timedelta(hours=1)
"""How long the brake lets a journey go that a person has resumed."""


def allowance(past: Past, hour: datetime) -> int | None:
    """How many messages the hour that begins at `hour` may see; None: any number, since there is nothing to measure by."""
    if past.first is None or past.first > hour - _FREE_HOURS * pace.HOUR:
        return None
    return max(LEAST, _TIMES * past.highest)


def hour_of(now: datetime) -> datetime:
    """When the hour of the clock (UTC) began."""
    return now.replace(minute=0, second=0, microsecond=0)


def left(conn: Connection, journey: str, known: Hour, wanted: int, now: datetime) -> int | None:
    """How many more messages the journey may begin in this hour, if fewer than `wanted` may be; None otherwise.

    Costs nothing for a journey that is far from any limit.
    """
    if known.sends + wanted <= LEAST:
        return None
    hour = hour_of(now)
    most = known.most
    if not known.judged:
        most = allowance(pace.past(conn, journey, hour, _LOOKED_BACK), hour)
        pace.judge(conn, journey, hour, most)
    if most is None or known.sends + wanted <= most:
        return None
    if _rests(conn, journey, now):
        pace.judge(conn, journey, hour, None)
        return None
    room = most - known.sends
    return room if room > 0 else max(0, most - pace.recount(conn, journey, hour))


def too_fast(conn: Connection, journey: str, now: datetime) -> None:
    """Pause the journey: it would begin one message more than this hour may see."""
    hour = hour_of(now)
    past = pace.past(conn, journey, hour, _LOOKED_BACK)
    _pull(
        conn,
        journey,
        f"it was about to send more than {allowance(past, hour) or LEAST:,} messages in an hour; the highest hour of its "
        f"last 14 days had {past.highest:,}",
        now,
    )


def forget(conn: Connection, now: datetime) -> None:
    """Remove the hours that nobody looks back to any more."""
    pace.forget(conn, now - 2 * _LOOKED_BACK)


def one_too_many(conn: Connection, journey: str, now: datetime) -> bool:
    """Pause the journey: somebody would get one message more than its steps allow. False when a person has just resumed it."""
    if _rests(conn, journey, now):
        return False
    _pull(conn, journey, "it was about to send somebody one message more than its steps allow", now)
    return True


def _rests(conn: Connection, journey: str, now: datetime) -> bool:
    """Whether a person has let it go on within the last hour: what it sends then is meant."""
    return holds.lifted_since(conn, journey, BY, now - _REST)


def _pull(conn: Connection, journey: str, why: str, now: datetime) -> None:
    reason = f"{why}; if that is meant: alur resume {journey}"
    if holds.place(conn, Hold("journey", journey, reason, BY, now)):
        log.error("journey '%s' is paused by the brake: %s", journey, reason)
