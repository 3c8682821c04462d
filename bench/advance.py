"""Advance against one bare statement: due timers -> decisions -> planned sends, in one process.

    python bench/advance.py [--people 10000 100000 1000000]

The baseline moves the same rows in one `UPDATE .. SKIP LOCKED` with `INSERT`: no condition, no decision, no trace.
Everything stays on this machine, in an embedded PostgreSQL of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
from metering import Measured, metered
from sqlalchemy import text
from stand import NOW, make_workspace, open_fresh, prepare, write_out

from engine.app import App, VirtualClock
from engine.run.advance import advance
from engine.run.garbage import collect_rarely

_BARE = text("""
WITH due AS (
    SELECT id, enrollment_id FROM signal WHERE at <= :now ORDER BY at, id LIMIT 500 FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM signal USING due WHERE signal.id = due.id
), moved AS (
    UPDATE enrollment e SET step = 'page', visit = 2, arrived_at = :now, due_at = NULL FROM due WHERE e.id = due.enrollment_id
    RETURNING e.id, e.contact_id, e.journey, e.version_id
)
INSERT INTO send (enrollment_id, step, round, visit, contact_id, journey, version_id, kind, topic, template, via, priority,
                  planned_at, due_at, next_at, state)
SELECT id, 'page', 1, 2, contact_id, journey, version_id, 'marketing', 'offers', 'page', '{email}', 50, :now, :now, :now, 'planned'
FROM moved
""")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    given = arguments.parse_args()
    print("people       who        enrollments/s   CPU s per 1,000   memory of the process", flush=True)
    # After a million people the server may still be tidying its log when the folder goes.
    with tempfile.TemporaryDirectory(prefix="alur-bench-", ignore_cleanup_errors=True) as folder:
        workspace = make_workspace(Path(folder) / "workspace", port=9, threads=1)
        for people in given.people:
            for who, run in (("bare SQL", run_bare), ("alur", run_alur)):
                measured, memory = run(workspace, people)
                print(
                    f"{people:9,}    {who:9}  {measured.rate:10,.0f}      {measured.cpu_per_1000:10.3f}        {memory:10,.0f} MB",
                    flush=True,
                )


def run_bare(root: Path, people: int) -> tuple[Measured, float]:
    """500 rows a statement, as many as there are."""

    def work(app: App) -> None:
        while True:
            with app.engine.begin() as conn:
                if conn.execute(_BARE, {"now": app.clock()}).rowcount == 0:
                    return

    return run(root, people, work)


def run_alur(root: Path, people: int) -> tuple[Measured, float]:
    """Claim, look at the exit rules, decide, trace, plan: as `alur work` does."""

    def work(app: App) -> None:
        while advance(app.engine, app.machines, app.zone, app.clock()).contacts:
            pass

    return run(root, people, work)


def run(root: Path, people: int, work: Callable[[App], None]) -> tuple[Measured, float]:
    """Seconds, CPU and the memory that the process ends with, in MB."""
    app = open_fresh(root, VirtualClock(NOW))
    try:
        prepare(app, people)
        collect_rarely()  # as `alur work` does
        with metered(app.root / ".alur") as meter:
            work(app)
        with app.engine.connect() as conn:
            planned = conn.scalar(text("SELECT count(*) FROM send WHERE state = 'planned'"))
        assert planned == people, f"{planned} of {people} sends are planned"
        write_out(app)
        return meter.measured(people), psutil.Process().memory_info().rss / 1e6
    finally:
        app.close()


if __name__ == "__main__":
    main()
