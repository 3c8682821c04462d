"""Deliver: intent groups from the outbox to the providers and back. Every rule about whether a message may go is in `permit`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from time import monotonic, sleep
from typing import Protocol, assert_never

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from channels.base import Accepted, Adapter, Ambiguous, Message, Receipt, Rejected, Throttled, Unreachable
from channels.base import Connection as Line
from engine.consent.permit import Allowed, ChannelFacts, DueSend, Held, SendFacts, Withheld, permit
from engine.errors import DatabaseUnavailableError, RenderError, WorkspaceError
from engine.journey.decide import exit_questions
from engine.journey.values import Enrollment
from engine.run.machines import Machines
from engine.run.throttle import Gate
from engine.store import holds, intents
from engine.store.answers import Case, answer
from engine.store.holds import Hold
from engine.store.intents import Ending, Intent, LockedSend
from engine.store.sends import LEASE, Claimed

log = logging.getLogger(__name__)

GROUP = 10
"""Most sends between two commits on one connection: what a crash can leave `unknown`."""

_WIRE_TIME = LEASE.total_seconds() - 10
"""No message is begun this many seconds after its intent: by then the lease may be somebody else's."""

_PATIENCE = 120.0
"""Seconds for which receipts are held while the database is away; after that the sweep calls the sends `unknown`."""

_RETRY = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
_GIVE_UP = timedelta(days=3)
_THROTTLED = 5.0
"""Seconds after which a message is tried again that the channel's throttle kept from going."""

_LOOK_AGAIN = timedelta(seconds=30)
"""How soon a send on a held channel is looked at again."""


class Composer(Protocol):
    """Makes the message of a send."""

    def has_template(self, channel: str, template: str) -> bool: ...

    def compose(self, send: LockedSend, channel: str, address: str, now: datetime) -> Composed:
        """Raises `RenderError` when this one can't be made."""
        ...


@dataclass(frozen=True)
class Composed:
    message: Message
    template_hash: str
    message_id: str | None = None


@dataclass(frozen=True)
class Counts:
    """What became of sends, by state; `planned` went back into the outbox."""

    by_state: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: Counts) -> Counts:
        return Counts(dict(Counter(self.by_state) + Counter(other.by_state)))

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


