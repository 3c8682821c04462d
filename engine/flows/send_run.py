"""The drain's window in Prefect: takes note at once, and shows in its own time what there is time to show."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from engine.errors import DatabaseUnavailableError
from engine.flows.environment import Api
from engine.flows.screen import Screen
from engine.run.deliver import Counts
from engine.run.drain import Slice
from engine.run.hold import RunEndedError, stop
from engine.store import runs, sends
from engine.store.holds import Hold
from engine.store.runs import RunEnd

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

_SLICES = 50  # of one run that may wait to be shown; further ones are merged
_RUNS = 20  # that may wait to be shown; older ones are not shown at all
_TRIES = 3  # to show a run that is over
_LOOK_AGAIN = 2.0  # seconds between two attempts to find Prefect
_LONGEST_REST = 60.0  # seconds between two starts of a process that keeps failing


class _Run:
    """What there is to show of one send run."""

    def __init__(self, run_id: int) -> None:
        self.id = run_id
        self.flow_run_id: str | None = None
        self.end: tuple[RunEnd, Counts] | None = None
        self.dropped = self.shown = False
        self._slices: deque[Slice] = deque()
        self._changed = Condition()

    def put(self, slice_: Slice) -> None:
        with self._changed:
            if len(self._slices) >= _SLICES:
                last = self._slices.pop()
                counts, seconds = last.counts.plus(slice_.counts), last.seconds + slice_.seconds
                slice_ = replace(slice_, counts=counts, seconds=seconds)
            self._slices.append(slice_)
            self._changed.notify_all()

    def close(self, state: RunEnd, counts: Counts) -> None:
        with self._changed:
            self.end = (state, counts)
            self._changed.notify_all()

    def next_slice(self, seconds: float) -> Slice | None:
        """The next slice, as soon as there is one; None when the run is over or the time is."""
        with self._changed:
            if not self._slices and self.end is None:
                self._changed.wait(seconds)
            return self._slices.popleft() if self._slices else None


class PrefectWindow:
    """Shows each send run as a flow run; one a process.

    `find_api` tells where Prefect is now, if anywhere. Its methods for the drain return at once whatever state Prefect is
    in: what can't be shown in time is merged, then dropped.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime], find_api: Callable[[], Api | None], log_file: Path
    ) -> None:
        self._engine, self._clock, self._find_api, self._log_file = engine, clock, find_api, log_file
        self._runs: deque[_Run] = deque()
        self._latest: _Run | None = None
        self._changed = Condition()
        self._end_at: float | None = None
        self._screen: Screen | None = None
        self._failures = 0
        self._started_at = self._start_at = monotonic()
        self._told_absent = False
        self._thread = Thread(target=self._work, name="prefect-window", daemon=True)
        self._thread.start()

    # --- what the drain calls ---

    def opened(self, run_id: int) -> None:
        with self._changed:
            self._latest = _Run(run_id)
            self._runs.append(self._latest)
            if len(self._runs) > _RUNS:
                self._runs.popleft().dropped = True
            self._changed.notify_all()

    def sliced(self, slice_: Slice) -> None:
        if self._latest is not None:
            self._latest.put(slice_)

    def closed(self, run_id: int, state: RunEnd, counts: Counts) -> None:
        if self._latest is not None:
            self._latest.close(state, counts)

    def close(self, patience: float) -> bool:
        """Show what is left, for at most so many seconds; False when not all of it could be shown."""
        with self._changed:
            self._end_at = monotonic() + patience
            self._changed.notify_all()
        self._thread.join(patience + 1)
        screen = self._screen
        if screen is not None:
            screen.close(max(0.0, self._end_at - monotonic()))
        return not self._runs

    # --- showing ---

    def _over(self) -> bool:
        return self._end_at is not None and monotonic() >= self._end_at

    def _rest(self, seconds: float) -> None:
        with self._changed:
            if self._end_at is None:
                self._changed.wait(seconds)
            else:
                self._changed.wait(min(0.2, seconds))

    def _work(self) -> None:
        while True:
            with self._changed:
                run = self._runs[0] if self._runs else None
            if self._over() or (run is None and self._end_at is not None):
                return
            try:
                if run is None:
                    self._find_screen()  # so that it is warm when a run opens
                    self._rest(_LOOK_AGAIN)
                else:
                    self._show(run)
                    with self._changed:
                        if run in self._runs and (run.shown or not self._over()):
                            self._runs.remove(run)
            except (OSError, ValueError) as error:  # no process could be started
                log.warning("send runs can't be shown in Prefect: %s", error)
                self._rest(_LOOK_AGAIN)

    def _show(self, run: _Run) -> None:
        tries = 0
        while not (run.dropped or self._over()):
            screen = self._find_screen()
            if screen is None:
                self._rest(_LOOK_AGAIN)
                continue
            if self._feed(screen, run):
                run.shown = True
                return
            log.warning("Prefect lost sight of send run %d; the sending goes on", run.id)
            tries += 1
            if run.end is not None and tries >= _TRIES:
                return
            self._rest(_LOOK_AGAIN)

    def _find_screen(self) -> Screen | None:
        """The process that shows, started if need be; None while Prefect is not there, or that process keeps failing."""
        if self._screen is not None and self._screen.lives and self._screen.api == self._find_api():
            return self._screen
        if self._screen is not None:
            self._screen.close(0)
            self._screen = None
            self._failures = self._failures + 1 if monotonic() - self._started_at < _LONGEST_REST else 1
            self._start_at = monotonic() + min(2.0**self._failures, _LONGEST_REST)
        if monotonic() < self._start_at:
            return None
        api = self._find_api()
        if api is None or not api.answers():
            if api is not None and not self._told_absent:
                log.info("Prefect does not answer at %s yet; sending does not wait for it", api.url)
                self._told_absent = True
            return None
        self._told_absent = False
        self._started_at = monotonic()
        self._screen = Screen(api, self._log_file, self._heard)
        self._screen.tell({"tidy": self._ask(runs.ended_flow_runs) or []})
        return self._screen

    def _feed(self, screen: Screen, run: _Run) -> bool:
        """Show the run; False when the screen is gone before all was shown."""
        stale = [run.flow_run_id] if run.flow_run_id is not None else []
        screen.show(run.id, {"tidy": stale}, {"open": run.id})
        while screen.lives and not screen.has_shown(run.id):
            if self._over() or run.dropped:
                return False
            slice_ = run.next_slice(0.5)
            if slice_ is not None:
                left = self._ask(lambda conn: sends.count_due(conn, self._clock()))
                screen.tell(
                    {
                        "slice": slice_.number,
                        "counts": slice_.counts.by_state,
                        "seconds": slice_.seconds,
                        "left": left or 0,
                    }
                )
            elif run.end is not None:
                return self._feed_end(screen, run, *run.end)
        return screen.has_shown(run.id)

    def _feed_end(self, screen: Screen, run: _Run, state: RunEnd, counts: Counts) -> bool:
        table = self._ask(lambda conn: sends.of_run(conn, run.id)) or []
        screen.tell({"close": state, "counts": counts.by_state, "table": table})
        while screen.lives and not screen.has_shown(run.id) and not self._over() and not run.dropped:
            screen.wait(0.2)
        return screen.has_shown(run.id)

    # --- what comes back ---

    def _heard(self, line: dict[str, Any]) -> None:
        """A line from the screen, on its reading thread."""
        run_id = line["run"]
        if "flow_run" in line:
            with self._changed:
                run = next((run for run in self._runs if run.id == run_id), None)
            if run is not None:
                run.flow_run_id = line["flow_run"]
            self._insist(lambda conn: runs.note_flow_run(conn, run_id, line["flow_run"]))
        elif "cancel" in line:
            self._insist(lambda conn: self._hold(conn, run_id))

    def _hold(self, conn: Connection, run_id: int) -> None:
        try:
            stop(conn, Hold("run", str(run_id), "cancelled in Prefect", "prefect", self._clock()))
        except RunEndedError as error:
            log.info("cancelled in Prefect too late: %s", error)
        else:
            log.warning(
                "send run %d was cancelled in Prefect; what it has not sent is held until it is resumed", run_id
            )

    def _insist(self, act: Callable[[Connection], object]) -> None:
        """Write it, through an outage of the database if need be."""
        while not self._over():
            try:
                with self._engine.begin() as conn:
                    act(conn)
                return
            except DatabaseUnavailableError:
                self._rest(0.5)

    def _ask(self, query: Callable[[Connection], Answer]) -> Answer | None:
        """An answer of the database; None while it is away: then less is shown."""
        try:
            with self._engine.connect() as conn:
                return query(conn)
        except DatabaseUnavailableError:
            return None
