"""Outbox: what may be claimed now, after pauses, the throttles of journeys and the brake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from engine.config import Rate
from engine.errors import WorkspaceError
from engine.journey.steps.send import Send
from engine.run import brake
from engine.run.post import Post
from engine.run.throttle import Bucket
from engine.store import buckets, holds, journeys, pace, sends
from engine.store.sends import Claimed, Stopped


@dataclass(frozen=True)
class Taken:
    """What was claimed. `all`: nothing else is due, but for what holds keep back."""

    claimed: list[Claimed]
    stopped: Stopped
    all: bool


def claim(conn: Connection, post: Post, run_id: int | None, most: int) -> Taken:
    """Claim up to `most` due sends for a send run.

    A journey with a throttle gives no more than it has tokens for, which are taken with the claim; a journey that has gone
    as far as the brake lets it is paused. Neither keeps the others from going.
    """
    sends.enter(conn)
    now, stopped = post.clock(), holds.stopped(conn)
    if run_id is not None and run_id in stopped.runs:
        return Taken([], stopped, all=True)
    names = [live.name for live in journeys.all_applied(conn)]
    filled = _buckets(conn, post, now)
    known = pace.under_way(conn, brake.hour_of(now))
    limits = {name: bucket.tokens(now) for name, bucket in filled.items()}
    for name, room in _brakes(conn, known, most, now).items():
        if room == 0 and name not in stopped.journeys and sends.any_due(conn, now, stopped, {name: 1}):
            brake.too_fast(conn, name, now)
            stopped = replace(stopped, journeys=(*stopped.journeys, name))
        limits[name] = min(limits.get(name, room), room)
    shut = _shut(conn, post, stopped)
    open_ = {name: limits.get(name, most) for name in names if name not in shut}
    narrow = bool(limits or shut)
    claimed = sends.claim(conn, post.worker, run_id, now, most, stopped, open_ if narrow else None, frozenset(filled))
    taken = Counter(one.journey for one in claimed)
    used = {name: bucket.take(taken[name], now) for name, bucket in filled.items() if taken[name]}
    buckets.save(conn, {name: (bucket.free_at, bucket.spacing) for name, bucket in used.items()})
    pace.add(conn, brake.hour_of(now), taken, set(known))
    used_up = any(taken[name] >= limit for name, limit in limits.items() if name in open_)
    return Taken(claimed, stopped, all=len(claimed) < most and not used_up)


def any_due(conn: Connection, post: Post) -> bool:
    """Is there anything that could be claimed now?"""
    now, stopped = post.clock(), holds.stopped(conn)
    filled, shut = _buckets(conn, post, now), _shut(conn, post, stopped)
    if not filled and not shut:
        return sends.any_due(conn, now, stopped)
    names = {live.name for live in journeys.all_applied(conn)} - shut
    empty = {name for name, bucket in filled.items() if not bucket.tokens(now)}
    return sends.any_due(conn, now, stopped, dict.fromkeys(names - empty, 1))


def _shut(conn: Connection, post: Post, stopped: Stopped) -> set[str]:
    """The journeys of which nothing may go: those that are held, and those that in none of their versions send over any
    channel but the held ones. Whatever such a journey has due would be read again at each claim, for nothing.
    """
    shut = set(stopped.journeys)
    if stopped.channels:
        for name, versions in journeys.version_ids(conn).items():
            ways = (_ways(conn, post, version) for version in versions)
            if name not in shut and all(way is not None and way <= set(stopped.channels) for way in ways):
                shut.add(name)
    return shut


def _ways(conn: Connection, post: Post, version: int) -> frozenset[str] | None:
    """The channels that a version sends over; None when it can't be read any more."""
    try:
        states = post.machines.version(conn, version).states.values()
    except WorkspaceError:
        return None
    return frozenset(channel for state in states if isinstance(state, Send) for channel in state.via)


def _buckets(conn: Connection, post: Post, now: datetime) -> dict[str, Bucket]:
    """Of every journey that has a throttle in its newest version, or by config.yaml; locked."""
    rates = _throttles(conn, post)
    if not rates:
        return {}
    free = buckets.lock(conn, sorted(rates), now)
    return {name: Bucket(rate, free[name]) for name, rate in rates.items()}


def _throttles(conn: Connection, post: Post) -> Mapping[str, Rate]:
    default = post.settings().config.delivery.throttle
    rates = {run.live.name: run.machine.delivery.throttle or default for run in post.machines.applied(conn)}
    return {name: rate for name, rate in rates.items() if rate is not None}


def _brakes(conn: Connection, known: Mapping[str, pace.Hour], most: int, now: datetime) -> dict[str, int]:
    """How many more may go of each journey that comes near what its hour may see."""
    rooms = {name: brake.left(conn, name, hour, most, now) for name, hour in known.items()}
    return {name: room for name, room in rooms.items() if room is not None}
