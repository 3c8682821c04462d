"""Drain: one send run from the first due send until the outbox has been idle for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Literal, Protocol

from engine.run.deliver import GROUP, Counts, Courier, Post
from engine.store import holds, runs, sends
from engine.store.sends import Claimed

CLAIM = 500
SLICE_SECONDS = 5.0
_RENEW_SECONDS = 15.0


@dataclass(frozen=True)
class Limits:
    """When a send run ends by itself; the next one opens when there is more to send."""

    idle_seconds: float = 60.0
    slices: int = 500
    seconds: float = 1800.0


@dataclass(frozen=True)
class Slice:
    """Up to five seconds of intent groups."""

    run_id: int
    number: int
    counts: Counts
    seconds: float


class Window(Protocol):
    """Whoever watches send runs. It must return at once, whatever state it is in: it is the window, not the truth."""

    def opened(self, run_id: int) -> None: ...

    def sliced(self, slice_: Slice) -> None: ...

    def closed(self, run_id: int, state: Literal["finished", "cancelled"], counts: Counts) -> None: ...


class NoWindow:
    """Nobody watches."""

    def opened(self, run_id: int) -> None:
        pass

    def sliced(self, slice_: Slice) -> None:
        pass

    def closed(self, run_id: int, state: Literal["finished", "cancelled"], counts: Counts) -> None:
        pass


@dataclass
class _Batch:
    """What is left of one claim."""

    fence: int
    groups: deque[list[Claimed]]
    renewed: float


class Drain:
    """The process's delivering: a crew of couriers and the claims they work on. One drain a process."""

    def __init__(self, post: Post, connections: int, window: Window | None = None) -> None:
        self._post = post
        self._window: Window = window or NoWindow()
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="courier")
        self._couriers: SimpleQueue[Courier] = SimpleQueue()
        for _ in range(connections):
            self._couriers.put(Courier(post))
        self._connections = connections
        self._batch: _Batch | None = None

    def close(self) -> None:
        """Finish what is on the wire, give back the rest, hang up."""
        self._pool.shutdown(wait=True)
        self._give_back()
        while not self._couriers.empty():
            self._couriers.get().close()

    def any_due(self) -> bool:
        """Is there anything to send now?"""
        with self._post.engine.connect() as conn:
            return sends.any_due(conn, self._post.clock(), holds.stopped(conn))

    def run(self, limits: Limits, stopping: Callable[[], bool], pause: Callable[[float], None]) -> Counts:
        """One send run. `stopping` ends it early, after what is on the wire; `pause` waits while the outbox is empty."""
        with self._post.engine.begin() as conn:
            run_id = runs.open_run(conn, self._post.clock())
        self._window.opened(run_id)
        total, state = Counts(), "finished"
        try:
            for slice_ in self._slices(run_id, limits, stopping, pause):
                total = total.plus(slice_.counts)
                self._window.sliced(slice_)
            state = "cancelled" if self._cancelled(run_id) else "finished"
        finally:
            self._give_back()
            with self._post.engine.begin() as conn:
                runs.close_run(conn, run_id, state, total.by_state, self._post.clock())  # type: ignore[arg-type]
            self._window.closed(run_id, state, total)  # type: ignore[arg-type]
        return total

    def _slices(
        self, run_id: int, limits: Limits, stopping: Callable[[], bool], pause: Callable[[float], None]
    ) -> Iterator[Slice]:
        began = idle_since = monotonic()
        number = 0
        while number < limits.slices and monotonic() - began < limits.seconds and not stopping():
            if self._cancelled(run_id):
                return
            started = monotonic()
            counts = self._slice(run_id, stopping)
            if counts.total:
                number += 1
                idle_since = monotonic()
                yield Slice(run_id, number, counts, monotonic() - started)
            elif monotonic() - idle_since >= limits.idle_seconds:
                return
            else:
                pause(0.02)

    def _cancelled(self, run_id: int) -> bool:
        with self._post.engine.connect() as conn:
            return run_id in holds.stopped(conn).runs

    def _slice(self, run_id: int, stopping: Callable[[], bool]) -> Counts:
        """Keep every courier busy for up to five seconds, or until nothing is due."""
        deadline = monotonic() + SLICE_SECONDS
        counts, flying = Counts(), set[Future[Counts]]()
        while monotonic() < deadline and not stopping():
            while len(flying) < 2 * self._connections and (group := self._next_group(run_id)):
                flying.add(self._pool.submit(self._deliver, group))
            if not flying:
                break
            done, flying = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                counts = counts.plus(future.result())
        for future in flying:
            counts = counts.plus(future.result())
        return counts

    def _next_group(self, run_id: int) -> list[Claimed] | None:
        batch = self._batch
        if batch is None or not batch.groups:
            batch = self._batch = self._claim(run_id)
        if batch is None:
            return None
        if monotonic() - batch.renewed > _RENEW_SECONDS:
            self._renew(batch)
        return batch.groups.popleft() if batch.groups else None

    def _claim(self, run_id: int) -> _Batch | None:
        with self._post.engine.begin() as conn:
            claimed = sends.claim(conn, self._post.worker, run_id, self._post.clock(), CLAIM, holds.stopped(conn))
        if not claimed:
            return None
        groups = deque(claimed[at : at + GROUP] for at in range(0, len(claimed), GROUP))
        return _Batch(claimed[0].fence, groups, monotonic())

    def _renew(self, batch: _Batch) -> None:
        waiting = [send.id for group in batch.groups for send in group]
        with self._post.engine.begin() as conn:
            sends.renew(conn, waiting, batch.fence)
        batch.renewed = monotonic()

    def _give_back(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None and batch.groups:
            with self._post.engine.begin() as conn:
                sends.release(conn, [send.id for group in batch.groups for send in group], batch.fence)

    def _deliver(self, group: list[Claimed]) -> Counts:
        courier = self._couriers.get()
        try:
            return courier.deliver(group)
        finally:
            self._couriers.put(courier)
