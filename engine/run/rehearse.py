"""Rehearse: move a stage's clock from one instant at which something happens to the next, and let it happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.audience.turning import Turning, turning
from engine.errors import AlurError
from engine.run.drain import SendRun
from engine.run.refresh import read_segment_source, refresh
from engine.run.settle import Running, settle
from engine.run.winner import any_wanted, crown_winners, next_look
from engine.store import segments, turnings
from engine.store.agenda import Lookout, looking_out
from engine.store.turnings import Known


class Movable(Protocol):
    """A clock that stands until it is moved, and only ever forward."""

    def __call__(self) -> datetime: ...

    def move_to(self, instant: datetime) -> None: ...


_MOST_TURNS = 100
"""How often what journeys do may change segments at one instant, and the other way round."""


class EndlessError(AlurError):
    """Journeys that let people in by segments change what makes them members, round and round."""

    def __init__(self, at: datetime) -> None:
        super().__init__(
            f"people go in and out of segments without end at {at.isoformat()}: journeys that these changes start cause them by "
            "'update' or 'emit'; put a wait before, or let entry.reentry be never or {after: ..}"
        )


@dataclass(frozen=True)
class Cue:
    """Something that comes from outside at an instant. `after`: not before all else that is due then has happened; without
    it, what arrives at one instant is there before anything is decided.
    """

    at: datetime
    bring: Callable[[], object]
    after: bool = False


def rehearse(running: Running, clock: Movable, run: SendRun, cues: Iterable[Cue], until: datetime) -> None:
    """Play from the clock's instant to `until`, with the cues in their order; ends early when nothing is left to happen.

    The clock stands still at each instant at which a cue comes, something is due, the membership of a segment may change by
    the clock alone or an experiment may have a winner, and there everything happens that follows. So times are exact, and a year in which nothing
    happens costs nothing. Meant for a handful of people: it looks at each event of everybody at each instant.
    """
    waiting = deque(cues)
    members, contests = _Membership(running), _Contests(running)
    with looking_out(running.engine) as lookout:
        while True:
            while waiting and waiting[0].at <= clock():
                cue = waiting.popleft()
                if cue.after:
                    _settle(running, run, lookout, members)
                cue.bring()
            contests.look()
            due = _settle(running, run, lookout, members)
            coming = [waiting[0].at] if waiting else []
            coming += [instant for instant in (due, members.turns_at, contests.next()) if instant is not None]
            if not coming or min(coming) > until:
                return
            if not waiting and members.turns_at is None and _only_schedules_for_nobody(running):
                return
            clock.move_to(min(coming))


def _settle(running: Running, run: SendRun, lookout: Lookout, members: _Membership) -> datetime | None:
    """All that is due, until no membership changes any more by what happened; gives when the next thing is."""
    members.refresh()
    for _ in range(_MOST_TURNS):
        settled = settle(running, run, lookout, refreshing=False)
        if not settled.moved or not members.refresh():
            return settled.next
    raise EndlessError(running.clock())


def _only_schedules_for_nobody(running: Running) -> bool:
    """Schedules come round for ever. Where nothing else is left to happen, so that nobody will ever enter their segments,
    the rest is silence.
    """
    with running.engine.begin() as conn:
        scheduled = turnings.scheduled_journeys(conn)
        if not scheduled:
            return False
        triggers = [each.machine.trigger for each in running.machines.applied(conn) if each.live.name in scheduled]
        wanted = {segment for trigger in triggers for segment in trigger.segments}
        return all(trigger.segments for trigger in triggers) and not turnings.any_member(conn, wanted)


class _Membership:
    """The segments of a stage, refreshed only when something may have changed: what is known of people, or the date. A
    refresh takes longer than all else that happens at an instant.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._clockwork = _clockwork(running)
        self._seen: Known | None = None
        self.turns_at: datetime | None = None
        """When the clock may change them next."""

    def refresh(self) -> bool:
        """Bring them up to date; whether somebody came or went."""
        running, now = self._running, self._running.clock()
        with running.engine.begin() as conn:
            known = turnings.read(conn)
        if known == self._seen and (self.turns_at is None or now < self.turns_at):
            return False
        changed = refresh(running.engine, running.config.declared, running.zone, now)
        self._seen = known
        self.turns_at = self._clockwork.after(now, known.instants, {running.zone, "UTC", *known.zones})
        return any(result.entered or result.left for result in changed.values())


class _Contests:
    """Experiments that want a winner: looked at whenever a window has closed, not once a day, so that a test can name the instant."""

    def __init__(self, running: Running) -> None:
        self._running = running
        with running.engine.begin() as conn:
            self._wanted = any_wanted(conn, running.machines)

    def look(self) -> None:
        if self._wanted:
            crown_winners(self._running.engine, self._running.machines, self._running.clock())

    def next(self) -> datetime | None:
        """When to look again."""
        if not self._wanted:
            return None
        return next_look(self._running.engine, self._running.machines, self._running.clock())


def _clockwork(running: Running) -> Turning:
    """How the clock moves the segments that are applied."""
    with running.engine.begin() as conn:
        sources = segments.sources(conn)
    whole = Turning()
    for name, (_, source) in sources.items():
        whole = whole.plus(turning(read_segment_source(name, source, running.config.declared).where))
    return whole
