"""The season: what the shop's app posts, and everything that falls due, on a clock that jumps from instant to instant."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any, Final

import requests
from sqlalchemy import text

from engine.demo.posts import Post, history
from engine.demo.shop import Customer
from engine.demo.stage import Stage
from engine.errors import AlurError
from engine.moments import local_date
from engine.run.advance import advance
from engine.run.apply import Change, apply
from engine.run.deliver import Counts
from engine.run.drain import Drain, NoWindow, SendRun
from engine.run.settle import next_due, settle

WEEK: Final = timedelta(days=7)
_IMPORT: Final = 1000  # messages in one post
_REFRESH: Final = timedelta(days=1)
_FIRST_REFRESH: Final = timedelta(hours=20)
"""After midnight: segments are refreshed in the evening, so that whoever comes into one is written to the next day."""


class PostRefusedError(AlurError):
    """The edge did not take what the demonstration has posted."""


@dataclass(frozen=True)
class Errand:
    """Something that a person does at an instant, apart from what the app posts."""

    at: datetime
    run: Callable[[], object]


@dataclass(frozen=True)
class Week:
    """A virtual week that has been played, in one send run. `done`: how much of the season is over, 0 to 1."""

    number: int
    first: date
    last: date
    counts: Counts
    seconds: float
    done: float


class Season:
    """Plays posts and errands on a stage. Everything happens at the clock's instant, in order, so that each run is alike."""

    def __init__(self, stage: Stage, posts: Sequence[Post], errands: Iterable[Errand], end: datetime) -> None:
        self._stage, self._end = stage, end
        self._posts = deque(posts)
        self._errands = deque(sorted(errands, key=lambda errand: errand.at))
        self._start = stage.clock()
        self._next_refresh = self._start + _FIRST_REFRESH
        self._web = requests.Session()
        self._web.trust_env = False  # no proxy is asked for this machine

    def open(self, people: Sequence[Customer]) -> tuple[int, list[Change]]:
        """Import what happened before the season, then apply the journeys; gives the number of messages, and what was applied.

        In this order, so that nothing of the past starts a journey and segments are filled silently.
        """
        app = self._stage.app
        past = [post.message for post in history(people, self._start)]
        for at in range(0, len(past), _IMPORT):
            self._post("/v1/import", past[at : at + _IMPORT])
        while advance(app.engine, app.machines, app.zone, app.clock()).contacts:
            pass
        changes = apply(app.engine, self._stage.definitions, app.zone, app.clock(), by="demo")
        with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("ANALYZE"))
        return len(past), changes

    def weeks(self) -> Iterator[Week]:
        """Play it, week by week; each is a send run of its own."""
        app, window = self._stage.app, self._stage.backstage.window if self._stage.backstage is not None else NoWindow()
        with app.post() as post:
            drain = Drain(post, app.connections, window)
            try:
                number, first = 0, self._start
                while first < self._end:
                    number, last = number + 1, min(first + WEEK, self._end)
                    began = monotonic()
                    with drain.opened() as run:
                        self._play_until(last, run)
                    yield self._week(number, first, last, run.counts, monotonic() - began)
                    first = last
            finally:
                drain.close()

    def _week(self, number: int, first: datetime, last: datetime, counts: Counts, seconds: float) -> Week:
        zone = self._stage.app.zone
        done = (last - self._start) / (self._end - self._start)
        return Week(
            number, local_date(first, zone), local_date(last - timedelta(seconds=1), zone), counts, seconds, done
        )

    def _play_until(self, last: datetime, run: SendRun) -> None:
        app, clock = self._stage.app, self._stage.clock
        while (instant := self._next_instant()) < last:
            clock.move_to(instant)
            self._post_due(instant)
            while self._errands and self._errands[0].at <= instant:
                self._errands.popleft().run()
            refreshing = instant >= self._next_refresh
            if refreshing:
                self._next_refresh += _REFRESH
            settle(app, run, refreshing=refreshing)

    def _next_instant(self) -> datetime:
        with self._stage.app.engine.begin() as conn:  # committed, as in `settle`
            due = next_due(conn, self._stage.clock())
        coming = [self._next_refresh, due, *(queue[0].at for queue in (self._posts, self._errands) if queue)]
        return min(instant for instant in coming if instant is not None)

    def _post_due(self, instant: datetime) -> None:
        due: list[dict[str, Any]] = []
        while self._posts and self._posts[0].at <= instant:
            due.append(self._posts.popleft().message)
        if due:
            self._post("/v1/batch", due)

    def _post(self, path: str, messages: Sequence[dict[str, Any]]) -> None:
        stage = self._stage
        answer = self._web.post(stage.url + path, json={"batch": messages}, auth=(stage.write_key, ""), timeout=30)
        if not answer.ok:
            raise PostRefusedError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
