"""Deliver: intent groups from the outbox to the providers and back. Every rule about whether a message may go is in `permit`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from time import monotonic, sleep
from typing import assert_never

from sqlalchemy.exc import OperationalError

from channels.base import Accepted, Ambiguous, Message, Receipt, Rejected, Throttled, Unreachable
from channels.base import Connection as Line
from engine.errors import DatabaseUnavailableError
from engine.run.intend import intend
from engine.run.post import Composed, Composer, Counts, Post, Ready
from engine.run.throttle import Gate
from engine.store import holds, intents
from engine.store.holds import Hold
from engine.store.intents import Ending
from engine.store.sends import LEASE, Claimed

__all__ = ["GROUP", "Composed", "Composer", "Counts", "Courier", "Post"]

log = logging.getLogger(__name__)

GROUP = 10
"""Most sends between two commits on one connection: what a crash can leave `unknown`."""

_WIRE_TIME = LEASE.total_seconds() - 10
"""No message is begun this many seconds after its intent: by then the lease may be somebody else's."""

_RECORD_AFTER = 1.0
"""Seconds after which the receipts so far are committed and the lease is renewed, though the group is not through."""

_PATIENCE = 120.0
"""Seconds for which receipts are held while the database is away; after that the sweep calls the sends `unknown`."""

_RETRY = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
_GIVE_UP = timedelta(days=3)
_THROTTLED = 5.0
"""Seconds after which a message is tried again that the channel's throttle kept from going."""


class Courier:
    """One thread's lines to the providers. Not thread-safe; each thread has its own."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._lines: dict[str, Line] = {}
        self._stopping = Event()

    def stop(self) -> None:
        """Begin no further message: what is left of the group goes back into the outbox. May be called by any thread."""
        self._stopping.set()

    def close(self) -> None:
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def deliver(self, group: Sequence[Claimed]) -> Counts:
        """Take one intent group through: intent committed, messages over the wire, receipts committed.

        All of the group must be claimed under one fence. Raises database errors of the intent (nothing was sent then);
        receipts that can't be recorded are tried again for two minutes, then left to the sweep.
        """
        fence = group[0].fence
        ready, counts = intend(self._post, group, fence)
        turn = _Turn(fence, {item.send.id for item in ready})
        for channel, batch in _by_channel(ready).items():
            for ending in self._carry(channel, batch, turn):
                turn.take(ending)
                if turn.seconds > _RECORD_AFTER:
                    self._record_some(turn)
        if turn.endings:
            self._record(turn.endings, fence)
        for channel, detail in turn.shut.items():
            self._shut(channel, detail)
        return counts.plus(Counts(dict(turn.counts)))

    def _record_some(self, turn: _Turn) -> None:
        """Commit the receipts so far, and go on with a fresh lease. If the database is away the next one is the occasion."""
        try:
            with self._post.engine.begin() as conn:
                intents.end(conn, turn.endings, turn.fence, self._post.clock())
                kept = intents.keep(conn, sorted(turn.waiting), turn.fence)
        except (DatabaseUnavailableError, OperationalError) as error:
            log.warning("receipts are kept until the database answers again: %s", error)
            return
        turn.recorded(kept)

    def _record(self, endings: Sequence[Ending], fence: int) -> None:
        """Commit the receipts, through a restart of the database if need be: they are known nowhere else."""
        patience = monotonic() + _PATIENCE
        while True:
            try:
                with self._post.engine.begin() as conn:
                    intents.end(conn, endings, fence, self._post.clock())
                return
            except (DatabaseUnavailableError, OperationalError):
                if monotonic() > patience:
                    raise
                sleep(0.25)

    # --- on the wire ---

    def _carry(self, channel: str, batch: Sequence[Ready], turn: _Turn) -> Iterator[Ending]:
        """One ending per message. A message that was not begun goes back into the outbox. Never raises: the receipts of
        the group are known nowhere else. `turn.shut` takes the channel, if the provider refuses our credentials.
        """
        gate = self._post.gates.get(channel)
        stopped: Throttled | Unreachable | None
        receipts, stopped = self._begin(channel, batch)
        for item in batch:
            if stopped is None and gate is not None and not self._has_token(gate, turn):
                stopped = Throttled(_THROTTLED, "the channel's throttle left no room within this lease")
            if stopped is None and self._stopping.is_set():
                stopped = Unreachable("Alur was stopped before this message was begun")
            if stopped is None and turn.left < 0:
                stopped = Unreachable("the lease ran out before this message was begun")
            if stopped is not None:
                yield self._ending(item, stopped)
                continue
            receipt, broken = _next(receipts)
            yield self._ending(item, receipt)
            if broken:
                stopped = Unreachable("the adapter failed on the message before this one")
            if isinstance(receipt, Throttled) and receipt.whole_channel:
                stopped = receipt
                if gate is not None:
                    gate.close(self._post.clock() + timedelta(seconds=receipt.retry_after))
            elif isinstance(receipt, Unreachable) and receipt.closed:
                stopped = receipt
                turn.shut[channel] = receipt.detail

    def _has_token(self, gate: Gate, turn: _Turn) -> bool:
        """Wait for the channel's throttle within the lease; what is known already is recorded before a long wait."""
        if gate.wait(min(turn.left, _RECORD_AFTER), self._stopping.wait):
            return True
        if turn.endings:
            self._record_some(turn)
        return gate.wait(turn.left, self._stopping.wait)

    def _begin(self, channel: str, batch: Sequence[Ready]) -> tuple[Iterator[Receipt], Unreachable | None]:
        """The receipts to be asked for one by one; or why nothing can be begun on this channel."""
        try:
            line = self._lines.get(channel)
            if line is None:
                line = self._lines[channel] = self._post.adapters[channel].connect()
        except Exception as error:  # noqa: BLE001  third-party code; nothing is on the wire yet
            return iter(()), Unreachable(f"the adapter failed to connect: {type(error).__name__}: {error}")
        return _receipts(line, [item.message for item in batch]), None

    def _shut(self, channel: str, detail: str) -> None:
        """Our credentials are refused: hold the channel until a person has looked."""
        reason = f"the provider refuses our credentials: {detail}"
        with self._post.engine.begin() as conn:
            holds.place(conn, Hold("channel", channel, reason, "alur", self._post.clock()))

    def _ending(self, item: Ready, receipt: Receipt) -> Ending:
        send, now = item.send, self._post.clock()
        again = now + _RETRY[min(item.intent.attempt, len(_RETRY)) - 1]
        match receipt:
            case Accepted(provider_id=provider_id, detail=detail):
                return Ending(send.id, "accepted", provider_id=provider_id, outcome="accepted", detail=detail)
            case Rejected(reason=reason, detail=detail):
                rest = [c for c in send.via if c != item.intent.channel and c not in send.refused]
                if rest:
                    return Ending(
                        send.id,
                        "planned",
                        reason,
                        next_at=now,
                        refused=item.intent.channel,
                        outcome="rejected",
                        detail=detail,
                    )
                return Ending(send.id, "failed", f"rejected_{reason}", outcome="rejected", detail=detail)
            case Throttled(detail=detail) if now - send.due_at > _GIVE_UP:
                return Ending(send.id, "failed", "gave_up", outcome="throttled", detail=detail)
            case Throttled(retry_after=seconds, detail=detail):
                return Ending(
                    send.id, "planned", next_at=now + timedelta(seconds=seconds), outcome="throttled", detail=detail
                )
            case Unreachable(detail=detail):
                return Ending(send.id, "planned", next_at=again, outcome="unreachable", detail=detail)
            case Ambiguous(detail=detail):
                if send.kind == "transactional":  # P1: at least once
                    return Ending(send.id, "planned", next_at=again, outcome="ambiguous", detail=detail)
                searchable = self._post.adapters[item.intent.channel].capabilities.searchable
                reason = "reconciling" if searchable else "ambiguous"
                return Ending(send.id, "unknown", reason, outcome="ambiguous", detail=detail)
            case _:
                assert_never(receipt)


