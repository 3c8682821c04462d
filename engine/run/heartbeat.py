"""Heartbeat: the duties that come round by the clock, each done by one of all the processes that keep it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from sqlalchemy import Engine

from channels.base import Adapter
from engine.config import Config
from engine.run import brake, occurrences, schedule
from engine.run.loop import Outage
from engine.run.machines import Machines
from engine.run.refresh import refresh
from engine.run.sweep import sweep
from engine.run.winner import crown_winners
from engine.store import runs, ticks

log = logging.getLogger(__name__)


class Running(Protocol):
    """The wired engine, as `engine.app.App` is."""

    @property
    def engine(self) -> Engine: ...

    @property
    def config(self) -> Config: ...

    @property
    def machines(self) -> Machines: ...

    @property
    def adapters(self) -> Mapping[str, Adapter]: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...

    @property
    def zone(self) -> str: ...


class Duty:
    """Something to do every so often. `beat` may be called by any number of schedulers, and never raises."""

    def __init__(
        self, running: Running, name: str, every: timedelta, act: Callable[[Running, datetime], object]
    ) -> None:
        self.name, self.every = name, every
        self.beats = min(every, timedelta(minutes=10))
        """How often to ask: a process that lives for less than a day must not miss what comes round once a day."""
        self._running, self._act = running, act
        self._outage = Outage(name)
        self._busy = Lock()

    def beat(self) -> bool:
        """Do it, if nobody has begun it within the time; True when it was done here. What goes wrong is logged, and done
        again when its time comes round.
        """
        if not self._busy.acquire(blocking=False):
            return False
        try:
            now = self._running.clock()
            with self._running.engine.begin() as conn:
                mine = ticks.take(conn, self.name, self.every, now)
            if mine:
                self._act(self._running, now)
        except Exception as error:  # noqa: BLE001  a scheduler that dies would stop the business
            self._outage.note(error)
            return False
        finally:
            self._busy.release()
        self._outage.over()
        return mine

    def rests(self, seconds: float) -> bool:
        """Wait until it is not being done; False when the time is over first."""
        if not self._busy.acquire(timeout=max(0.0, seconds)):
            return False
        self._busy.release()
        return True


def duties(running: Running) -> Sequence[Duty]:
    """All of them."""
    return (
        Duty(running, "dates", timedelta(seconds=2), _fire_dates),
        Duty(running, "schedules", timedelta(seconds=2), _fire_schedules),
        Duty(running, "segments", running.config.refresh, _refresh_segments),
        Duty(running, "sweep", timedelta(seconds=10), _sweep),
        Duty(running, "pace", timedelta(hours=1), _forget_pace),
        Duty(running, "winners", timedelta(days=1), _crown_winners),
    )


def _fire_dates(running: Running, now: datetime) -> None:
    while occurrences.fire(running.engine, running.machines, running.zone, now):
        pass


def _fire_schedules(running: Running, now: datetime) -> None:
    while schedule.fire(running.engine, running.machines, running.zone, now):
        pass


def _refresh_segments(running: Running, now: datetime) -> None:
    refresh(running.engine, running.config.declared, running.zone, now)


def _crown_winners(running: Running, now: datetime) -> None:
    crown_winners(running.engine, running.machines, now)


def _sweep(running: Running, now: datetime) -> None:
    swept = sweep(running.engine, running.adapters, now)
    with running.engine.begin() as conn:
        interrupted = runs.interrupt_lost(conn, now)
    if swept.lapsed or interrupted:
        log.warning("a worker is gone: %d sends and %d send runs were taken over", swept.lapsed, interrupted)


def _forget_pace(running: Running, now: datetime) -> None:
    with running.engine.begin() as conn:
        brake.forget(conn, now)
