"""Simulate: months of a workspace on a stage, minute by minute, with everybody that is given; the live engine, nothing leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Engine, text

from engine.catalog import Definitions
from engine.config import Config
from engine.errors import AlurError
from engine.moments import local_date, local_instant
from engine.run.apply import apply
from engine.run.call import CallDesk
from engine.run.deliver import Post
from engine.run.drain import Drain, SendRun
from engine.run.given import Given
from engine.run.import_contacts import RowError, import_contacts
from engine.run.ingest import ingest
from engine.run.machines import Machines
from engine.run.reactions import Reactions, react
from engine.run.rehearse import Movable
from engine.run.settle import settle
from engine.run.winner import crown_winners
from engine.store.agenda import Lookout, looking_out
from engine.store.scratch import drop_signals, tidy

MINUTE: Final = timedelta(minutes=1)
_TOGETHER: Final = 5000  # messages ingested at once
_BUSY: Final = ("signal", "send", "enrollment", "occurrence")  # tables in which much is changed every day


class SimulationRefusedError(AlurError):
    """What was given can't be played."""


class Stage(Protocol):
    """The wired engine on a stage, as `engine.app.open_rehearsal` gives it."""

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

    def post(self) -> AbstractContextManager[Post]: ...


@dataclass(frozen=True)
class Span:
    """From when until when, how often segments are refreshed in between (live: every minute), and how people react."""

    start: datetime
    until: datetime
    refresh: timedelta = timedelta(days=1)
    reactions: Reactions | None = None


@dataclass(frozen=True)
class Progress:
    """How far it is: `at` is the virtual clock, `done` from 0 to 1, `messages` how many were sent so far."""

    at: datetime
    done: float
    messages: int


def bring_contacts(stage: Stage, lines: Iterable[str], now: datetime) -> tuple[int, tuple[RowError, ...]]:
    """Contacts of a CSV file, there from the beginning; gives their number and the rows that can't be taken."""
    report = import_contacts(stage.engine, stage.config, lines, now)
    return report.rows - report.refused, report.errors


def simulate(
    stage: Stage,
    clock: Movable,
    definitions: Definitions,
    given: Sequence[Given],
    span: Span,
    tell: Callable[[Progress], object] = lambda _: None,
) -> None:
    """Play the span on a stage whose clock stands at its start and on which nothing is applied yet.

    What happened before the span is history: it is on record and starts nothing. Then everything is applied, and the
    clock goes from minute to minute, past those in which nothing concerns anybody; all that is due inside a minute is
    one batch at its end. Waits keep their exact times; conditions see the minute's end. `tell` hears once a virtual day.

    Raises `SimulationRefusedError` when a message can't be taken in.
    """
    past = [each for each in given if each.arrives < span.start]
    coming = [each for each in given if span.start <= each.arrives < span.until]
    _take_in(stage, [_for_the_record(each) for each in past])
    drop_signals(stage.engine)
    arrivals = _Arrivals(stage, coming)
    tidy(stage.engine)
    apply(stage.engine, definitions, stage.zone, clock(), by="alur simulate")
    with stage.post() as post, looking_out(stage.engine, _starting(stage)) as lookout:
        drain = Drain(post, 1)
        try:
            with drain.opened() as run:
                _Play(stage, clock, run, lookout, arrivals, span, tell).play()
        finally:
            drain.close()


def _starting(stage: Stage) -> set[str]:
    """The names of events that start a journey."""
    with stage.engine.begin() as conn:
        names = {running.machine.trigger_event for running in stage.machines.applied(conn)}
    return {name for name in names if name is not None}


