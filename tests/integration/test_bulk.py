"""Rows in sets: what rows have in common and where they differ are both written as given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from engine import tables
from engine.store.bulk import insert_missing, update_rows

NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
KEY = ("enrollment_id", "step", "round")
COLUMNS = (
    *KEY, "visit", "contact_id", "journey", "version_id", "kind", "topic", "template", "via", "priority", "planned_at", "due_at",
    "expires_at", "next_at", "state",
)  # fmt: skip


def row(enrollment: int, topic: str | None = None, via: tuple[str, ...] = ("email",)) -> tuple[Any, ...]:
    rest = ("welcome", 1, "marketing", topic, "hello", via, 50, NOW, NOW, None, NOW, "planned")
    return (enrollment, "steps.0", 1, 1, enrollment, *rest)


def written(conn: Connection, *columns: str) -> list[tuple[Any, ...]]:
    query = select(*(tables.send.c[name] for name in columns)).order_by(tables.send.c.enrollment_id)
    return [tuple(found) for found in conn.execute(query)]


@pytest.mark.parametrize(
    "rows",
    [
        [row(1)],
        [row(1), row(2)],
        [row(1, "offers"), row(2, None)],
        [row(1, via=("email", "sms")), row(2, via=()), row(3, via=('a "b"', r"c\d", "{e,f}"))],
        [row(1, via=("email", "sms")), row(2, via=("email", "sms"))],
    ],
    ids=["one row", "rows that are alike", "one has no value", "arrays of any length and text", "equal arrays"],
)
def test_new_rows_are_written_as_given(conn: Connection, rows: list[tuple[Any, ...]]) -> None:
    assert insert_missing(conn, tables.send, COLUMNS, rows, KEY) == len(rows)
    assert written(conn, *COLUMNS) == [tuple(list(v) if isinstance(v, tuple) else v for v in each) for each in rows]


def test_a_row_whose_key_is_taken_is_left_as_it_was(conn: Connection) -> None:
    insert_missing(conn, tables.send, COLUMNS, [row(1, "offers")], KEY)
    assert insert_missing(conn, tables.send, COLUMNS, [row(1, "news"), row(2, "news"), row(2, "offers")], KEY) == 1
    assert written(conn, "enrollment_id", "topic") == [(1, "offers"), (2, "news")]


def test_no_rows_are_no_statement(conn: Connection) -> None:
    assert (
        insert_missing(conn, tables.send, COLUMNS, [], KEY) == update_rows(conn, tables.send, ("id", "state"), []) == 0
    )


def test_rows_are_changed_to_what_they_agree_and_differ_on(conn: Connection) -> None:
    insert_missing(conn, tables.send, COLUMNS, [row(1), row(2), row(3)], KEY)
    ids = [found[0] for found in written(conn, "id")]
    changes = [(ids[0], "withheld", "cap", ["sms"]), (ids[2], "withheld", None, [])]
    assert update_rows(conn, tables.send, ("id", "state", "reason", "refused"), changes) == 2
    assert written(conn, "state", "reason", "refused") == [
        ("withheld", "cap", ["sms"]), ("planned", None, []), ("withheld", None, []),
    ]  # fmt: skip
