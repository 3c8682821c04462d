"""Send runs: one drain of the outbox each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, text, update

from engine.tables import send_run


def open_run(conn: Connection, now: datetime) -> int:
    """Begin a send run; gives its id."""
    return int(conn.execute(insert(send_run).values(state="running", opened_at=now).returning(send_run.c.id)).scalar_one())


def close_run(
    conn: Connection, run_id: int, state: Literal["finished", "cancelled"], counts: Mapping[str, int], now: datetime
) -> None:
    """End it with what became of its sends."""
    values = {"state": state, "ended_at": now, "counts": dict(counts)}
    conn.execute(update(send_run).where(send_run.c.id == run_id, send_run.c.state == "running").values(values))


def note_flow_run(conn: Connection, run_id: int, flow_run_id: str) -> None:
    """Remember which Prefect flow run shows this send run."""
    conn.execute(update(send_run).where(send_run.c.id == run_id).values(flow_run_id=flow_run_id))


def take_in_outbox(conn: Connection, run_id: int, now: datetime) -> int:
    """Count everything that is due and not held elsewhere as part of this run, so that a hold on the run keeps it back."""
    query = text("""
        UPDATE send SET run_id = :run WHERE state = 'planned' AND next_at <= :now
        AND coalesce(run_id, 0) NOT IN (SELECT CAST(name AS bigint) FROM hold WHERE scope = 'run' AND lifted_at IS NULL)
    """)
    return conn.execute(query, {"run": run_id, "now": now}).rowcount


def latest(conn: Connection, most: int = 10) -> list[dict[str, Any]]:
    """The newest send runs, newest first."""
    query = select(send_run).order_by(send_run.c.id.desc()).limit(most)
    return [dict(row._mapping) for row in conn.execute(query)]
