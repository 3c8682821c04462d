"""Migrate: people under way go over to the version that is being applied, as its `in_flight` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.errors import AlurError, WorkspaceError
from engine.grammar import Declared
from engine.journey.journey import Journey
from engine.journey.machine import Machine, compile_journey
from engine.journey.moving import Route, Stranded, route
from engine.run.machines import read_source
from engine.store import journeys, moves
from engine.store.moves import StandingCount


@dataclass(frozen=True)
class Course:
    """Where some people stand, and where they will go. `way` is None while they stay on the version they are on."""

    version: str
    standing: StandingCount
    way: Route | Stranded | None


class StrandedError(AlurError):
    """A version can't be applied: people stand on steps from which it leads nowhere."""

    def __init__(self, journey: str, stranded: Sequence[Course]) -> None:
        self.journey, self.stranded = journey, stranded
        super().__init__("; ".join(stranded_label(journey, course) for course in stranded))


def stranded_label(journey: str, course: Course) -> str:
    """One refusal as a sentence."""
    assert isinstance(course.way, Stranded)
    people = f"{course.standing.people:,} {'person stands' if course.standing.people == 1 else 'people stand'}"
    return f"journey '{journey}': {people} on '{course.way.step}': {course.way.why}"


def courses(conn: Connection, after: Journey, declared: Declared) -> list[Course]:
    """Everybody under way in the journey, by version and step, and where `after` takes them when it is applied."""
    standing = moves.standing(conn, after.name)
    if not standing:
        return []
    hashes = {version.id: version for version in journeys.versions(conn, after.name)}
    machine = compile_journey(after)
    before = {
        each: read_machine(after.name, hashes[each].source, declared)
        for each in {count.version_id for count in standing}
    }
    found: list[Course] = []
    for count in standing:
        known = hashes[count.version_id].hash
        moves_on = after.in_flight.rule == "migrate" and known != after.hash
        way = route(before[count.version_id], machine, after.in_flight, count.step) if moves_on else None
        found.append(Course(known, count, way))
    return found


def read_machine(name: str, source: str, declared: Declared) -> Machine | None:
    """A stored version, compiled; None when this version of Alur can't read it any more."""
    try:
        return compile_journey(read_source(name, source, declared))
    except WorkspaceError:
        return None


def migrate(conn: Connection, after: Journey, version_id: int, declared: Declared, now: datetime) -> int:
    """Move everybody who is under way on an older version; gives how many. Nothing happens under `in_flight: pin`.

    The caller has `journeys.lock`. Raises `StrandedError` before anything is moved when somebody has nowhere to go.
    """
    if after.in_flight.rule == "pin":
        return 0
    going = courses(conn, after, declared)
    stranded = [course for course in going if isinstance(course.way, Stranded)]
    if stranded:
        raise StrandedError(after.name, stranded)
    ways = [(course.standing.version_id, course.way) for course in going if isinstance(course.way, Route)]
    return moves.move(conn, compile_journey(after), version_id, ways, now) if ways else 0
