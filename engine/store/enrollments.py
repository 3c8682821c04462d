"""Enrollments: who is under way where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from engine.journey.values import Enrollment, Lap
from engine.store.bulk import insert_rows, next_ids, update_rows
from engine.tables import enrollment

_FIELDS = (
    "id", "contact_id", "key", "state", "step", "visit", "round", "entered_at", "enrolled_at", "arrived_at", "due_at",
    "reason", "ended_at", "trigger_event_id", "event", "matched", "goal_until", "goal_at", "goal_event_id", "goal_value",
    "loops", "variants", "matched_ids",
)  # fmt: skip
# What is seldom there need not be parsed.
_READ = {
    "goal_value": "CAST(goal_value AS float8)", "loops": "nullif(loops, '{}')", "variants": "nullif(variants, '{}')",
    "matched_ids": "nullif(matched_ids, '[]')",
}  # fmt: skip
_NAMES = (*_FIELDS, "arriving")
_MOVING = ("id", "state", "step", "visit", "round", "arrived_at", "due_at", "reason", "ended_at")
_SELDOM = (
    "matched", "goal_until", "goal_at", "goal_event_id", "goal_value", "loops", "variants", "matched_ids",
)  # fmt: skip
_seldom = attrgetter(*_SELDOM)


class Standing(NamedTuple):
    """An enrollment with the journey and version it belongs to."""

    journey: str
    version_id: int
    enrollment: Enrollment


def _standing(row: Any) -> Standing:
    # By position: rows come by the thousand, and names cost ten times as much.
    journey, version_id, *values, loops, variants, matched_ids = row
    laps = {step: _lap(lap) for step, lap in loops.items()} if loops else {}
    values += (laps, variants or {}, tuple(matched_ids or ()))
    enrollment = object.__new__(Enrollment)  # as `Enrollment(..)` does, which costs ten times as much
    enrollment.__dict__.update(zip(_NAMES, (*values, False), strict=True))
    return Standing(journey, version_id, enrollment)


def _lap(stored: dict[str, Any]) -> Lap:
    since = stored["since"]
    return Lap(stored["total"], stored["round"], datetime.fromisoformat(since) if since is not None else None)


_SELECT = f"SELECT journey, version_id, {', '.join(_READ.get(name, name) for name in _FIELDS)} FROM enrollment"
_OPEN = text(
    f"{_SELECT} WHERE contact_id = ANY(CAST(:contacts AS bigint[])) AND (state = 'active' OR goal_until >= :since) ORDER BY id"
)
_OF_CONTACT = text(f"{_SELECT} WHERE contact_id = :contact ORDER BY entered_at, id")
_LAST = text("""
SELECT e.contact_id, e.journey, e.key, max(e.entered_at) AS last
FROM unnest(CAST(:contacts AS bigint[]), CAST(:journeys AS text[]), CAST(:keys AS text[])) AS w(contact_id, journey, key)
JOIN enrollment e USING (contact_id, journey, key)
GROUP BY 1, 2, 3
""")


def open_for(conn: Connection, contacts: Sequence[int], since: datetime | None) -> dict[int, list[Standing]]:
    """Per contact the enrollments that a signal can change: active ones, and others whose goal was not reached and whose
    window was open at `since`, when the oldest event happened that is to be decided (None: there is no event).
    """
    found: dict[int, list[Standing]] = defaultdict(list)
    for row in conn.execute(_OPEN, {"contacts": list(contacts), "since": since}).all():
        standing = _standing(row)
        found[standing.enrollment.contact_id].append(standing)
    return found


def of_contact(conn: Connection, contact_id: int) -> list[Standing]:
    """Every enrollment of a contact, oldest first."""
    return [_standing(row) for row in conn.execute(_OF_CONTACT, {"contact": contact_id})]


def last_entries(conn: Connection, wanted: Sequence[tuple[int, str, str]]) -> dict[tuple[int, str, str], datetime]:
    """The last entry of each (contact, journey, key) that ever entered."""
    if not wanted:
        return {}
    contacts, journeys, keys = (list(column) for column in zip(*wanted, strict=True))
    rows = conn.execute(_LAST, {"contacts": contacts, "journeys": journeys, "keys": keys})
    return {(row.contact_id, row.journey, row.key): row.last for row in rows}


def reserve_ids(conn: Connection, count: int) -> list[int]:
    """Ids for enrollments that are about to be added."""
    return next_ids(conn, enrollment, count)


def add(conn: Connection, new: Iterable[Standing]) -> int:
    """Write new enrollments; their ids are reserved before."""
    rows = ((s.journey, s.version_id, *(getattr(s.enrollment, name) for name in _FIELDS)) for s in new)
    return insert_rows(conn, enrollment, ("journey", "version_id", *_FIELDS), rows)


def save(conn: Connection, changed: Iterable[Enrollment], before: Mapping[int | None, Enrollment]) -> int:
    """Write back what a decision can change. `before`: how they were; most only move, and that is written at half the cost."""
    moved: list[Enrollment] = []
    altered: list[Enrollment] = []
    for after in changed:
        (moved if _seldom(after) == _seldom(before[after.id]) else altered).append(after)
    return _update(conn, _MOVING, moved) + _update(conn, (*_MOVING, *_SELDOM), altered)


def _update(conn: Connection, columns: tuple[str, ...], changed: Sequence[Enrollment]) -> int:
    values = attrgetter(*columns)
    return update_rows(conn, enrollment, columns, [values(each) for each in changed])


def counts(conn: Connection) -> list[dict[str, Any]]:
    """Per journey, version and step how many people stand there now, and per reason how many have ended."""
    query = text("""
        SELECT journey, version_id, state, step, reason, count(*) AS people FROM enrollment GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    """)
    return [dict(row._mapping) for row in conn.execute(query)]
