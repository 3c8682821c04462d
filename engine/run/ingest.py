"""Takes in messages of the Segment protocol: each is stored once, or kept among the dead letters with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from engine.config import Config
from engine.run.incoming import DeadLetter, Incoming, Message, dead_letter, read_message, storable
from engine.run.profile import Rules
from engine.run.record import record, settle
from engine.store import dead_letters, events
from engine.store.events import MessageKey

_TOGETHER = 1000  # messages a transaction: more would hold contacts' locks, and so sends to them, for too long


@dataclass(frozen=True)
class IngestResult:
    """How many messages were taken in, had been taken in before, and became dead letters (with something left out, both)."""

    stored: int = 0
    repeated: int = 0
    dead: int = 0

    def __add__(self, other: IngestResult) -> IngestResult:
        return IngestResult(self.stored + other.stored, self.repeated + other.repeated, self.dead + other.dead)


def rules_of(config: Config) -> Rules:
    """What reading a message depends on."""
    return Rules(frozenset(config.topics), config.organisation.country, config.organisation.timezone)


def ingest(engine: Engine, config: Config, messages: Sequence[Incoming], now: datetime) -> IngestResult:
    """Take in messages that arrived `now`; committed when it returns (up to 1,000 messages in one transaction).

    A message with the (source, message id) of an earlier one changes nothing (promise P7). One that can't be taken
    becomes a dead letter that names the field, and the rest is kept (T11). A dead letter does not use up its message
    id: mended and sent again, it is taken. Raises `DatabaseUnavailableError`; all of it may then be sent again.
    """
    result = IngestResult()
    rules = rules_of(config)
    for start in range(0, len(messages), _TOGETHER):
        result += _take(engine, messages[start : start + _TOGETHER], rules, now)
    return result


def _take(engine: Engine, messages: Sequence[Incoming], rules: Rules, now: datetime) -> IngestResult:
    readings = [read_message(incoming, rules, now) for incoming in messages]
    try:
        return settle(engine, lambda conn: _store(conn, readings, now, rules.zone))
    except DBAPIError as error:
        if not _is_unholdable(error):
            raise
        if len(messages) > 1:
            half = len(messages) // 2
            return _take(engine, messages[:half], rules, now) + _take(engine, messages[half:], rules, now)
        letter = dead_letter(messages[0], f"message: the database can't hold it ({' '.join(str(error.orig).split())})")
        return settle(engine, lambda conn: _store(conn, [letter], now, rules.zone))


def _store(conn: Connection, readings: Sequence[Message | DeadLetter], now: datetime, zone: str) -> IngestResult:
    letters = [reading for reading in readings if isinstance(reading, DeadLetter)]
    messages: dict[MessageKey, Message] = {}
    for reading in readings:
        if isinstance(reading, Message):
            message = reading if reading.message_id else replace(reading, message_id=uuid4().hex)
            messages.setdefault((message.source, message.message_id or ""), message)
    fresh = events.first_seen(conn, messages, now)
    taken = [message for key, message in messages.items() if key in fresh]
    recorded = record(conn, taken, now, zone)
    left_out = [(message, message.note) for message in taken if message.note is not None]
    rows = [(letter.source, letter.message_id, letter.reason, letter.payload) for letter in letters]
    rows += [(m.source, m.message_id, reason, storable(m.payload)) for m, reason in (*left_out, *recorded.refused)]
    dead_letters.write(conn, rows, now)
    repeated = len(readings) - len(letters) - len(taken)
    return IngestResult(len(taken) - len(recorded.refused), repeated, len(rows))


def _is_unholdable(error: DBAPIError) -> bool:
    """What PostgreSQL can't hold (SQLSTATE class 22, and the limits of class 54) is the fault of one message. We refuse all
    that we know of while reading; should anything be left, it must not take the other messages down with it.
    """
    state = error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None
    return state is not None and state.startswith(("22", "54"))
