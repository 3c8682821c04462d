"""Enroll: people knock at a journey's door because somebody says so; its entry rules decide, as for everybody else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine

from engine.errors import AlurError, UnknownNameError
from engine.grammar import suggestion
from engine.journey.values import Signal
from engine.run.advance import CLAIM
from engine.run.claim import Claim
from engine.run.machines import Machines
from engine.store import enrolling, events, holds, journeys, segments, signals
from engine.store.signals import ClaimedContact, DueSignal, NewSignal

LARGEST_PROPERTIES: Final = 256 * 1024  # bytes of JSON, as of a message
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it; PostgreSQL's text can't hold it

IN: Final = ("entered", "held_out")
"""The words of a decision at the door for those who are let in."""


class NobodyEntersError(AlurError):
    """The journey was removed, so that nobody enters it any more."""


class PropertiesError(AlurError):
    """What is to be handed over can't be `event` in a journey."""


def read_properties(value: Any) -> dict[str, Any]:
    """A JSON object of bearable size. Raises `PropertiesError`."""
    if not isinstance(value, dict):
        raise PropertiesError('properties: expected a JSON object such as {"total": 50000}')
    try:
        said = orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise PropertiesError(f"properties: {error}") from error
    if len(said) > LARGEST_PROPERTIES:
        raise PropertiesError(f"properties: {len(said):,} bytes are more than the {LARGEST_PROPERTIES:,} there may be")
    if _NUL.search(said):
        raise PropertiesError("properties: text must not hold the character NUL")
    return value


def open_journey(conn: Connection, name: str) -> str:
    """The name of a journey that people enter. Raises `UnknownNameError` and `NobodyEntersError`."""
    known = {journey.name: journey.state for journey in journeys.all_applied(conn)}
    if name not in known:
        listed = f"; there are {', '.join(known)}" if known else "; nothing is applied yet: run `alur apply`"
        raise UnknownNameError(f"no journey '{name}'{suggestion(name, known) or listed}")
    if known[name] == "removed":
        raise NobodyEntersError(f"journey '{name}' was removed: nobody enters it any more")
    return name


def open_segment(conn: Connection, name: str) -> str:
    """The name of a segment that is applied. Raises `UnknownNameError`."""
    known = sorted(segments.applied(conn))
    if name not in known:
        listed = f"; there are {', '.join(known)}" if known else "; none is applied yet"
        raise UnknownNameError(f"no segment '{name}'{suggestion(name, known) or listed}")
    return name


def enroll(
    conn: Connection,
    journey: str,
    contact: int,
    properties: Mapping[str, Any],
    by: str,
    now: datetime,
    message: tuple[str, str] | None = None,
) -> bool:
    """Let one contact knock. `message` (source, message id) makes it once: False when it has been taken before."""
    if message is not None and message not in events.first_seen(conn, [message], now):
        return False
    signals.put(conn, [NewSignal(contact, "manual", now, journey=journey, data=_data(journey, properties, by))])
    return True


def enroll_members(
    conn: Connection, journey: str, segment: str, properties: Mapping[str, Any], by: str, now: datetime
) -> int:
    """Let everybody who is in the segment knock, in one statement; gives how many."""
    return enrolling.signal_members(conn, journey, segment, _data(journey, properties, by), now)


def members(conn: Connection, segment: str) -> Iterator[int]:
    """The contacts who are in the segment; streamed."""
    return enrolling.members(conn, segment)


def would_enter(
    engine: Engine,
    machines: Machines,
    zone: str,
    journey: str,
    contacts: Iterable[int],
    properties: Mapping[str, Any],
    now: datetime,
) -> Counter[str]:
    """What would be decided at the door, per word of the decision (`IN`, or why not), if these contacts knocked now.

    It is decided for real, in a transaction for each few hundred people that is rolled back.
    """
    found: Counter[str] = Counter()
    each = iter(contacts)
    while some := list(islice(each, CLAIM)):
        with engine.connect() as conn:
            found += _rehearse(conn, machines, zone, journey, some, properties, now)
            conn.rollback()
    return found


def _rehearse(
    conn: Connection,
    machines: Machines,
    zone: str,
    journey: str,
    contacts: Sequence[int],
    properties: Mapping[str, Any],
    now: datetime,
) -> Counter[str]:
    running = [each for each in machines.applied(conn) if each.live.name == journey]
    people = [ClaimedContact(number, timezone) for number, timezone in enrolling.zones(conn, contacts)]
    signal = Signal("manual", now, data=_data(journey, properties, ""))
    due = {person.id: [DueSignal(0, None, signal, journey)] for person in people}
    paused = [hold.name for hold in holds.standing(conn) if hold.scope == "journey"]
    claim = Claim(conn, machines, running, people, due, paused, zone, now)
    claim.decide({contact: queue[0] for contact, queue in due.items()})
    first: dict[int, str] = {}
    for trace in claim.outcome.told:
        if trace.journey == journey and trace.lines:
            first.setdefault(trace.contact_id, trace.lines[0].result)
    return Counter(first.values())


def _data(journey: str, properties: Mapping[str, Any], by: str) -> dict[str, Any]:
    return {"journey": journey, "properties": dict(properties), "by": by}
