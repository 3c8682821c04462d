"""Compiled journey versions, kept in memory: a version never changes once it is stored."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock

from sqlalchemy import Connection

from engine.config import Organisation
from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import FieldType, Reader
from engine.journey.journey import Journey, read_journey
from engine.journey.machine import Machine, compile_journey
from engine.run.texts import Texts
from engine.store import journeys
from engine.store.journeys import LiveJourney

log = logging.getLogger(__name__)

_NAMELESS = Organisation("")


@dataclass(frozen=True)
class Running:
    """A journey that is applied, with the machine that newcomers enter."""

    live: LiveJourney
    machine: Machine


class Machines:
    """All versions that people stand on. `fields`: declared types of contact fields, which conditions compare by.
    `holdout`: the share of people who are held out of all marketing journeys. `organisation`: for whom texts are rendered.
    `priority`: of journeys that name none.
    """

    def __init__(
        self,
        fields: Mapping[str, FieldType],
        holdout: float = 0.0,
        organisation: Organisation = _NAMELESS,
        priority: int | None = None,
    ) -> None:
        self._fields, self._priority = fields, priority
        self.holdout = holdout
        self.texts = Texts(organisation)
        self._by_version: dict[int, Machine] = {}
        self._broken: dict[int, WorkspaceError] = {}
        self._lock = Lock()

    @property
    def fields(self) -> Mapping[str, FieldType]:
        return self._fields

    def version(self, conn: Connection, version_id: int) -> Machine:
        """The machine of a stored version. Raises `WorkspaceError` for one that can't be read any more."""
        machine = self._by_version.get(version_id)
        if machine is not None:
            return machine
        if version_id in self._broken:
            raise self._broken[version_id]
        name, source = journeys.version_source(conn, version_id)
        try:
            machine = self._with_priority(compile_journey(read_source(name, source, self._fields)))
        except WorkspaceError as error:
            log.warning(
                "version %d of journey '%s' can't be read any more, nobody moves in it: %s", version_id, name, error
            )
            self._broken[version_id] = error
            raise
        with self._lock:
            self._by_version[version_id] = machine
        return machine

    def _with_priority(self, machine: Machine) -> Machine:
        if machine.delivery.priority is not None:
            return machine
        return replace(machine, delivery=replace(machine.delivery, priority=self._priority))

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


def read_source(name: str, source: str, fields: Mapping[str, FieldType]) -> Journey:
    """A journey from the text that was applied. Raises `WorkspaceError` when this version of Alur can't read it any more."""
    file = f"journeys/{name}.yaml"
    node, problems = read_document(source.encode(), file)
    reader = Reader(file, fields)
    journey = read_journey(node, reader, name, tested=False) if node is not None else None
    if journey is None:
        raise WorkspaceError([*problems, *reader.problems])
    return journey
