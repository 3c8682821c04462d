"""Acts: what the steps of one claim do to its people themselves, their profiles, their consent, their history; in sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from engine.consent.statement import CHANNELS, Holding, must_record
from engine.errors import RenderError
from engine.journey.change import COLUMNS, carry_out
from engine.journey.values import EmitEvent, Properties, TraceLine, UpdateContact
from engine.run.moves import Move, changes
from engine.run.texts import Texts
from engine.store import consents, contacts, dead_letters, events, intents, traces
from engine.store.bulk import as_json
from engine.store.consents import ConsentKey, ConsentRow
from engine.store.contacts import ContactRow
from engine.store.events import EventRow
from engine.store.signals import NewSignal
from engine.store.traces import NewTrace

LARGEST_EVENT = 256 * 1024
"""Bytes of an event's properties as JSON; what an app posts may be as large."""


@dataclass(frozen=True)
class Act:
    """An effect with whose it is. `path` and `label` are of the step, `at` and `signal` of what was decided."""

    contact_id: int
    enrollment_id: int
    journey: str
    path: str
    label: str
    at: datetime
    signal: str
    event: Properties
    effect: UpdateContact | EmitEvent

    @property
    def source(self) -> str:
        """Where a consent row or event comes from."""
        return f"journey:{self.journey}"

    @property
    def message_id(self) -> str:
        """The same whenever this round of this step is decided, and of no other."""
        return f"{self.enrollment_id}/{self.effect.step}/{self.effect.round}"


class Acts:
    """Carried out in the order in which they were decided; the contacts are locked by the claim."""

    def __init__(self, conn: Connection, texts: Texts, now: datetime) -> None:
        self._conn, self._texts, self._now = conn, texts, now
        self._waiting: list[Act] = []
        self._people: dict[int, ContactRow] = {}
        self._changed: dict[int, dict[str, None]] = {}
        self._moves: dict[int, list[Move]] = {}
        self._holding: dict[ConsentKey, Holding] = {}
        self._asked: set[int] = set()
        self._emitted: dict[tuple[str, str], EventRow] = {}
        self._failed: list[tuple[Act, str]] = []

    def add(self, act: Act) -> None:
        self._waiting.append(act)

    def zone(self, contact_id: int, before: str | None) -> str | None:
        """The contact's time zone, which an act may have changed."""
        person = self._people.get(contact_id)
        return before if person is None else person.timezone

    def carry_out(self) -> None:
        """Do what waits: profiles and consent are written when this returns, so that the next decision sees them."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._people |= contacts.read(self._conn, {act.contact_id for act in waiting} - self._people.keys())
        touched: set[int] = set()
        withdrawn: list[ConsentRow] = []
        self._ask_consents(waiting)
        for act in waiting:
            match act.effect:
                case UpdateContact() as effect:
                    withdrawn += self._withdraw(act, effect)
                    if self._update(act, effect):
                        touched.add(act.contact_id)
                case EmitEvent() as effect:
                    self._emit(act, effect)
                case _:
                    assert_never(act.effect)
        contacts.save(self._conn, [self._people[each] for each in sorted(touched)], self._now)
        if withdrawn:
            consents.write(self._conn, withdrawn)

    def _update(self, act: Act, effect: UpdateContact) -> bool:
        person = self._people[act.contact_id]
        columns = {name: getattr(person, name) for name in COLUMNS}
        changed = carry_out(effect.change, columns, person.traits)
        self._failed += [(act, reason) for reason in changed.refused]
        if not changed.names:
            return False
        locale, timezone = changed.columns["locale"], changed.columns["timezone"]
        self._people[person.id] = replace(person, locale=locale, timezone=timezone, traits=changed.traits)
        if timezone != person.timezone:
            here = self._texts.organisation.timezone
            self._moves.setdefault(person.id, []).append((person.timezone or here, timezone or here, act.at))
        self._changed.setdefault(person.id, {}).update(dict.fromkeys(changed.names))
        return True

    # --- consent ---

    def _ask_consents(self, acts: list[Act]) -> None:
        wanted = {
            act.contact_id for act in acts if isinstance(act.effect, UpdateContact) and act.effect.change.withdrawn
        }
        self._holding |= consents.newest(self._conn, wanted - self._asked)
        self._asked |= wanted

    def _withdraw(self, act: Act, effect: UpdateContact) -> Iterator[ConsentRow]:
        for topic in effect.change.withdrawn:
            for channel in CHANNELS:
                key: ConsentKey = (act.contact_id, topic, channel)
                if must_record(False, self._now, None, self._holding.get(key), self._now):
                    self._holding[key] = Holding(0, False, self._now, None)
                    self._changed.setdefault(act.contact_id, {})["consent"] = None
                    yield ConsentRow(*key, False, self._now, act.source, act.message_id)

    # --- events ---

    def _emit(self, act: Act, effect: EmitEvent) -> None:
        contact = self._people[act.contact_id].seen()
        try:
            properties = self._texts.fill(dict(effect.properties), act.label, contact, act.event, effect.matched)
        except RenderError as error:
            self._failed.append((act, error.reason))
            return
        said = as_json(properties) or "{}"
        if len(said.encode()) > LARGEST_EVENT:
            self._failed.append((act, f"its properties are over {LARGEST_EVENT:,} bytes"))
            return
        extra = as_json({"journey": act.journey, "step": effect.step}) or "{}"
        self._emitted[act.source, act.message_id] = EventRow(
            act.contact_id, act.source, act.message_id, "track", effect.name, said, extra, self._now, True
        )

    # --- the end of the claim ---

    def save(self) -> list[NewSignal]:
        """Do what still waits, store the events with their signals, tell of what failed. Gives the signals to queue for
        profiles that are other than before.

        An event whose (source, message id) was stored before, by a decision that is made again, is not stored again (P7).
        """
        self.carry_out()
        if self._emitted:
            fresh = events.first_seen(self._conn, self._emitted, self._now)
            events.store(self._conn, [row for key, row in self._emitted.items() if key in fresh], self._now)
        if self._failed:
            self._tell()
        intents.wake(self._conn, self._moves.keys(), self._now)
        return [
            NewSignal(contact_id, "profile", self._now, data=changes(names, self._moves.get(contact_id, ())))
            for contact_id, names in self._changed.items()
        ]

    def _tell(self) -> None:
        """What could not be done for this one person stays visible, and holds up nobody (P11)."""
        letters = [
            (act.source, act.message_id, f"{act.label}: {reason}", as_json(act.effect) or "")
            for act, reason in self._failed
        ]
        dead_letters.write(self._conn, letters, self._now)
        traces.write(
            self._conn,
            [
                NewTrace(
                    act.contact_id,
                    act.enrollment_id,
                    act.journey,
                    act.at,
                    act.signal,
                    (TraceLine(act.path, act.label, reason, "not done"),),
                )
                for act, reason in self._failed
            ],
        )
