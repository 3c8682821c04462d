"""Live: an applied journey and the people in it, version by version; only reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from engine.errors import UnknownNameError
from engine.grammar import Declared
from engine.journey.machine import Machine, compile_journey
from engine.run.machines import read_source
from engine.store import journeys

_PEOPLE = text("""
SELECT version_id, state, step, reason, count(*) AS people, count(goal_at) AS converted
FROM enrollment WHERE journey = :journey GROUP BY 1, 2, 3, 4
""")


@dataclass
class VersionPeople:
    """The people of one version: on each step, ended under each reason, held out, all who entered, all who reached the goal."""

    hash: str
    live: bool
    standing: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    held_out: int = 0
    entered: int = 0
    converted: int = 0

    @property
    def under_way(self) -> int:
        return sum(self.standing.values())


def people_of(conn: Connection, journey: str) -> list[VersionPeople]:
    """Every version that is live or that somebody ever entered, the live one first, then the newest first."""
    live = next(each for each in journeys.all_applied(conn) if each.name == journey)
    versions = {
        version.id: VersionPeople(version.hash, version.id == live.version_id)
        for version in sorted(journeys.versions(conn, journey), key=lambda v: (v.id != live.version_id, -v.id))
    }
    for row in conn.execute(_PEOPLE, {"journey": journey}):
        version = versions[row.version_id]
        version.entered += row.people
        version.converted += row.converted
        match row.state:
            case "active" if row.step is not None:
                version.standing[row.step] = version.standing.get(row.step, 0) + row.people
            case "ended":
                version.ended[row.reason] = version.ended.get(row.reason, 0) + row.people
            case "held_out":
                version.held_out += row.people
    return [version for version in versions.values() if version.live or version.entered]


def machine_of(conn: Connection, journey: str, hash_: str, declared: Declared) -> Machine:
    """A stored version, compiled. Raises `WorkspaceError` when it can't be read any more."""
    source = next(version.source for version in journeys.versions(conn, journey) if version.hash == hash_)
    return compile_journey(read_source(journey, source, declared))


def choose(versions: list[VersionPeople], journey: str, prefix: str | None) -> VersionPeople:
    """The live version, or the one whose hash begins so. Raises `UnknownNameError`."""
    found = [version for version in versions if version.hash.startswith(prefix or "")]
    if prefix is None or len(found) == 1:
        return found[0]
    known = ", ".join(version.hash[:8] for version in versions)
    how = "several versions" if found else "no version"
    raise UnknownNameError(f"journey '{journey}' has {how} '{prefix}'; there are {known}")
