"""Statements over everybody: planned for many rows, whatever the database's statistics say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text


@contextmanager
def over_everybody(conn: Connection) -> Iterator[None]:
    """Inside, the planner joins by hash or merge wherever it can.

    Statistics come minutes after the rows. Of a segment that was filled, or an event first seen, a moment ago they
    expect one row; a nested loop over that "one row" compares everybody with everybody: 100,000 members took seven minutes.
    Where a nested loop would have been right we lose a scan of what is read anyway.
    """
    conn.execute(text("SET LOCAL enable_nestloop = off"))
    yield
    conn.execute(text("SET LOCAL enable_nestloop TO DEFAULT"))
