"""Screen: the process that talks to Prefect, seen from outside; it can be stuck, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

from engine.flows.environment import Api

_WAITING = 200  # lines that may wait for a process that does not read
_LARGEST_LOG = 10_000_000  # bytes; the file is begun anew when a process starts, its last one is kept


class Screen:
    """A running `python -m engine.flows.show`. No method waits for Prefect."""

    def __init__(self, api: Api, log_file: Path, heard: Callable[[dict[str, Any]], None]) -> None:
        self.api = api
        self._heard = heard
        self._shown: set[int] = set()
        self._gone, self._news = Event(), Event()
        self._lines: Queue[str | None] = Queue(_WAITING)
        self._process = start_python("engine.flows.show", [], api.environment, log_file, answers=True)
        for work in (self._write, self._read):
            Thread(target=work, name="prefect-screen", daemon=True).start()

    @property
    def lives(self) -> bool:
        return not self._gone.is_set()

    def tell(self, line: Mapping[str, Any]) -> None:
        """Hand over a line; one that finds no room is dropped, and the screen with it: it is stuck."""
        try:
            self._lines.put_nowait(json.dumps(line))
        except Full:
            self.close(0)

    def show(self, run_id: int, *lines: Mapping[str, Any]) -> None:
        """Begin to show a run."""
        self._shown.discard(run_id)
        for line in lines:
            self.tell(line)

    def has_shown(self, run_id: int) -> bool:
        """Whether Prefect has the run's end."""
        return run_id in self._shown

    def wait(self, seconds: float) -> None:
        """Until it says something, or the time is over."""
        self._news.wait(seconds)
        self._news.clear()

    def close(self, patience: float) -> None:
        """Let it hand over what it holds, for so many seconds; then it is killed."""
        if patience > 0 and self.lives:
            with suppress(Full, subprocess.TimeoutExpired):
                self._lines.put_nowait(None)
                self._process.wait(patience)
        end_group(self._process)
        self._gone.set()
        self._news.set()

    def _write(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError), self._process.stdin as pipe:  # an error: it is gone, and `_read` tells
            while (line := self._next_line()) is not None:
                pipe.write(f"{line}\n".encode())
                pipe.flush()

    def _next_line(self) -> str | None:
        while self.lives:
            with suppress(Empty):
                return self._lines.get(timeout=1.0)
        return None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                said = json.loads(line)
                if "shown" in said:
                    self._shown.add(said["run"])
                else:
                    self._heard(said)
                self._news.set()
        self._process.wait()
        self._gone.set()
        self._news.set()


def start_python(
    module: str, arguments: list[str], environment: Mapping[str, str], log_file: Path, *, answers: bool = False
) -> subprocess.Popen[bytes]:
    """Run a module of ours in a process group of its own, so that a Ctrl-C meant for us does not reach it; its standard
    input closes when we end, however we end. What it prints goes to the end of the log file.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size > _LARGEST_LOG:
        log_file.rename(log_file.with_suffix(".1.log"))
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if answers else log,
            stderr=log,
            env=dict(environment),
            start_new_session=True,
        )


def end_group(process: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """End a process of `start_python` and all that it has started; those that still run after `patience` are killed."""
    if process.poll() is None and patience > 0:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
