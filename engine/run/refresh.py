"""Refresh: bring every applied segment's membership up to date."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from engine.audience.segment import Segment, in_order, read_segment
from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import Declared, Invalid, Reader
from engine.store import journeys, segments
from engine.store.segments import RefreshResult

log = logging.getLogger(__name__)


@lru_cache(maxsize=1024)
def read_segment_source(name: str, source: str, declared: Declared) -> Segment:
    """A segment from the text that was applied. Raises `WorkspaceError` when this version can't read it any more."""
    # Kept, because reading takes longer than refreshing does while few people change.
    file = f"segments/{name}.yaml"
    node, problems = read_document(source.encode(), file)
    reader = Reader(file, declared)
    segment = read_segment(node, reader) if node is not None else None
    if segment is None or isinstance(segment, Invalid):
        raise WorkspaceError([*problems, *reader.problems])
    return segment


def refresh(
    engine: Engine, declared: Declared, zone: str, now: datetime, only: Collection[str] | None = None
) -> dict[str, RefreshResult]:
    """Refresh all segments, those that others refer to first, each in a transaction of its own. `zone`: the organisation's.
    `only`: these, and the ones that they refer to.

    One that can't be read or computed is logged and left as it was; the others go on.
    """
    with engine.begin() as conn:
        stored = segments.sources(conn)
    known: list[Segment] = []
    for name, (_, source) in stored.items():
        try:
            known.append(read_segment_source(name, source, declared))
        except WorkspaceError as error:
            log.warning("segment '%s' can't be read any more, nobody enters or leaves it: %s", name, error)
    results = {}
    wanted = _with_needed(known, only) if only is not None else known
    for segment in in_order(wanted):
        try:
            with engine.begin() as conn:
                journeys.share(conn)
                if segments.hash_of(conn, segment.name) != stored[segment.name][0]:
                    continue  # another text was applied meanwhile, or it is gone
                results[segment.name] = segments.refresh(conn, segment, stored[segment.name][0], now, zone)
        except DBAPIError as error:
            log.warning("segment '%s' can't be refreshed: %s", segment.name, error)
    return results


def _with_needed(known: Collection[Segment], only: Collection[str]) -> list[Segment]:
    """These segments with all that they refer to, straight or by way of others."""
    by_name = {segment.name: segment for segment in known}
    found: dict[str, Segment] = {}
    names = [name for name in only if name in by_name]
    while names:
        name = names.pop()
        found[name] = by_name[name]
        names += [other for other in by_name[name].where.segments() if other in by_name and other not in found]
    return list(found.values())
