"""Meter: wall clock, CPU and memory of a measured stretch, over this process and the database that works for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil


@dataclass(frozen=True)
class Measured:
    """One run: how many were done, seconds of wall clock, CPU seconds of ourselves, our threads and the database."""

    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        return 1000 * self.cpu / self.count


class Meter:
    """Wall clock and CPU of this process and of the database that works for it."""

    def __init__(self, database: Path | None) -> None:
        self._server = _server(database) if database is not None else None
        self._wall, self._cpu = monotonic(), self._now()

    def stop(self) -> None:
        """The stretch is over."""
        self._seconds, self._spent = monotonic() - self._wall, self._now() - self._cpu

    def measured(self, count: int) -> Measured:
        return Measured(count, self._seconds, self._spent)

    def _now(self) -> float:
        own = float(sum(psutil.Process().cpu_times()[:2]))
        if self._server is None:
            return own
        total = 0.0
        for process in [self._server, *self._server.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        times = self._server.cpu_times()
        return float(own + total + times.children_user + times.children_system)


def _server(folder: Path) -> psutil.Process:
    pid_file = next(folder.rglob("postmaster.pid"))
    return psutil.Process(int(pid_file.read_text().splitlines()[0]))


@contextmanager
def metered(database: Path | None = None) -> Iterator[Meter]:
    meter = Meter(database)
    yield meter
    meter.stop()
