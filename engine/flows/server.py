"""Prefect's server with its UI, as a process of `alur run`: one a workspace, restarted when it dies."""

from __future__ import annotations

import logging
import socket
import subprocess
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import fasteners

from engine.flows.environment import Api, own_api
from engine.flows.screen import end_group, start_python

log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_USUAL_PORT = 4200
_LONGEST_REST = 60.0

# Services that work for deployments, schedules and automations, of which there are none here: they only wake up.
_IDLE_SERVICES = (
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_ENABLED",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED",
)


class PrefectServer:
    """The server of the workspace whose `.alur` folder this is; its data is in `prefect` there.

    If another process of the workspace keeps one already, that is used. `port` is taken if it is free.
    """

    def __init__(self, folder: Path, log_file: Path, port: int = _USUAL_PORT) -> None:
        self._folder, self._log_file, self._port = folder, log_file, port
        self._home = folder / "prefect"
        self._home.mkdir(parents=True, exist_ok=True)
        self._lock = fasteners.InterProcessLock(self._home / "server.lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._api: Api | None = None
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start it; it answers some seconds later."""
        if self._lock.acquire(blocking=False):
            self._settle()
            self._thread = Thread(target=self._keep, name="prefect-server", daemon=True)
            self._thread.start()

    @property
    def api(self) -> Api | None:
        """Where it is, or will be; None when it is another process's and has gone."""
        return self._api or kept_elsewhere(self._folder)

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def stop(self, patience: float) -> None:
        """End it, if it is ours; by force after so many seconds."""
        self._stopping.set()
        if self._thread is None:
            return
        process = self._process
        if process is not None:
            end_group(process, patience)
        self._thread.join(patience + 1)
        (self._home / "url").unlink(missing_ok=True)
        self._lock.release()

    def _settle(self) -> None:
        """Choose the port; another one when somebody has taken it meanwhile."""
        self._port = free_port(self._port)
        self._api = own_api(self._home, f"http://{_HOST}:{self._port}/api")
        (self._home / "url").write_text(self._api.url)

    def _keep(self) -> None:
        rest = 1.0
        while not self._stopping.is_set():
            began = monotonic()
            self._process = self._start_process()
            code = self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            if self._stopping.is_set():
                return
            rest = 1.0 if monotonic() - began > _LONGEST_REST else min(rest * 2, _LONGEST_REST)
            log.warning(
                "Prefect's server has ended (code %d, see %s); it starts again in %d s", code, self._log_file, rest
            )
            self._stopping.wait(rest)
            self._settle()

    def _start_process(self) -> subprocess.Popen[bytes]:
        assert self._api is not None
        environment = dict(self._api.environment) | dict.fromkeys(_IDLE_SERVICES, "false")
        environment |= {
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # flow runs of over 90 days
            "PREFECT_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        }
        environment.pop("PREFECT_API_URL")
        arguments = ["server", "start", "--host", _HOST, "--port", str(self._port)]
        return start_python("engine.flows.serve_prefect", arguments, environment, self._log_file)


def kept_elsewhere(folder: Path) -> Api | None:
    """The server that another process of this workspace keeps, if any. Not for the process that keeps it: locks of files
    are per process, and looking at ours would let it go.
    """
    home = folder / "prefect"
    if not (home / "url").exists():
        return None
    lock = fasteners.InterProcessLock(home / "server.lock")
    if lock.acquire(blocking=False):  # the address of one that was killed
        lock.release()
        return None
    return own_api(home, (home / "url").read_text())


def free_port(wanted: int) -> int:
    """This port of the loopback interface if nobody has it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on the loopback interface")
