"""Advance: take what is due, decide it, save what follows; one transaction for a claim of many people."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.errors import DatabaseUnavailableError
from engine.journey.values import TraceLine
from engine.run import occurrences
from engine.run.claim import Claim
from engine.run.machines import Machines, Running
from engine.store import dead_letters, holds, journeys, signals, traces
from engine.store.bulk import as_json
from engine.store.signals import ClaimedContact, DueSignal
from engine.store.traces import NewTrace

log = logging.getLogger(__name__)

CLAIM = 500
_EACH = 50
"""Most signals of one contact in one claim: somebody with thousands must not keep the others of the claim waiting."""


@dataclass(frozen=True)
class Advanced:
    """What one claim did."""

    contacts: int = 0
    signals: int = 0
    entered: int = 0
    planned: int = 0


def advance(engine: Engine, machines: Machines, zone: str, now: datetime, most: int = CLAIM) -> Advanced:
    """Decide everything that is due for up to `most` contacts. `zone`: of contacts that have none of their own.

    Safe to run in any number of processes: contacts that another one works on are passed over. Zero contacts: nothing is due.
    A signal that can't be decided, whatever the fault, becomes a dead letter with a trace, and stops nobody else (P11).
    """
    while True:
        try:
            return _advance(engine, machines, zone, now, most)
        except Exception as error:  # promise P11: one bad signal never stops the others
            if _passes(error):
                raise
            if most == 1:
                return _advance_by_one(engine, machines, zone, now)
            most = max(1, most // 8)  # until the bad one stands alone, or is not among them


def _advance(engine: Engine, machines: Machines, zone: str, now: datetime, most: int) -> Advanced:
    with engine.begin() as conn:
        journeys.share(conn)
        paused = _paused(conn)
        people = signals.claim(conn, now, most, paused)
        due = signals.take(conn, [person.id for person in people], now, paused, _EACH) if people else {}
        return _decide(conn, machines, people, due, paused, zone, now)


def _advance_by_one(engine: Engine, machines: Machines, zone: str, now: datetime) -> Advanced:
    """Decide the one signal that comes first; if that can't be done, bury it."""
    with engine.begin() as conn:
        journeys.share(conn)
        paused = _paused(conn)
        people = signals.claim(conn, now, 1, paused)
        due = signals.take(conn, [person.id for person in people], now, paused, 1)
        try:
            with conn.begin_nested():
                return _decide(conn, machines, people, due, paused, zone, now)
        except Exception as error:  # as above
            if _passes(error):
                raise
            for contact, (only,) in due.items():
                log.exception("signal %d of contact %d can't be decided: dead letter", only.id, contact)
                _bury(conn, contact, only, error, now)
            return Advanced(len(people), len(due))


def _decide(
    conn: Connection,
    machines: Machines,
    people: list[ClaimedContact],
    due: dict[int, list[DueSignal]],
    paused: list[str],
    zone: str,
    now: datetime,
) -> Advanced:
    if not people:
        return Advanced()
    running = machines.applied(conn)
    _rearm_dates(conn, running, due, zone, now)
    claim = Claim(conn, machines, running, people, due, paused, zone, now)
    for wave in _waves(due):
        claim.decide(wave)
    claim.outcome.save()
    for contact, signal, error in claim.undecidable:
        _bury(conn, contact, signal, error, now)
    return Advanced(len(people), sum(map(len, due.values())), claim.outcome.entered, claim.outcome.planned)


def _passes(error: Exception) -> bool:
    """True for what is nobody's signal's fault: the database is away, busy or out of something. The same may go well later."""
    if isinstance(error, DatabaseUnavailableError | PoolTimeoutError):
        return True
    said = error.orig if isinstance(error, DBAPIError) else error
    too_big = isinstance(said, psycopg.Error) and (said.sqlstate or "").startswith("54")
    return isinstance(said, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError) and not too_big


def _paused(conn: Connection) -> list[str]:
    return [hold.name for hold in holds.standing(conn) if hold.scope == "journey"]


def _bury(conn: Connection, contact: int, due: DueSignal, error: Exception, now: datetime) -> None:
    """Keep a signal that can't be decided where it is seen, with all that is needed to queue it again."""
    signal = due.signal
    reason = f"{signal.kind} signal: {type(error).__name__}: {error}".replace("\0", "")
    payload = {
        "contact_id": contact, "enrollment_id": due.enrollment_id, "journey": due.journey, "kind": signal.kind, "at": signal.at,
        "visit": signal.visit, "event_id": signal.event.id if signal.event is not None else None, "data": dict(signal.data),
    }  # fmt: skip
    dead_letters.write(conn, [("advance", None, reason, as_json(payload) or "")], now)
    line = TraceLine("", "a decision", reason, "undecided")
    traces.write(conn, [NewTrace(contact, due.enrollment_id, due.journey or "", signal.at, signal.kind, (line,))])


def _waves(due: dict[int, list[DueSignal]]) -> Iterator[dict[int, DueSignal]]:
    """The first signal of every contact, then the second of those who have one, and so on."""
    for number in range(max(map(len, due.values()), default=0)):
        yield {contact: queue[number] for contact, queue in due.items() if number < len(queue)}


def _rearm_dates(
    conn: Connection, running: Iterable[Running], due: dict[int, list[DueSignal]], zone: str, now: datetime
) -> None:
    changed = [contact for contact, queue in due.items() if any(item.signal.kind == "profile" for item in queue)]
    for journey in running:
        if changed and journey.live.state == "live":
            occurrences.rearm(conn, journey.machine, zone, now, changed)
