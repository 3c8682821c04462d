"""Refresh: bring every applied segment's membership up to date."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from engine.audience.segment import Segment, in_order, read_segment
from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import FieldType, Invalid, Reader
from engine.store import segments
from engine.store.segments import RefreshResult

log = logging.getLogger(__name__)


def read_segment_source(name: str, source: str, fields: Mapping[str, FieldType]) -> Segment:
    """A segment from the text that was applied. Raises `WorkspaceError` when this version can't read it any more."""
    return _read(name, source, tuple(sorted(fields.items())))


@lru_cache(maxsize=1024)
def _read(name: str, source: str, fields: tuple[tuple[str, FieldType], ...]) -> Segment:
    """Reading takes longer than refreshing does while few people change; the text is the same from one time to the next."""
    file = f"segments/{name}.yaml"
    node, problems = read_document(source.encode(), file)
    reader = Reader(file, dict(fields))
    segment = read_segment(node, reader) if node is not None else None
    if segment is None or isinstance(segment, Invalid):
        raise WorkspaceError([*problems, *reader.problems])
    return segment


def refresh(engine: Engine, fields: Mapping[str, FieldType], now: datetime) -> dict[str, RefreshResult]:
    """Refresh all segments, those that others refer to first, each in a transaction of its own.

    One that can't be read or computed is logged and left as it was; the others go on.
    """
    with engine.begin() as conn:
        stored = segments.sources(conn)
    known: list[Segment] = []
    for name, (_, source) in stored.items():
        try:
            known.append(read_segment_source(name, source, fields))
        except WorkspaceError as error:
            log.warning("segment '%s' can't be read any more, nobody enters or leaves it: %s", name, error)
    results = {}
    for segment in in_order(known):
        try:
            with engine.begin() as conn:
                results[segment.name] = segments.refresh(conn, segment, stored[segment.name][0], now)
        except DBAPIError as error:
            log.warning("segment '%s' can't be refreshed: %s", segment.name, error)
    return results
