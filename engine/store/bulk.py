"""Rows in sets: write many in one statement, whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ARRAY, Connection, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def next_ids(conn: Connection, table: Table, count: int) -> list[int]:
    """Reserve ids of the table's identity column, so that rows can refer to each other before they are written."""
    if count == 0:
        return []
    query = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return list(conn.scalars(query, {"table": table.name, "count": count}))


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


def insert_missing(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], key: Sequence[str]
) -> int:
    """Append the rows whose unique `key` is not taken; gives how many those were.

    For rows that have much in common: a value on which all agree is sent once, and not with every row.
    """
    if not rows:
        return 0
    common, given = _parameters(table, columns, rows, keep=frozenset(key))
    return conn.execute(_insert_statement(table, tuple(columns), common, tuple(key)), given).rowcount


def update_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Set columns of many rows, the first being the key `id`, in one statement. Gives how many rows were changed.

    A value on which all rows agree is sent once, and not with every row.
    """
    if not rows:
        return 0
    common, given = _parameters(table, columns, rows, keep=frozenset(columns[:1]))
    return conn.execute(_update_statement(table, tuple(columns), common), given).rowcount


def _parameters(
    table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], keep: frozenset[str]
) -> tuple[frozenset[str], dict[str, Any]]:
    """The columns on which all rows agree, those in `keep` left out, and the statement's parameters: for these one value,
    for the others one per row.
    """
    common: set[str] = set()
    given: dict[str, Any] = {}
    for number, (name, values) in enumerate(zip(columns, zip(*rows, strict=True), strict=True)):
        as_text = _as_text(table, name)
        if name not in keep and values.count(values[0]) == len(values):
            common.add(name)
            given[f"p{number}"] = values[0] if as_text is None else as_text(values[0])
        else:
            given[f"p{number}"] = list(values) if as_text is None else [as_text(value) for value in values]
    return frozenset(common), given


def _as_text(table: Table, column: str) -> Callable[[Any], str | None] | None:
    """How values of a column are sent that an array can't hold as they are; None: it can."""
    kind = table.c[column].type
    return as_json if isinstance(kind, JSONB) else _as_array if isinstance(kind, ARRAY) else None


def _as_array(values: Sequence[str]) -> str:
    quoted = (value.replace("\\", r"\\").replace('"', r"\"") for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


# Put together once for each set of columns that vary: claims are small and many.


@lru_cache(maxsize=256)
def _insert_statement(
    table: Table, columns: tuple[str, ...], common: frozenset[str], key: tuple[str, ...]
) -> TextClause:
    values, source = _values(table, columns, common)
    names = ", ".join(f'"{column}"' for column in columns)
    return text(
        f'INSERT INTO "{table.name}" ({names}) SELECT {", ".join(values)} FROM {source} ON CONFLICT ({", ".join(key)}) DO NOTHING'
    )


@lru_cache(maxsize=256)
def _update_statement(table: Table, columns: tuple[str, ...], common: frozenset[str]) -> TextClause:
    values, source = _values(table, columns, common)
    sets = ", ".join(f'"{column}" = {value}' for column, value in zip(columns[1:], values[1:], strict=True))
    return text(f'UPDATE "{table.name}" t SET {sets} FROM {source} WHERE t.id = {values[0]}')


def _values(table: Table, columns: tuple[str, ...], common: frozenset[str]) -> tuple[list[str], str]:
    """Each column's value in SQL, and what the varying ones are selected from."""
    values: list[str] = []
    casts: list[str] = []
    names: list[str] = []
    for number, column in enumerate(columns):
        kind = table.c[column].type.compile(_DIALECT)
        if column in common:
            values.append(f"CAST(:p{number} AS {kind})")
            continue
        sent = kind if _as_text(table, column) is None else "text"
        casts.append(f"CAST(:p{number} AS {sent}[])")
        names.append(f"c{number}")
        values.append(f"v.c{number}" if sent == kind else f"CAST(v.c{number} AS {kind})")
    return values, f"unnest({', '.join(casts)}) AS v({', '.join(names)})"