@dataclass(frozen=True)
class Post:
    """What delivering needs, shared by all threads of a process."""

    engine: Engine
    adapters: Mapping[str, Adapter]
    gates: Mapping[str, Gate]
    composer: Composer
    machines: Machines
    clock: Callable[[], datetime]
    worker: int


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
        ready, counts = self._intend(group, fence)
        started = monotonic()
        endings: list[Ending] = []
        shut: dict[str, str] = {}
        for channel, batch in _by_channel(ready).items():
            endings.extend(self._carry(channel, batch, started, shut))
        if endings:
            self._record(endings, fence)
            counts = counts.plus(Counts(dict(Counter(e.state for e in endings))))
        for channel, detail in shut.items():
            self._shut(channel, detail)
        return counts

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

    # --- before the wire ---

    def _intend(self, group: Sequence[Claimed], fence: int) -> tuple[list[_Ready], Counts]:
        now = self._post.clock()
        with self._post.engine.begin() as conn:
            people = {c.contact_id for c in group}
            locked = [send for send in intents.lock(conn, [c.id for c in group], sorted(people), fence) if send.ours]
            # One whose contact was merged meanwhile now belongs to somebody whose row is not locked (promise P4).
            mine = [send for send in locked if not send.held and send.contact_id in people]
            later = [(send.id, now) for send in locked if send.held or send.contact_id not in people]
            unreadable = self._unreadable(conn, mine)
            later += [(send.id, now + _LOOK_AGAIN) for send in mine if send.version_id in unreadable]
            mine = [send for send in mine if send.version_id not in unreadable]
            exited = self._exited(conn, mine, now)
            ready: list[_Ready] = []
            endings: list[Ending] = []
            for send in mine:
                verdict = permit(_due(send), self._facts(send, send.id in exited, now), now)
                match verdict:
                    case Allowed():
                        made = self._compose(send, verdict, now)
                        if isinstance(made, Ending):
                            endings.append(made)
                        else:
                            ready.append(made)
                    case Held(until=until):
                        later.append((send.id, until))
                    case Withheld(reason=reason):
                        state = "failed" if send.refused else "withheld"
                        endings.append(Ending(send.id, state, "refused" if send.refused else reason))
                    case _:
                        assert_never(verdict)
            begun = intents.intend(conn, [item.intent for item in ready], self._post.worker, fence, now)
            intents.postpone(conn, later, fence)
            intents.end(conn, endings, fence, now)
        ready = [item for item in ready if item.send.id in begun]
        return ready, Counts(dict(Counter(e.state for e in endings)))

    def _exited(self, conn: Connection, group: Sequence[LockedSend], now: datetime) -> set[int]:
        """Sends whose enrollment has ended, or one of whose exit rules holds at this moment."""
        gone = {send.id for send in group if not send.enrolled}
        cases = []
        for ix, send in enumerate(group):
            machine = self._post.machines.version(conn, send.version_id)
            if send.id not in gone and machine.exits:
                standing = _standing(send)
                questions = exit_questions(machine, standing, now)
                cases.append(Case(ix, send.version_id, send.contact_id, standing, None, questions))
        answers = answer(conn, cases, now) if cases else {}
        return gone | {group[ix].id for (ix, _), found in answers.items() if found.holds}

    def _unreadable(self, conn: Connection, group: Sequence[LockedSend]) -> set[int]:
        """Stored versions that this Alur can't read; their sends stay in the outbox for one that can."""
        versions = set()
        for version_id in {send.version_id for send in group}:
            try:
                self._post.machines.version(conn, version_id)
            except WorkspaceError:
                versions.add(version_id)
        return versions

    def _facts(self, send: LockedSend, exited: bool, now: datetime) -> SendFacts:
        channels = {}
        for channel in send.via:
            address = send.contact.get("email" if channel == "email" else "phone")
            channels[channel] = ChannelFacts(
                has_template=channel in self._post.adapters
                and self._post.composer.has_template(channel, send.template),
                address=address,
                suppressed=frozenset(send.suppressed.get(channel, ())),  # type: ignore[arg-type]
                consent_id=send.consents.get(channel),
                held_until=self._held_until(send, channel, now),
            )
        return SendFacts(exited, channels)

    def _held_until(self, send: LockedSend, channel: str, now: datetime) -> datetime | None:
        if channel in send.shut_channels:
            return now + _LOOK_AGAIN
        gate = self._post.gates.get(channel)
        return gate.closed_until(now) if gate is not None else None

    def _compose(self, send: LockedSend, verdict: Allowed, now: datetime) -> _Ready | Ending:
        try:
            made = self._post.composer.compose(send, verdict.channel, verdict.address, now)
        except RenderError as error:
            return Ending(send.id, "failed", "render", detail=str(error))
        except Exception as error:
            log.exception("send %d could not be composed", send.id)
            return Ending(send.id, "failed", "render", detail=f"unexpected {type(error).__name__}")
        attempt = send.attempts + 1
        intent = Intent(
            send.id, attempt, verdict.channel, verdict.address, verdict.consent_id, made.template_hash, made.message_id
        )
        return _Ready(send, intent, made.message)

    # --- on the wire ---

    def _carry(self, channel: str, batch: Sequence[_Ready], started: float, shut: dict[str, str]) -> Iterator[Ending]:
        """One ending per message. A message that was not begun goes back into the outbox. Never raises: the receipts of
        the group are known nowhere else. `shut` takes the channel, if the provider refuses our credentials.
        """
        gate = self._post.gates.get(channel)
        stopped: Throttled | Unreachable | None
        receipts, stopped = self._begin(channel, batch)
        for item in batch:
            left = _WIRE_TIME - (monotonic() - started)
            if stopped is None and gate is not None and not gate.wait(left, self._stopping.wait):
                stopped = Throttled(_THROTTLED, "the channel's throttle left no room within this lease")
            if stopped is None and self._stopping.is_set():
                stopped = Unreachable("Alur was stopped before this message was begun")
            if stopped is None and monotonic() - started > _WIRE_TIME:
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
                shut[channel] = receipt.detail

    def _begin(self, channel: str, batch: Sequence[_Ready]) -> tuple[Iterator[Receipt], Unreachable | None]:
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

    def _ending(self, item: _Ready, receipt: Receipt) -> Ending:
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


@dataclass(frozen=True)
class _Ready:
    send: LockedSend
    intent: Intent
    message: Message


def _by_channel(ready: Sequence[_Ready]) -> dict[str, list[_Ready]]:
    channels: dict[str, list[_Ready]] = {}
    for item in ready:
        channels.setdefault(item.intent.channel, []).append(item)
    return channels


def _due(send: LockedSend) -> DueSend:
    return DueSend(send.kind, send.via, send.refused, send.expires_at)  # type: ignore[arg-type]


def _standing(send: LockedSend) -> Enrollment:
    return Enrollment(
        id=send.enrollment_id, contact_id=send.contact_id, key=send.key, state="active", step=send.step, visit=send.visit,
        round=send.round, entered_at=send.entered_at, enrolled_at=send.entered_at, arrived_at=send.entered_at,
        trigger_event_id=send.trigger_event_id, event=send.event, matched=send.matched,
    )  # fmt: skip
