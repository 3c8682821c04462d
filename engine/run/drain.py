"""Drain: send runs, each from the first due send until the outbox has been idle for a while."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Protocol

from engine.errors import DatabaseUnavailableError
from engine.run import outbox
from engine.run.deliver import GROUP, Counts, Courier, Post
from engine.run.loop import Outage
from engine.store import buckets, holds, runs, sends
from engine.store.runs import RunEnd
from engine.store.sends import Claimed, Stopped

log = logging.getLogger(__name__)

CLAIM = 500
SLICE_SECONDS = 5.0
_RENEW_SECONDS = 15.0
_LOOK_UP = 0.25  # seconds after which somebody who waits for couriers looks whether to stop
_REST = 0.05  # seconds between two looks into an empty outbox


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

    def closed(self, run_id: int, state: RunEnd, counts: Counts) -> None: ...


class NoWindow:
    """Nobody watches."""

    def opened(self, run_id: int) -> None:
        pass

    def sliced(self, slice_: Slice) -> None:
        pass

    def closed(self, run_id: int, state: RunEnd, counts: Counts) -> None:
        pass


def never() -> bool:
    """Nobody asks us to stop."""
    return False


class Drain:
    """The process's delivering: its couriers, and one send run after the other. One drain a process; once stopped, it stays so."""

    def __init__(
        self, post: Post, connections: int, window: Window | None = None, slice_seconds: float = SLICE_SECONDS
    ) -> None:
        self._post, self._slice_seconds = post, slice_seconds
        self._window: Window = window or NoWindow()
        self._crew = _Crew(post, connections)

    def stop(self) -> None:
        """Begin no further message, for good: the run that is open ends after what is on the wire. Any thread may call it."""
        self._crew.stop()

    def close(self) -> None:
        """Stop, wait for what is on the wire, hang up."""
        self._crew.close()

    def any_due(self) -> bool:
        """Is there anything to send now?"""
        with self._post.engine.begin() as conn:
            return outbox.any_due(conn, self._post)

    def run(self, limits: Limits, stopping: Callable[[], bool], pause: Callable[[float], object]) -> Counts:
        """One send run, until one of the limits is reached or a hold cancels it. `stopping` ends it early, after what is
        on the wire; `pause` waits while the outbox is empty.
        """
        with self.opened() as run:
            run.drain(limits, stopping, pause)
        return run.counts

    @contextmanager
    def opened(self) -> Iterator[SendRun]:
        """A send run that stays open as long as the caller likes; it does nothing until it is told to."""
        post = self._post
        with post.engine.begin() as conn:
            run_id = runs.open_run(conn, post.worker, post.clock())
        self._window.opened(run_id)
        run = SendRun(run_id, self._crew, self._window, self._slice_seconds)
        try:
            yield run
        finally:
            run.cut()
            self._window.closed(run_id, self._close(run), run.counts)

    def _close(self, run: SendRun) -> RunEnd:
        post = self._post
        state: RunEnd = "cancelled" if run.cancelled else "finished"
        try:
            self._crew.give_back()
            with post.engine.begin() as conn:
                state = "cancelled" if run.id in holds.stopped(conn).runs else "finished"
                runs.close_run(conn, run.id, state, run.counts.by_state, post.clock())
        except DatabaseUnavailableError as error:  # its leases lapse by themselves, and the sweep closes it
            log.warning("send run %d ended while its end could not be written: %s", run.id, error)
        return state


