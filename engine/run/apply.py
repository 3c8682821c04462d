"""Apply: what the workspace's files say becomes what runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine

from engine.audience.segment import in_order
from engine.catalog import Definitions, SegmentFile
from engine.journey.machine import compile_journey
from engine.journey.triggers import DateTrigger
from engine.run import occurrences
from engine.store import journeys, segments


@dataclass(frozen=True, order=True)
class Change:
    """One difference between the files and what is applied."""

    what: Literal["journey", "segment"]
    name: str
    how: Literal["new", "changed", "removed", "unchanged"]


def changes(conn: Connection, files: Definitions) -> list[Change]:
    """What applying would do, unchanged things included; journeys first, by name."""
    live = {j.name: j.hash for j in journeys.all_applied(conn) if j.state == "live"}
    filled = segments.applied(conn)
    found = _compare("journey", {name: file.journey.hash for name, file in files.journeys.items()}, live, files.broken)
    found += _compare("segment", {name: file.hash for name, file in files.segments.items()}, filled, files.broken)
    return found


def _compare(
    what: Literal["journey", "segment"], files: Mapping[str, str], applied: Mapping[str, str], broken: frozenset[str]
) -> list[Change]:
    found: list[Change] = []
    for name in sorted(files.keys() | applied.keys() - broken):
        if name not in files:
            found.append(Change(what, name, "removed"))
        elif name not in applied:
            found.append(Change(what, name, "new"))
        else:
            found.append(Change(what, name, "unchanged" if files[name] == applied[name] else "changed"))
    return found


def apply(
    engine: Engine, files: Definitions, zone: str, now: datetime, by: str, note: str | None = None
) -> list[Change]:
    """Make it so, in one transaction. New and edited segments are filled silently; no instant already past is armed.

    People under way stay on the version they entered. Gives the differences that were applied, without unchanged ones.
    """
    with engine.begin() as conn:
        journeys.lock(conn)
        found = [change for change in changes(conn, files) if change.how != "unchanged"]
        by_name = {change.name: change for change in found if change.what == "segment"}
        for segment in in_order(file.segment for file in files.segments.values()):
            if segment.name in by_name:
                _fill_segment(conn, files.segments[segment.name], now)
        for name in by_name.keys() - files.segments.keys():
            segments.remove(conn, name)
        for change in found:
            if change.what == "journey":
                _apply_journey(conn, change, files, zone, now)
        if found:
            recorded = [{"what": c.what, "name": c.name, "how": c.how} for c in found]
            journeys.record_applied(conn, now, by, note, recorded)
    return found


def _fill_segment(conn: Connection, file: SegmentFile, now: datetime) -> None:
    segments.refresh(conn, file.segment, file.hash, now)
    segments.keep_source(conn, file.segment.name, file.source)


def _apply_journey(conn: Connection, change: Change, files: Definitions, zone: str, now: datetime) -> None:
    if change.how == "removed":
        journeys.set_removed(conn, change.name)
        occurrences.disarm(conn, change.name)
        return
    file = files.journeys[change.name]
    version = journeys.store_version(conn, change.name, file.journey.hash, file.source, now)
    journeys.set_live(conn, change.name, version, now)
    if isinstance(file.journey.trigger, DateTrigger):
        occurrences.rearm(conn, compile_journey(file.journey), zone, now)
    else:
        occurrences.disarm(conn, change.name)
