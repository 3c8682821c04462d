"""Compiled journey versions, kept in memory: a version never changes once it is stored."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock

from sqlalchemy import Connection

from engine.config import Config, Organisation
from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import Declared, Reader
from engine.journey.journey import Journey, read_journey
from engine.journey.machine import Machine, compile_journey
from engine.run.settings import Settings, fixed
from engine.run.texts import Texts
from engine.store import journeys
from engine.store.journeys import LiveJourney

log = logging.getLogger(__name__)

_NOTHING_SAID = Config(Organisation(""), {})


@dataclass(frozen=True)
class Running:
    """A journey that is applied, with the machine that newcomers enter."""

    live: LiveJourney
    machine: Machine


class Machines:
    """All versions that people stand on. `declared`: the types that conditions compare by, and that decide how a version
    reads; they stay as they were when the process began. `settings`: what an edit of config.yaml changes at once.
    """

    def __init__(self, declared: Declared | None = None, settings: Settings | None = None) -> None:
        self.declared = declared or Declared()
        self._settings = settings or fixed(_NOTHING_SAID)
        self._priority = self._settings().config.delivery.priority
        self._texts = Texts(self._settings().config.organisation)
        self._by_version: dict[int, Machine] = {}
        self._without_priority: set[int] = set()
        self._broken: dict[int, WorkspaceError] = {}
        self._lock = Lock()

    @property
    def holdout(self) -> float:
        """The share of people who are held out of all marketing journeys."""
        return self._settings().config.delivery.holdout

    @property
    def texts(self) -> Texts:
        """What renders a journey's own texts, for the organisation as it is now."""
        organisation = self._settings().config.organisation
        if self._texts.organisation != organisation:
            self._texts = Texts(organisation)
        return self._texts

    def version(self, conn: Connection, version_id: int) -> Machine:
        """The machine of a stored version. Raises `WorkspaceError` for one that can't be read any more."""
        self._follow_priority()
        machine = self._by_version.get(version_id)
        if machine is not None:
            return machine
        if version_id in self._broken:
            raise self._broken[version_id]
        name, source = journeys.version_source(conn, version_id)
        try:
            machine = compile_journey(read_source(name, source, self.declared))
        except WorkspaceError as error:
            log.warning(
                "version %d of journey '%s' can't be read any more, nobody moves in it: %s", version_id, name, error
            )
            self._broken[version_id] = error
            raise
        with self._lock:
            if machine.delivery.priority is None:
                self._without_priority.add(version_id)
                machine = _with_priority(machine, self._priority)
            self._by_version[version_id] = machine
        return machine

    def _follow_priority(self) -> None:
        """Give the journeys that name no priority the one that config.yaml says now."""
        priority = self._settings().config.delivery.priority
        if priority == self._priority:
            return
        with self._lock:
            self._priority = priority
            for version_id in self._without_priority:
                self._by_version[version_id] = _with_priority(self._by_version[version_id], priority)

    def known(self, version_id: int) -> Machine:
        """A version that `version` has read before."""
        return self._by_version[version_id]

    def applied(self, conn: Connection) -> list[Running]:
        """Every applied journey, removed ones too, as the database has it now; one that can't be read is left out alone."""
        running: list[Running] = []
        for live in journeys.all_applied(conn):
            with suppress(WorkspaceError):  # `version` has told
                running.append(Running(live, self.version(conn, live.version_id)))
        return running


def _with_priority(machine: Machine, priority: int | None) -> Machine:
    return replace(machine, delivery=replace(machine.delivery, priority=priority))


def read_source(name: str, source: str, declared: Declared) -> Journey:
    """A journey from the text that was applied. Raises `WorkspaceError` when this version of Alur can't read it any more."""
    file = f"journeys/{name}.yaml"
    node, problems = read_document(source.encode(), file)
    reader = Reader(file, declared)
    journey = read_journey(node, reader, name, tested=False) if node is not None else None
    if journey is None:
        raise WorkspaceError([*problems, *reader.problems])
    return journey
