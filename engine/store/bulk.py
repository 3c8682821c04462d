"""Rows in sets: write many in one statement, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def next_ids(conn: Connection, table: Table, count: int) -> list[int]:
    """Reserve ids of the table's identity column, so that rows can refer to each other before they are written."""
    if count == 0:
        return []
    query = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return list(conn.scalars(query, {"table": table.name, "count": count}))


def _type_name(table: Table, column: str) -> str:
    return table.c[column].type.compile(_DIALECT)


def _is_json(table: Table, column: str) -> bool:
    return isinstance(table.c[column].type, JSONB)


def as_json(value: Any) -> str | None:
    """JSON text for a jsonb column; None stays SQL null."""
    if value is None:
        return None
    return "{}" if value == {} else orjson.dumps(value, default=str).decode()


def insert_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append rows through COPY; gives their number. Values of jsonb columns are plain data."""
    rows = list(rows)
    if not rows:
        return 0
    json_at = [number for number, column in enumerate(columns) if _is_json(table, column)]
    driver = conn.connection.driver_connection
    assert driver is not None
    names = ", ".join(f'"{column}"' for column in columns)
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            values = list(row)
            for number in json_at:
                values[number] = as_json(values[number])
            copy.write_row(values)
    return len(rows)


def update_rows(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], where: str = ""
) -> int:
    """Set columns of many rows in one statement; the first column is the key `id`. Gives how many rows were changed.

    `where` is a further SQL condition on `t` (the table) and `v` (the new values) in trusted text. Array columns are not supported.
    """
    if not rows:
        return 0
    statement, json_at = _update_statement(table, tuple(columns), where)
    values: list[Sequence[Any]] = list(zip(*rows, strict=True))
    arrays = {
        f"p{number}": [as_json(value) for value in column] if number in json_at else list(column)
        for number, column in enumerate(values)
    }
    return conn.execute(statement, arrays).rowcount


@lru_cache(maxsize=256)
def _update_statement(table: Table, columns: tuple[str, ...], where: str) -> tuple[TextClause, frozenset[int]]:
    """The statement, and which columns are JSON; put together once, since claims are small and many."""
    json_at = frozenset(number for number, column in enumerate(columns) if _is_json(table, column))
    casts = ", ".join(
        f"CAST(:p{number} AS {'text' if number in json_at else _type_name(table, column)}[])"
        for number, column in enumerate(columns)
    )
    sets = ", ".join(
        f'"{column}" = v.c{number}{"::jsonb" if number in json_at else ""}'
        for number, column in enumerate(columns)
        if number > 0
    )
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    statement = f'UPDATE "{table.name}" t SET {sets} FROM unnest({casts}) AS v({names}) WHERE t.id = v.c0'
    return text(f"{statement} AND {where}" if where else statement), json_at