class SendRun:
    """A send run that is open: what it sends from the outbox belongs to it."""

    def __init__(self, run_id: int, crew: _Crew, window: Window, slice_seconds: float = SLICE_SECONDS) -> None:
        self.id = run_id
        self.counts = Counts()
        self._crew, self._window, self._slice_seconds = crew, window, slice_seconds
        self._outage = Outage("sending")
        self._slices = 0
        self._slice = Counts()
        self._slice_began: float | None = None

    @property
    def cancelled(self) -> bool:
        """Whether a hold on this run was found at the last look into the outbox."""
        return self.id in self._crew.stopped.runs

    def drain(self, limits: Limits, stopping: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """Send whatever is or becomes due, until a limit is reached, a hold cancels the run or `stopping` says so.

        While the database is away it waits for it: a send run outlives that.
        """
        began = idle_since = monotonic()
        while self._slices < limits.slices and monotonic() - began < limits.seconds and not self._stopped(stopping):
            try:
                worked = self._send_due(stopping)
            except DatabaseUnavailableError as error:
                self._crew.forget()
                pause(self._outage.note(error))
                continue
            self._outage.over()
            if worked:
                idle_since = monotonic()
            elif self.cancelled or monotonic() - idle_since >= limits.idle_seconds:
                return
            else:
                pause(_REST)

    def drain_now(self, stopping: Callable[[], bool] = never) -> Counts:
        """Send what is due at the clock's instant; gives what became of it. A lone courier works in the caller's thread.
        Raises `DatabaseUnavailableError`.
        """
        before, self.counts = self.counts, Counts()
        send_due = self._send_here if self._crew.lone else self._send_due
        try:
            while send_due(stopping, claims=1):
                if self._crew.dry and not self.counts.by_state.get("planned"):  # nothing went back to be tried again
                    break
            return self.counts
        finally:
            self.counts = before.plus(self.counts)

    def cut(self) -> None:
        """End the slice, and show it."""
        if self._slice_began is not None and self._slice.total:
            self._slices += 1
            seconds = monotonic() - self._slice_began
            self._window.sliced(Slice(self.id, self._slices, self._slice, seconds))
        self._slice, self._slice_began = Counts(), None

    def _send_due(self, stopping: Callable[[], bool], claims: int | None = None) -> bool:
        """Keep every courier busy until nothing is due, the slice is full, or so many claims are sent; False when there was
        nothing to do.
        """
        flying: dict[Future[Counts], list[Claimed]] = {}
        worked = False
        self._crew.claims_left = claims
        self._cut_when_full()
        try:
            while not (worked and self._cut_when_full()):
                if self._stopped(stopping):
                    break
                while len(flying) < self._crew.room and (group := self._crew.next_group(self.id)):
                    flying[self._crew.send(group)] = group
                if not flying:
                    break
                worked = True
                self._slice_began = self._slice_began or monotonic()
                done, _ = wait(flying, timeout=_LOOK_UP, return_when=FIRST_COMPLETED)
                self._land({future: flying.pop(future) for future in done})
        finally:
            self._land(flying)
        self._crew.raise_trouble()
        return worked

    def _send_here(self, stopping: Callable[[], bool], claims: int) -> bool:
        """As `_send_due`, group by group in this thread: to hand each to another one takes longer than to record it."""
        worked = False
        self._crew.claims_left = claims
        self._cut_when_full()
        while not self._stopped(stopping) and (group := self._crew.next_group(self.id)):
            worked = True
            self._slice_began = self._slice_began or monotonic()
            self._count(self._crew.deliver(group))
            if self._cut_when_full():
                break
        self._crew.raise_trouble()
        return worked

    def _stopped(self, stopping: Callable[[], bool]) -> bool:
        if stopping():
            self._crew.stop()
        return self._crew.stopped_working

    def _land(self, flying: dict[Future[Counts], list[Claimed]]) -> None:
        for future, group in flying.items():
            if self._crew.stopped_working and future.cancel():
                self._crew.put_back(group)
                continue
            self._count(future.result())
            self._slice_began = self._slice_began or monotonic()

    def _count(self, counts: Counts) -> None:
        self.counts, self._slice = self.counts.plus(counts), self._slice.plus(counts)

    def _cut_when_full(self) -> bool:
        if self._slice_began is None or not self._slice.total or monotonic() - self._slice_began < self._slice_seconds:
            return False
        self.cut()
        return True


@dataclass
class _Batch:
    """What is left of one claim."""

    fence: int
    groups: deque[list[Claimed]]
    renewed: float


def _groups(claimed: Sequence[Claimed]) -> Iterator[list[Claimed]]:
    """Up to ten each, in their order; what is for one person stands in one group, so that it goes out in its order too."""
    of_contact: dict[int, list[Claimed]] = {}
    for send in claimed:
        of_contact.setdefault(send.contact_id, []).append(send)
    group: list[Claimed] = []
    for theirs in of_contact.values():
        for send in theirs:
            group.append(send)
            if len(group) == GROUP:
                yield group
                group = []
    if group:
        yield group


class _Crew:
    """The couriers, each with a thread of its own, and the claim they work on."""

    def __init__(self, post: Post, connections: int) -> None:
        self.stopped = Stopped()
        self.stopped_working = False
        self.room = 2 * connections
        self.lone = connections == 1
        self._post = post
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="courier")
        self._all = [Courier(post) for _ in range(connections)]
        self._free: SimpleQueue[Courier] = SimpleQueue()
        for courier in self._all:
            self._free.put(courier)
        self._batch: _Batch | None = None
        self._all_claimed = False  # the last claim took all that was due
        self.claims_left: int | None = None  # None: any number
        self._returned: list[list[Claimed]] = []
        self._trouble: DatabaseUnavailableError | None = None

    def stop(self) -> None:
        """Begin no further message."""
        self.stopped_working = True
        for courier in self._all:
            courier.stop()

    def close(self) -> None:
        self.stop()
        self._pool.shutdown(wait=True)
        for courier in self._all:
            courier.close()

    # --- claims ---

    def next_group(self, run_id: int) -> list[Claimed] | None:
        """Up to ten sends for one courier; None when nothing is due."""
        if self._trouble is not None:
            return None
        batch = self._batch
        if batch is None or not batch.groups:
            if self.claims_left == 0:
                return None
            batch = self._batch = self._claim(run_id)
        if batch is None:
            return None
        if monotonic() - batch.renewed > _RENEW_SECONDS:
            self._renew(batch)
        return batch.groups.popleft()

    @property
    def dry(self) -> bool:
        """Whether all that was due at the last claim has been handed out."""
        return self._all_claimed and not self._returned and (self._batch is None or not self._batch.groups)

    def _claim(self, run_id: int) -> _Batch | None:
        self.claims_left = self.claims_left - 1 if self.claims_left is not None else None
        with self._post.engine.begin() as conn:
            taken = outbox.claim(conn, self._post, run_id, CLAIM)
        self.stopped, self._all_claimed = taken.stopped, taken.all
        if not taken.claimed:
            return None
        return _Batch(taken.claimed[0].fence, deque(_groups(taken.claimed)), monotonic())

    def _renew(self, batch: _Batch) -> None:
        with self._post.engine.begin() as conn:
            sends.renew(conn, [send.id for group in batch.groups for send in group], batch.fence)
        batch.renewed = monotonic()

    def put_back(self, group: list[Claimed]) -> None:
        """A group that no courier has begun."""
        self._returned.append(group)

    def give_back(self) -> None:
        """Free what is claimed and not begun."""
        groups = [*self._returned, *(self._batch.groups if self._batch is not None else ())]
        self._batch, self._returned = None, []
        for fence in {group[0].fence for group in groups}:
            with self._post.engine.begin() as conn:
                unused = [send for group in groups for send in group if send.fence == fence]
                sends.release(conn, [send.id for send in unused], fence)
                buckets.give_back(conn, Counter(send.journey for send in unused if send.throttled))

    def forget(self) -> None:
        """Leave the claim to its lease: the database can't be told."""
        self._batch, self._returned = None, []

    # --- sending ---

    def send(self, group: list[Claimed]) -> Future[Counts]:
        """Hand a group to the next free courier."""
        return self._pool.submit(self.deliver, group)

    def raise_trouble(self) -> None:
        """The outage that a courier has met, once all of them are back."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    def deliver(self, group: list[Claimed]) -> Counts:
        """Have the next free courier take a group through, in this thread. Whatever goes wrong is in `raise_trouble`, or in
        the log.
        """
        courier = self._free.get()
        try:
            return courier.deliver(group)
        except DatabaseUnavailableError as error:
            self._trouble = error
            return Counts()
        except Exception as error:  # noqa: BLE001  promise P11: one bad send never stops the others
            return self._deliver_singly(courier, group, error)
        finally:
            self._free.put(courier)

    def _deliver_singly(self, courier: Courier, group: list[Claimed], error: Exception) -> Counts:
        """Find out which send it is. Those whose intent was committed are not `planned` any more, so none goes out twice."""
        if len(group) == 1:
            log.error(
                "send %d can't be delivered, it is tried again when its lease has lapsed", group[0].id, exc_info=error
            )
            return Counts()
        counts = Counts()
        for one in group:
            try:
                counts = counts.plus(courier.deliver([one]))
            except DatabaseUnavailableError as outage:
                self._trouble = outage
            except Exception as again:  # noqa: BLE001  as above
                self._deliver_singly(courier, [one], again)
        return counts
