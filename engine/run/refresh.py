"""Refresh: bring every applied segment's membership up to date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine

from engine.audience.segment import Segment, read_segment
from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import FieldType, Invalid, Reader
from engine.store import segments
from engine.store.segments import RefreshResult


def read_segment_source(name: str, source: str, fields: Mapping[str, FieldType]) -> Segment:
    """A segment from the text that was applied. Raises `WorkspaceError` when this version can't read it any more."""
    file = f"segments/{name}.yaml"
    node, problems = read_document(source.encode(), file)
    reader = Reader(file, fields)
    segment = read_segment(node, reader) if node is not None else None
    if segment is None or isinstance(segment, Invalid):
        raise WorkspaceError([*problems, *reader.problems])
    return segment


def refresh(engine: Engine, fields: Mapping[str, FieldType], now: datetime) -> dict[str, RefreshResult]:
    """Refresh all segments, those that others refer to first, each in a transaction of its own."""
    with engine.connect() as conn:
        stored = segments.sources(conn)
    known = {name: read_segment_source(name, source, fields) for name, (_, source) in stored.items()}
    results = {}
    for name in _in_order(known):
        with engine.begin() as conn:
            results[name] = segments.refresh(conn, known[name], stored[name][0], now)
    return results


def _in_order(known: Mapping[str, Segment]) -> list[str]:
    """Segments after those they refer to; there are no circles, `validate` refuses them."""
    order: list[str] = []

    def visit(name: str, above: frozenset[str]) -> None:
        if name in order or name not in known or name in above:
            return
        for used in sorted(known[name].where.segments()):
            visit(used, above | {name})
        order.append(name)

    for name in sorted(known):
        visit(name, frozenset())
    return order
