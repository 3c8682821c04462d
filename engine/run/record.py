"""Records what a batch of messages says, in one transaction: people, consent, events, and the signals that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from engine.consent.address import fold_address
from engine.consent.statement import Holding, must_record
from engine.errors import AlurError
from engine.run.incoming import Message
from engine.run.moves import Move, changes
from engine.run.people import People, Person
from engine.store import consents, contacts, events, intents, signals, suppressions
from engine.store.consents import ConsentKey, ConsentRow
from engine.store.contacts import Identity
from engine.store.events import EventRow
from engine.store.merge import merge
from engine.store.signals import NewSignal
from engine.store.suppressions import Suppression

T = TypeVar("T")
_TRIES = 100  # each failed one means that another transaction has gone through


class OvertakenError(AlurError):
    """Another transaction has changed who is meant since we looked; the transaction must begin again."""


@dataclass(frozen=True)
class Recorded:
    """What a batch did. `refused` are messages that turned out to be not allowed, with the reason. `withdrawn` counts
    statements of consent that were not taken over because the person had taken it back.
    """

    created: int
    changed: int
    events: int
    withdrawn: int
    refused: tuple[tuple[Message, str], ...]


def settle(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in a transaction of its own, again from the start when another one overtook it or crossed its locks."""
    for attempt in range(_TRIES):
        try:
            with engine.begin() as conn:
                return work(conn)
        except OvertakenError:
            if attempt == _TRIES - 1:
                raise
        except DBAPIError as error:
            crossed = isinstance(error.orig, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
            if not crossed or attempt == _TRIES - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def record(conn: Connection, messages: Sequence[Message], now: datetime, zone: str) -> Recorded:
    """Write what the messages say, in their order; `zone` is of whoever has none. Raises `OvertakenError`; then nothing may
    be committed.

    Everything happens in sets, whatever the number of messages. The contacts that are named are locked first, in the
    order of their ids, so that parallel batches wait for each other and never in a circle.
    """
    owners, rows = contacts.lock_named(conn, {identity for message in messages for identity in _named(message)})
    if any(row.merged_into is not None for row in rows.values()):
        raise OvertakenError("a contact was merged into another meanwhile")
    people = People(owners, rows.values())
    said, refused = _understand(people, messages)
    created = _write_people(conn, people, now)
    withdrawn = _write_consents(conn, said, now)
    _write_suppressions(conn, said, now)
    happened = [_event_row(person, message) for person, message in said if message.event is not None]
    events.store(conn, happened, now)
    changed, survivors = people.changed(), {*people.merges().values()}
    if changed:
        # What a survivor takes over was begun in more than one zone: nobody can say in which.
        settled = created | survivors
        told = [(p, _moves(p, now, zone) if p.number() not in settled else []) for p in changed]
        signals.put(conn, [NewSignal(p.number(), "profile", now, data=changes(p.changed, moves)) for p, moves in told])
    moved = {p.number() for p in changed if "timezone" in p.changed} | survivors
    intents.wake(conn, moved - created, now)
    return Recorded(len(created), len(changed) - len(created), len(happened), withdrawn, tuple(refused))


def _moves(person: Person, now: datetime, zone: str) -> list[Move]:
    old, new = person.lived_in or zone, person.timezone or zone
    return [(old, new, now)] if old != new else []


def _named(message: Message) -> Iterable[Identity]:
    """Every identity that the message names."""
    if message.user_id is not None:
        yield ("user_id", message.user_id)
    if message.anonymous_id is not None:
        yield ("anonymous_id", message.anonymous_id)
    if message.previous_id is not None:
        yield ("user_id", message.previous_id)
        yield ("anonymous_id", message.previous_id)
    if message.profile is not None:
        yield from _addresses(message)


def _addresses(message: Message) -> Sequence[Identity]:
    columns = message.profile.columns if message.profile is not None else {}
    found: list[Identity] = []
    if (email := columns.get("email")) is not None:
        found.append(("email", fold_address("email", email)))
    if (phone := columns.get("phone")) is not None:
        found.append(("phone", phone))
    return found


def _understand(
    people: People, messages: Sequence[Message]
) -> tuple[list[tuple[Person, Message]], list[tuple[Message, str]]]:
    said: list[tuple[Person, Message]] = []
    refused: list[tuple[Message, str]] = []
    for message in messages:
        if message.previous_id is not None and message.user_id is not None:
            joined = people.alias(message.previous_id, message.user_id, any_previous=message.server)
            if joined is None:
                reason = (
                    "previousId: is a known user; a key of scope browser can be read by anybody and may not rename one"
                )
                refused.append((message, reason))
                continue
            person = joined
        else:
            hints = _addresses(message) if message.server and message.profile is not None else ()
            person = people.meant(message.user_id, message.anonymous_id, hints)
        if message.profile is not None:
            people.apply(person, message.profile)
        said.append((person, message))
    return said, refused


def _write_people(conn: Connection, people: People, now: datetime) -> set[int]:
    """Gives the ids of new contacts."""
    new = people.new()
    for person, number in zip(new, contacts.reserve_ids(conn, len(new)), strict=True):
        person.id = number
    contacts.create(conn, [person.row() for person in new], now)
    fresh = set(map(id, new))
    contacts.save(conn, [person.row() for person in people.changed() if id(person) not in fresh], now)
    merge(conn, people.merges(), now)
    contacts.detach(conn, people.detached())
    if not contacts.attach(conn, people.attached()):
        raise OvertakenError("somebody else has taken one of the identities meanwhile")
    return {person.number() for person in new}


def _write_consents(conn: Connection, said: Sequence[tuple[Person, Message]], now: datetime) -> int:
    speaking = [
        (person.final().number(), m) for person, m in said if m.profile is not None and m.profile.consent is not None
    ]
    if not speaking:
        return 0
    holding = consents.newest(conn, {contact_id for contact_id, _ in speaking})
    rows: list[ConsentRow] = []
    withdrawn = 0
    for contact_id, message in speaking:
        word = message.profile.consent if message.profile is not None else None
        assert word is not None
        for statement in word.statements:
            key: ConsentKey = (contact_id, statement.topic, statement.channel)
            holds = holding.get(key)
            at = word.at or now
            if must_record(statement.given, word.at, word.wording, holds, now):
                rows.append(ConsentRow(*key, statement.given, at, message.source, message.message_id, word.wording))
                holding[key] = Holding(0, statement.given, at, word.wording)
            elif statement.given and holds is not None and not holds.given:
                withdrawn += 1
    if rows:
        consents.write(conn, rows)
    return withdrawn


def _write_suppressions(conn: Connection, said: Sequence[tuple[Person, Message]], now: datetime) -> None:
    found: list[Suppression] = []
    for person, message in said:
        for channel in message.profile.suppressed if message.profile is not None else ():
            holder = person.final()
            address = holder.email if channel == "email" else holder.phone
            if address is not None:
                found.append(Suppression(channel, address, "all", "manual", message.source, now))
    suppressions.add(conn, found)


def _event_row(person: Person, message: Message) -> EventRow:
    event, message_id = message.event, message.message_id
    assert event is not None
    assert message_id is not None
    return EventRow(
        person.final().number(), message.source, message_id, event.type, event.name, event.properties, event.extra,
        message.occurred_at, message.starts,
    )  # fmt: skip
