"""Settle: do everything that is due at the clock's instant, and tell when the next thing is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, Engine

from engine.config import Config
from engine.run import occurrences, schedule
from engine.run.advance import advance
from engine.run.call import CallDesk, call
from engine.run.deliver import Counts
from engine.run.drain import SendRun
from engine.run.machines import Machines
from engine.run.refresh import refresh
from engine.store.agenda import Due, Lookout, looking_out, read_agenda


class Running(Protocol):
    """The wired engine, as `engine.app.App` is; `zone` is of people who have none of their own."""

    @property
    def engine(self) -> Engine: ...

    @property
    def config(self) -> Config: ...

    @property
    def machines(self) -> Machines: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...

    @property
    def zone(self) -> str: ...

    @property
    def calls(self) -> CallDesk: ...


@dataclass(frozen=True)
class Settled:
    """What was done: people who entered a journey, and what became of sends. `moved`: anything was due at all. `next` is when
    the next thing is due after it.
    """

    entered: int
    counts: Counts
    moved: bool
    next: datetime | None


def settle(running: Running, run: SendRun, lookout: Lookout | None = None, *, refreshing: bool = True) -> Settled:
    """Fire dates and schedules, refresh the segments, decide, send and call webhooks until nothing is due at the clock's instant any more.

    The clock must stand still meanwhile. What is held (paused, or its channel shut) stays. The same engine, the same
    rules as `alur run`, only in one thread; what is not due costs nothing. `refreshing=False` leaves the segments as
    they are: a full refresh at every instant of a long stretch of time is dear. `lookout`: for whoever settles thousands
    of times; it also says what `next` passes over.
    """
    if lookout is None:
        with looking_out(running.engine) as new:
            return settle(running, run, new, refreshing=refreshing)
    now = running.clock()
    entered, counts, anything = 0, Counts(), False
    stuck: set[Due] = set()  # due, and held: looked at again when something else has moved
    while True:
        agenda = lookout.look(now, stuck)
        what: Due
        if agenda.dates and "dates" not in stuck:
            what, moved = "dates", _fire(running, now)
        elif refreshing:
            refresh(running.engine, running.config.declared, running.zone, now)
            refreshing = False
            continue
        elif agenda.signals and "signals" not in stuck:
            advanced = advance(running.engine, running.machines, running.zone, now)
            what, moved, entered = "signals", advanced.contacts, entered + advanced.entered
        elif agenda.sends and "sends" not in stuck:
            sent = run.drain_now()
            what, moved, counts = "sends", sent.total, counts.plus(sent)
        elif agenda.calls and "calls" not in stuck:
            what, moved = "calls", call(running.calls)
        else:
            return Settled(entered, counts, anything, agenda.next)
        if moved:
            anything = True
            stuck.clear()
        else:
            stuck.add(what)


def _fire(running: Running, now: datetime) -> int:
    dates = occurrences.fire(running.engine, running.machines, running.zone, now)
    return dates + schedule.fire(running.engine, running.machines, running.zone, now)


def next_due(conn: Connection, after: datetime) -> datetime | None:
    """The earliest instant later than `after` at which a wait ends, a date or schedule comes or a send may be tried; None: nothing is
    left to happen. What the clock alone changes about segments is found by refreshing them.
    """
    return read_agenda(conn, after).next
