"""Compiled journey versions, kept in memory: a version never changes once it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection

from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import FieldType, Reader
from engine.journey.journey import Journey, read_journey
from engine.journey.machine import Machine, compile_journey
from engine.store import journeys
from engine.store.journeys import LiveJourney


@dataclass(frozen=True)
class Running:
    """A journey that is applied, with the machine that newcomers enter."""

    live: LiveJourney
    machine: Machine


class Machines:
    """All versions that people stand on. `fields`: declared types of contact fields, which conditions compare by."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self._fields = fields
        self._by_version: dict[int, Machine] = {}
        self._lock = Lock()

    def version(self, conn: Connection, version_id: int) -> Machine:
        """The machine of a stored version."""
        machine = self._by_version.get(version_id)
        if machine is None:
            name, source = journeys.version_source(conn, version_id)
            machine = compile_journey(read_source(name, source, self._fields))
            with self._lock:
                self._by_version[version_id] = machine
        return machine

    def known(self, version_id: int) -> Machine:
        """A version that `version` has read before."""
        return self._by_version[version_id]

    def applied(self, conn: Connection) -> list[Running]:
        """Every applied journey, removed ones too, as the database has it now."""
        return [Running(live, self.version(conn, live.version_id)) for live in journeys.all_applied(conn)]


def read_source(name: str, source: str, fields: Mapping[str, FieldType]) -> Journey:
    """A journey from the text that was applied. Raises `WorkspaceError` when this version of Alur can't read it any more."""
    file = f"journeys/{name}.yaml"
    node, problems = read_document(source.encode(), file)
    reader = Reader(file, fields)
    journey = read_journey(node, reader, name) if node is not None else None
    if journey is None:
        raise WorkspaceError([*problems, *reader.problems])
    return journey