@dataclass
class _Turn:
    """One group on the wire: what is known and not recorded yet, whose turn is still to come, since when the lease runs."""

    fence: int
    waiting: set[int]
    endings: list[Ending] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    shut: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=monotonic)
    _lost: bool = False

    @property
    def seconds(self) -> float:
        """Since the lease was renewed."""
        return monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds within which a message may be begun; none are left once the lease of any is lost."""
        return -1.0 if self._lost else _WIRE_TIME - self.seconds

    def take(self, ending: Ending) -> None:
        self.waiting.discard(ending.send_id)
        self.endings.append(ending)
        self.counts[ending.state] += 1

    def recorded(self, kept: bool) -> None:
        """The receipts so far are committed; `kept`: the lease of all the others was renewed."""
        self.endings, self.began = [], monotonic()
        self._lost = self._lost or not kept


def _receipts(line: Line, messages: Sequence[Message]) -> Iterator[Receipt]:
    """Begun when the first receipt is asked for, so that whatever the adapter raises is met there."""
    yield from line.send(messages)


def _next(receipts: Iterator[Receipt]) -> tuple[Receipt, bool]:
    """The next receipt. An adapter that breaks its contract leaves the message it worked on in doubt, and ends the batch."""
    try:
        return next(receipts), False
    except StopIteration:
        return Ambiguous("the adapter gave no receipt"), True
    except Exception as error:  # noqa: BLE001  third-party code: whatever it raises, the message may be out
        return Ambiguous(f"the adapter failed: {type(error).__name__}: {error}"), True


def _by_channel(ready: Sequence[Ready]) -> dict[str, list[Ready]]:
    channels: dict[str, list[Ready]] = {}
    for item in ready:
        channels.setdefault(item.intent.channel, []).append(item)
    return channels
