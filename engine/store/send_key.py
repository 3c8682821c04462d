"""The send key (enrollment, step, round): whatever a step plans under it, a send or a call, is planned once and for all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Table, TextClause, text

from engine.store.bulk import insert_missing

KEY = ("enrollment_id", "step", "round")


class Planned(Protocol):
    """What was planned by the visit of an enrollment to a step."""

    @property
    def enrollment_id(self) -> int: ...

    @property
    def step(self) -> str: ...

    @property
    def round(self) -> int: ...

    @property
    def visit(self) -> int: ...

    @property
    def due_at(self) -> datetime: ...


def retelling(table: Table, open_: str, data: Sequence[str]) -> TextClause:
    """The statement by which those whose key was taken hear the end of what took it: at once by a signal of the table's
    name, or, where the SQL condition `open_` holds (it has yet to end), later. `data`: columns that the signal carries.
    """
    carried = ", ".join(f"'{column}', {column}" for column in data)
    return text(f"""
        WITH w AS (
            SELECT * FROM unnest(CAST(:enrollments AS bigint[]), CAST(:steps AS text[]), CAST(:rounds AS int[]),
                CAST(:visits AS int[]), CAST(:dues AS timestamptz[])) AS w(enrollment_id, step, round, visit_now, due_now)
        ), known AS MATERIALIZED (
            SELECT k.*, w.visit_now, w.due_now, {open_} AS open FROM w JOIN "{table.name}" k USING (enrollment_id, step, round)
            WHERE k.visit < w.visit_now FOR UPDATE OF k
        ), going AS (
            UPDATE "{table.name}" t SET visit = k.visit_now FROM known k WHERE t.id = k.id AND k.open
        )
        INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit, data)
        SELECT contact_id, enrollment_id, journey, '{table.name}', due_now, visit_now,
            jsonb_strip_nulls(jsonb_build_object('{table.name}_id', id, 'step', step, {carried}))
        FROM known WHERE NOT open
    """)


def plan(
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    new: Sequence[Planned],
    retell: TextClause,
) -> int:
    """Append the rows of what is planned, in the same order; gives how many.

    A migration can bring somebody to a step that they have behind them. It is not done again (its key is taken): what it
    came to, or will come to, is told to the visit that now stands on it. Visits only ever count up.
    """
    planned = insert_missing(conn, table, columns, rows, KEY)
    if planned < len(rows):
        given = {
            "enrollments": [each.enrollment_id for each in new], "steps": [each.step for each in new],
            "rounds": [each.round for each in new], "visits": [each.visit for each in new], "dues": [each.due_at for each in new],
        }  # fmt: skip
        conn.execute(retell, given)
    return planned
