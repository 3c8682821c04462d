"""Scratch databases: empty clones with our schema on an embedded server, for rehearsals; dropped when they are left."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from engine import tables
from engine.store.database import connect, create_database, drop, migration_files, upgrade
from engine.store.embedded import start_embedded

_TEMPLATE: Final = "alur_empty_"
_SCRATCH: Final = re.compile(r"alur_scratch_(\d+)_(\d+)_\d+")  # made when (seconds of the epoch), by which process
_FORGOTTEN: Final = timedelta(days=1)
_TEMPLATE_LOCK: Final = 0x616C7574  # "alut"; held in the server's own database while a template is made and copied
_numbers = itertools.count(1)

# Nobody needs these rows after a crash, and all of them are in memory.
_HASTY: Final = {"synchronous_commit": "off", "random_page_cost": "1.1"}

_KEPT: Final = frozenset({"journey_version"})  # immutable, and known to compiled machines by their ids


@contextmanager
def scratch_database(folder: Path, now: datetime) -> Iterator[Engine]:
    """A database of one's own with our tables and no rows, on the embedded server with its data in `folder`/postgres.

    Costs some 50 ms once the server runs and the template is there. It is dropped at the end, and with it those that
    killed processes have left behind. `now` is the machine's time: it stands in the name. Safe in any number of threads
    and processes. Raises `DatabaseUnavailableError`.
    """
    server = start_embedded(folder / "postgres")
    name = f"alur_scratch_{int(now.timestamp())}_{os.getpid()}_{next(_numbers)}"
    try:
        _clone_template(server.url, name, now)
        engine = connect(make_url(server.url).set(database=name), _HASTY, ping=False)  # a lost one is lost for good
        try:
            yield engine
        finally:
            engine.dispose()
            drop(server.url, name)
    finally:
        server.stop()


def empty(engine: Engine) -> None:
    """Forget every row, as if the database were new; takes a few ms. Stored journey versions stay: they never change, and compiled
    machines know them by their ids.
    """
    names = [table.name for table in reversed(tables.metadata.sorted_tables) if table.name not in _KEPT]
    with engine.begin() as conn:
        conn.exec_driver_sql(";".join(f'DELETE FROM "{name}"' for name in names))  # in one round trip


def drop_signals(engine: Engine) -> None:
    """Empty the queue. For history that is brought in where nothing is applied yet: its signals concern nobody, and so
    many rows that were deleted one by one would lie at the head of the queue until a vacuum.
    """
    with engine.begin() as conn:
        conn.execute(text("TRUNCATE signal"))


def tidy(engine: Engine, names: Sequence[str] = ()) -> None:
    """What autovacuum does meanwhile where hours take hours: clear what was deleted from these tables (none: all), and count
    what is there, so that statements are planned by it.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f"VACUUM (ANALYZE) {', '.join(names)}"))


def _clone_template(server: str, name: str, now: datetime) -> None:
    """A copy of the template, which is made when it is not there yet; what others have forgotten is dropped."""
    template = _TEMPLATE + _schema_hash()
    engine = connect(server)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("SET lock_timeout = 0"))
            conn.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _TEMPLATE_LOCK})  # until the connection ends
            there = _databases(conn)
            if template not in there:
                _make_template(conn, server, template)
            conn.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
            for left in there:
                if _is_forgotten(left, now) or (left.startswith(_TEMPLATE) and left != template):
                    _drop_unused(conn, left)
    finally:
        engine.dispose()


def _make_template(conn: Connection, server: str, name: str) -> None:
    """Made under another name first, so that a half-made one is never found. Nobody can connect to it any more."""
    half = f"{name}_half"
    drop(server, half)
    create_database(server, half)
    engine = connect(make_url(server).set(database=half))
    upgrade(engine)
    engine.dispose()
    conn.execute(text(f'ALTER DATABASE "{half}" ALLOW_CONNECTIONS false'))  # a copy needs that nobody is connected
    conn.execute(text(f'ALTER DATABASE "{half}" RENAME TO "{name}"'))


def _databases(conn: Connection) -> list[str]:
    return list(conn.scalars(text("SELECT datname FROM pg_database")))


def _is_forgotten(name: str, now: datetime) -> bool:
    """A scratch database whose process has ended, or that is older than anything takes."""
    made = _SCRATCH.fullmatch(name)
    if made is None:
        return False
    return int(made[1]) < (now - _FORGOTTEN).timestamp() or not psutil.pid_exists(int(made[2]))


def _drop_unused(conn: Connection, name: str) -> None:
    with suppress(DBAPIError):  # somebody is connected to it, or has just dropped it: then it is theirs
        conn.execute(text(f'DROP DATABASE IF EXISTS "{name}"'))


@cache
def _schema_hash() -> str:
    """Names what the migrations make; one that was edited makes another template."""
    said = hashlib.sha256()
    for path in migration_files():
        said.update(path.name.encode() + b"\0" + path.read_bytes())
    return said.hexdigest()[:16]
