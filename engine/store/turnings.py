"""Turnings: the instants in what is stored about people, from which windows of time are counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

_YEARS = range(1900, 2200)
_READ = text("""
SELECT (SELECT array_agg(occurred_at) FROM event), (SELECT json_agg(traits) FROM contact),
    (SELECT array_agg(DISTINCT timezone) FROM contact WHERE timezone IS NOT NULL),
    (SELECT string_agg(CAST(contact AS text), '' ORDER BY id) FROM contact), (SELECT max(id) FROM consent),
    (SELECT max(id) FROM observation), (SELECT max(id) FROM suppression), (SELECT string_agg(CAST(score AS text), '') FROM score)
""")
_PENDING = text("""
SELECT EXISTS (SELECT 1 FROM occurrence) OR EXISTS (SELECT 1 FROM signal)
    OR EXISTS (SELECT 1 FROM send WHERE state = 'planned') OR EXISTS (SELECT 1 FROM call WHERE state = 'planned')
""")


@dataclass(frozen=True)
class Known:
    """What is known of people, as far as a condition may ask: `instants` of events and of traits, the `zones` that people
    live in, and `rest`, which is another when anything else is.
    """

    instants: frozenset[datetime]
    zones: frozenset[str]
    rest: tuple[Any, ...]


def read(conn: Connection) -> Known:
    """Of everybody: for scratch databases with a handful of people."""
    happened, traits, zones, *rest = conn.execute(_READ).one()
    instants = {*(happened or ()), *_instants(traits or [])}
    return Known(frozenset(instants), frozenset(zones or ()), (len(happened or ()), *rest))


def scheduled_journeys(conn: Connection) -> set[str] | None:
    """The journeys that will start by the clock, if nothing else is left to happen; None while anything else is."""
    if conn.scalar(_PENDING):
        return None
    return set(conn.scalars(text("SELECT journey FROM scheduled WHERE fired_at IS NULL")))


def any_member(conn: Connection, segments: Iterable[str]) -> bool:
    """Whether anybody is in one of these segments."""
    query = text("SELECT EXISTS (SELECT 1 FROM segment_member WHERE segment = ANY(CAST(:segments AS text[])))")
    return bool(conn.scalar(query, {"segments": sorted(segments)}))


def _instants(value: Any) -> Iterator[datetime]:
    """Every text that is an instant, or a date (its midnight in UTC), however deep."""
    match value:
        case dict():
            for inner in value.values():
                yield from _instants(inner)
        case list():
            for inner in value:
                yield from _instants(inner)
        case str():
            try:
                read_ = datetime.fromisoformat(value)
            except ValueError:
                return
            if read_.year in _YEARS:
                yield read_ if read_.tzinfo is not None else read_.replace(tzinfo=UTC)
