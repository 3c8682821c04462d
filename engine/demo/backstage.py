"""Prefect behind the stage: its server with the UI, and the window that shows each send run there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import requests
from sqlalchemy import Engine, text

from engine.flows.send_run import PrefectWindow
from engine.flows.server import PrefectServer
from engine.run.drain import NoWindow, Window

_TO_COME_UP: Final = 20.0  # seconds that are waited at the end for a server that has not answered yet
_TO_SHOW: Final = 20.0  # seconds for the send runs that it has not shown yet
_TO_STOP: Final = 3.0


class Backstage:
    """Starts at once and comes up in its own time. The demonstration goes on without it if it does not."""

    def __init__(self, folder: Path, log_file: Path) -> None:
        self._log_file = log_file
        self._server = PrefectServer(folder, log_file)
        self._server.start()
        self._window: PrefectWindow | None = None
        self._flow_runs: Callable[[], list[str]] = list

    @property
    def url(self) -> str:
        """Of the UI."""
        return self._server.api.url.removesuffix("/api") if self._server.api is not None else ""

    @property
    def window(self) -> Window:
        """Where the drain shows its send runs."""
        return self._window or NoWindow()

    def watch(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        """Show the send runs of this database."""

        def flow_runs() -> list[str]:
            with engine.connect() as conn:
                return list(conn.scalars(text("SELECT flow_run_id FROM send_run WHERE flow_run_id IS NOT NULL")))

        self._flow_runs = flow_runs
        self._window = PrefectWindow(engine, clock, lambda: self._server.api, self._log_file)

    def finish(self) -> int | None:
        """Let it show what it has not shown yet; gives how many of the send runs it has as flow runs that are completed,
        by its own API. None if that does not answer.
        """
        began = monotonic()
        while not self._answers() and monotonic() - began < _TO_COME_UP:
            sleep(0.25)
        if self._window is not None:
            window, self._window = self._window, None
            window.close(_TO_SHOW)
        return self._count(self._flow_runs())

    def _answers(self) -> bool:
        return self._server.api is not None and self._server.api.answers()

    def _count(self, flow_runs: list[str]) -> int | None:
        wanted = {"flow_runs": {"id": {"any_": flow_runs}, "state": {"type": {"any_": ["COMPLETED"]}}}}
        with requests.Session() as session:
            session.trust_env = False  # a proxy is not asked for this machine
            try:
                answer = session.post(f"{self.url}/api/flow_runs/count", json=wanted, timeout=5)
            except requests.RequestException:
                return None
        return int(answer.json()) if answer.ok else None

    def stop(self) -> None:
        """End the window's process and the server, however they are."""
        if self._window is not None:
            self._window.close(0)
        self._server.stop(_TO_STOP)
