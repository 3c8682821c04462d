"""Workers: the processes that deliver, and whether one of them is surely gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from engine.tables import worker


def _host() -> str:
    return socket.gethostname()


def _started(pid: int) -> str | None:
    """When the process began, in the kernel's ticks; None when there is no such process (or no /proc to ask)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]  # a zombie is gone


def register(conn: Connection, now: datetime) -> int:
    """Enter this process as a worker; gives its id."""
    pid = os.getpid()
    row = {"host": _host(), "pid": pid, "pid_started": _started(pid) or "", "started_at": now}
    return int(conn.execute(insert(worker).values(row).returning(worker.c.id)).scalar_one())


def leave(conn: Connection, worker_id: int, now: datetime) -> None:
    """This process delivers no more."""
    conn.execute(update(worker).where(worker.c.id == worker_id).values(ended_at=now))


def surely_gone(conn: Connection, ids: Iterable[int]) -> set[int]:
    """Those that left, or whose process on this host no longer exists. Of another host's processes nothing can be told."""
    gone = set()
    for row in conn.execute(select(worker).where(worker.c.id.in_(list(ids)))):
        here = row.host == _host() and row.pid_started != "" and Path("/proc").is_dir()
        if row.ended_at is not None or (here and _started(row.pid) != row.pid_started):
            gone.add(row.id)
    return gone
