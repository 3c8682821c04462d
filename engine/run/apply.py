"""Apply: what the workspace's files say becomes what runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from engine.audience.segment import in_order
from engine.catalog import Definitions, SegmentFile
from engine.grammar import Declared
from engine.journey.machine import compile_journey
from engine.journey.triggers import FinishedTrigger
from engine.run import schedule
from engine.run.changes import Change, Ground, GroundMovedError, changes, ground, moved
from engine.run.migrate import migrate
from engine.store import journeys, moves, segments

__all__ = ["Applied", "Change", "apply", "apply_plan", "changes"]


@dataclass(frozen=True)
class Applied:
    """What was done: the differences, without unchanged ones; how many people moved to a new version, and left a removed
    journey, each by the journey's name. `number`: of the entry in the history, None when there was nothing to do.
    """

    changes: list[Change]
    moved: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    number: int | None = None


def apply(
    engine: Engine, files: Definitions, zone: str, now: datetime, by: str, note: str | None = None
) -> list[Change]:
    """Make it so, in one transaction. New and edited segments are filled silently; no instant already past is armed.

    People under way stay on the version they entered, or move as the journey's `in_flight` says. Gives the differences
    that were applied, without unchanged ones.
    """
    return apply_plan(engine, files, zone, now, by, note).changes


def apply_plan(
    engine: Engine,
    files: Definitions,
    zone: str,
    now: datetime,
    by: str,
    note: str | None = None,
    *,
    expected: Ground | None = None,
    end: bool = False,
    declared: Declared | None = None,
    templates: Mapping[str, str] | None = None,
) -> Applied:
    """`apply`, on the `expected` ground only: raises `GroundMovedError` when files or what is applied are not as they were.

    `end`: people under way in removed journeys leave them, with the reason `removed`. `declared`: what config.yaml
    declares. `templates`: the hash of each of their files, for the history. Raises `StrandedError` when people stand where a migration leads nowhere. What is raised leaves all as it was.
    """
    with engine.begin() as conn:
        journeys.lock(conn)
        if expected is not None and (now_different := moved(expected, ground(conn, files))):
            raise GroundMovedError(now_different)
        return _Applying(conn, files, zone, now, declared or Declared(), templates).run(by, note, end=end)


@dataclass
class _Applying:
    """One transaction of applying; nobody decides meanwhile."""

    conn: Connection
    files: Definitions
    zone: str
    now: datetime
    declared: Declared
    templates: Mapping[str, str] | None
    moved: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def run(self, by: str, note: str | None, *, end: bool) -> Applied:
        every = changes(self.conn, self.files)
        found = [change for change in every if change.how != "unchanged"]
        recorded = self._before(found)
        self._segments({change.name for change in found if change.what == "segment"})
        for change in found:
            if change.what == "journey":
                self._journey(change)
        for change in every:
            if change.how == "unchanged":
                self._keep_words(change)
        if end:
            self._end()
        number = self._record(recorded, by, note)
        return Applied(found, self.moved, self.ended, number)

    def _segments(self, changed: set[str]) -> None:
        for segment in in_order(file.segment for file in self.files.segments.values()):
            if segment.name in changed:
                _fill_segment(self.conn, self.files.segments[segment.name], self.now, self.zone)
        for name in changed - self.files.segments.keys():
            segments.remove(self.conn, name)

    def _journey(self, change: Change) -> None:
        if change.how == "removed":
            journeys.set_removed(self.conn, change.name)
            _disarm(self.conn, change.name)
            return
        file = self.files.journeys[change.name]
        first = not journeys.is_known(self.conn, change.name)
        version = journeys.store_version(self.conn, change.name, file.journey.hash, file.source, self.now)
        journeys.set_live(self.conn, change.name, version, self.now)
        _arm(self.conn, change, self.files, self.zone, self.now, first=first)
        if people := migrate(self.conn, file.journey, version, self.declared, self.now):
            self.moved[change.name] = people

    def _keep_words(self, change: Change) -> None:
        """Comments, descriptions and tests are no change; the text that is kept has them all the same."""
        if change.what == "journey":
            file = self.files.journeys[change.name]
            journeys.keep_source(self.conn, change.name, file.journey.hash, file.source)
        else:
            segments.keep_source(self.conn, change.name, self.files.segments[change.name].source)

    def _end(self) -> None:
        for journey in journeys.all_applied(self.conn):
            if journey.state == "removed":
                heard = self._hears(journey.name)
                if people := moves.end(self.conn, journey.name, "removed", self.now, heard=heard):
                    self.ended[journey.name] = people

    def _hears(self, name: str) -> bool:
        """Another journey starts where this one has ended."""
        triggers = [file.journey.trigger for file in self.files.journeys.values()]
        return any(isinstance(trigger, FinishedTrigger) and trigger.journey == name for trigger in triggers)

    # --- the history ---

    def _before(self, found: list[Change]) -> list[dict[str, Any]]:
        """The entry of each change with its hashes; of a segment its text too, which is kept nowhere else."""
        live = {j.name: j.hash for j in journeys.all_applied(self.conn) if j.state == "live"}
        filled = segments.applied(self.conn)
        entries: list[dict[str, Any]] = []
        for change in found:
            entry: dict[str, Any] = {"what": change.what, "name": change.name, "how": change.how}
            if change.what == "journey":
                file = self.files.journeys.get(change.name)
                entry |= {"before": live.get(change.name), "after": file.journey.hash if file else None}
            else:
                part = self.files.segments.get(change.name)
                entry |= {"before": filled.get(change.name), "after": part.hash if part else None}
                entry |= {"source": part.source} if part else {}
            entries.append(entry)
        return entries

    def _record(self, entries: list[dict[str, Any]], by: str, note: str | None) -> int | None:
        for entry in entries:
            if entry["what"] == "journey" and entry["name"] in self.moved:
                entry["moved"] = self.moved[entry["name"]]
        known = {entry["name"]: entry for entry in entries if entry["what"] == "journey"}
        for name, people in self.ended.items():
            if name not in known:  # removed by an earlier apply
                known[name] = {"what": "journey", "name": name, "how": "ended"}
                entries.append(known[name])
            known[name]["ended"] = people
        if not entries:
            return None
        return journeys.record_applied(self.conn, self.now, by, note, entries, self.templates)


def _fill_segment(conn: Connection, file: SegmentFile, now: datetime, zone: str) -> None:
    segments.refresh(conn, file.segment, file.hash, now, zone)
    segments.keep_source(conn, file.segment.name, file.source)


# --- what starts by the clock; an edit re-arms nothing that has fired ----------------------------------------------------


def _arm(conn: Connection, change: Change, files: Definitions, zone: str, now: datetime, *, first: bool) -> None:
    """The journey is live in this version: what its trigger waits for is armed, and what it no longer waits for is not.
    `first`: it was never applied before.
    """
    machine = compile_journey(files.journeys[change.name].journey)
    schedule.arm(conn, machine, zone, now, first=first)


def _disarm(conn: Connection, journey: str) -> None:
    """Nobody enters this journey any more."""
    schedule.disarm(conn, journey)
