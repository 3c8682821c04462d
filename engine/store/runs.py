"""Send runs: one drain of the outbox each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, text, update

from engine.store import workers
from engine.tables import send_run

RunEnd = Literal["finished", "cancelled"]


def open_run(conn: Connection, worker: int, now: datetime) -> int:
    """Begin a send run of this worker; gives its id."""
    row = {"state": "running", "worker_id": worker, "opened_at": now}
    return int(conn.execute(insert(send_run).values(row).returning(send_run.c.id)).scalar_one())


def close_run(conn: Connection, run_id: int, state: RunEnd, counts: Mapping[str, int], now: datetime) -> None:
    """End it with what became of its sends."""
    values = {"state": state, "ended_at": now, "counts": dict(counts)}
    conn.execute(update(send_run).where(send_run.c.id == run_id, send_run.c.state == "running").values(values))


def interrupt_lost(conn: Connection, now: datetime) -> int:
    """Close the runs that nobody will close: their worker is surely gone, or has opened a later one. Gives how many.

    What such a run had not sent is in the outbox, and goes out with the next.
    """
    open_runs = conn.execute(select(send_run.c.id, send_run.c.worker_id).where(send_run.c.state == "running")).all()
    gone = workers.surely_gone(conn, {row.worker_id for row in open_runs if row.worker_id is not None})
    newest: dict[int | None, int] = {}
    for row in open_runs:
        newest[row.worker_id] = max(row.id, newest.get(row.worker_id, 0))
    lost = [row.id for row in open_runs if row.worker_id in gone or row.id < newest[row.worker_id]]
    if lost:
        query = update(send_run).where(send_run.c.id.in_(lost), send_run.c.state == "running")
        conn.execute(query.values(state="interrupted", ended_at=now))
    return len(lost)


def note_flow_run(conn: Connection, run_id: int, flow_run_id: str) -> None:
    """Remember which Prefect flow run shows this send run."""
    conn.execute(update(send_run).where(send_run.c.id == run_id).values(flow_run_id=flow_run_id))


def ended_flow_runs(conn: Connection, most: int = 20) -> list[str]:
    """The Prefect flow runs of the newest send runs that have ended; Prefect may still believe that they run."""
    query = select(send_run.c.flow_run_id).where(send_run.c.state != "running", send_run.c.flow_run_id.is_not(None))
    return list(conn.scalars(query.order_by(send_run.c.id.desc()).limit(most)))


def take_in_outbox(conn: Connection, run_id: int, now: datetime) -> int:
    """Count everything that is due and not held elsewhere as part of this run, so that a hold on the run keeps it back."""
    query = text("""
        UPDATE send SET run_id = :run WHERE state = 'planned' AND next_at <= :now
        AND coalesce(run_id, 0) NOT IN (SELECT CAST(name AS bigint) FROM hold WHERE scope = 'run' AND lifted_at IS NULL)
    """)
    return conn.execute(query, {"run": run_id, "now": now}).rowcount


def state(conn: Connection, run_id: int) -> str | None:
    """running, finished or cancelled; None when there is no such send run."""
    found: str | None = conn.scalar(select(send_run.c.state).where(send_run.c.id == run_id))
    return found


def latest(conn: Connection, most: int = 10) -> list[dict[str, Any]]:
    """The newest send runs, newest first."""
    query = select(send_run).order_by(send_run.c.id.desc()).limit(most)
    return [dict(row._mapping) for row in conn.execute(query)]