class _Play:
    """The clock's way through the span."""

    def __init__(
        self,
        stage: Stage,
        clock: Movable,
        run: SendRun,
        lookout: Lookout,
        arrivals: _Arrivals,
        span: Span,
        tell: Callable[[Progress], object],
    ) -> None:
        self._stage, self._clock, self._run, self._lookout, self._arrivals = stage, clock, run, lookout, arrivals
        self._span, self._tell = span, tell
        self._refreshes = _refreshes(span, stage.zone)
        self._messages = 0

    def play(self) -> None:
        next_refresh = next(self._refreshes, None)
        due = self._settle(refreshing=True)
        told = self._clock()
        while True:
            instants = [self._arrivals.next, due, next_refresh]
            ahead = [instant for instant in instants if instant is not None]
            if not ahead or min(ahead) >= self._span.until:
                break
            instant = min(_end_of_minute(min(ahead)), self._span.until)
            self._clock.move_to(instant)
            self._arrivals.bring(instant)
            refreshing = next_refresh is not None and instant >= next_refresh
            if refreshing:
                next_refresh = next((at for at in self._refreshes if at > instant), None)
            due = self._settle(refreshing=refreshing)
            if instant - told >= timedelta(days=1):
                told = instant
                tidy(self._stage.engine, _BUSY)
                self._say(instant)
        self._clock.move_to(self._span.until)
        self._settle(refreshing=False)
        self._say(self._span.until)

    def _settle(self, *, refreshing: bool) -> datetime | None:
        """All that is due; gives when the next thing is that concerns anybody."""
        stage, now = self._stage, self._clock()
        if refreshing:
            crown_winners(stage.engine, stage.machines, now)
        settled = settle(stage, self._run, self._lookout, refreshing=refreshing)
        sent = settled.counts.by_state.get("accepted", 0)
        self._messages += sent
        if sent and self._span.reactions:
            with stage.engine.begin() as conn:
                react(conn, self._span.reactions, now)
            return self._lookout.next_after(now)
        return settled.next

    def _say(self, at: datetime) -> None:
        done = (at - self._span.start) / (self._span.until - self._span.start)
        self._tell(Progress(at, done, self._messages))


class _Arrivals:
    """What comes from outside. Events of people who are there already are taken in beforehand: until its own time an event
    counts nowhere, and thousands are stored in the time of one. All else arrives when it does.
    """

    def __init__(self, stage: Stage, given: Sequence[Given]) -> None:
        self._stage = stage
        known = _known(stage)
        early = [each for each in given if each.plain and each.who in known]
        self._later = [each for each in given if not (each.plain and each.who in known)]
        self._place = 0
        _take_in(stage, early)

    @property
    def next(self) -> datetime | None:
        return self._later[self._place].arrives if self._place < len(self._later) else None

    def bring(self, until: datetime) -> None:
        """Take in all that has arrived by then."""
        start = self._place
        while self._place < len(self._later) and self._later[self._place].arrives <= until:
            self._place += 1
        _take_in(self._stage, self._later[start : self._place])


def _known(stage: Stage) -> set[str]:
    """The ids of everybody who is there."""
    with stage.engine.connect() as conn:
        return set(conn.scalars(text("SELECT value FROM identity WHERE kind IN ('user_id', 'anonymous_id')")))


def _for_the_record(given: Given) -> Given:
    message = given.message
    return Given(given.happened, given.arrives, given.who, type(message)(message.payload, message.source, starts=False))


def _take_in(stage: Stage, given: Sequence[Given]) -> None:
    for at in range(0, len(given), _TOGETHER):
        part = [each.message for each in given[at : at + _TOGETHER]]
        if ingest(stage.engine, stage.config, part, stage.clock()).dead:
            with stage.engine.connect() as conn:
                reason = conn.scalar(text("SELECT reason || ' (in ' || payload || ')' FROM dead_letter ORDER BY id"))
            raise SimulationRefusedError(f"an event can't be taken in: {str(reason)[:400]}")


def _refreshes(span: Span, zone: str) -> Iterator[datetime]:
    """When segments are refreshed: whole days at local midnight, so that what hangs on the date is right all day."""
    if span.refresh % timedelta(days=1) == timedelta():
        day = local_date(span.start, zone)
        while True:
            day += span.refresh
            yield local_instant(day, datetime.min.time(), zone)
    at = span.start
    while True:
        at += span.refresh
        yield at


def _end_of_minute(instant: datetime) -> datetime:
    past = timedelta(seconds=instant.second, microseconds=instant.microsecond)
    return instant if not past else instant - past + MINUTE
