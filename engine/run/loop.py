"""Loop: one thread that does the same work again and again, through every outage, until it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

from engine.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

_SAY_AGAIN = 60.0  # seconds between two lines about the same outage
_LONGEST = 5.0  # seconds between two attempts while something is wrong


class Outage:
    """Tells of a trouble when it begins, once a minute while it lasts, and when it is over; not at every attempt."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._told: float | None = None
        self._times = 0

    def note(self, error: Exception) -> float:
        """It failed once more; gives the seconds to wait before the next attempt."""
        self._times += 1
        if self._told is None or monotonic() - self._told > _SAY_AGAIN:
            self._told = monotonic()
            # What the database says in words needs no traceback; anything else is a fault of ours, or nearly.
            known = isinstance(error, DatabaseUnavailableError)
            log.error("%s: %s; trying again", self._what, error, exc_info=None if known else error)
        return float(min(0.25 * 2 ** min(self._times, 10), _LONGEST))

    def over(self) -> None:
        """It went well."""
        if self._told is not None:
            log.warning("%s: works again after %d failed attempts", self._what, self._times)
        self._told, self._times = None, 0


class Loop:
    """A thread that calls `work` until `stop`. `work` says whether there was anything to do; if not, the thread rests for
    `rest` seconds or until somebody calls `wake`.

    Whatever `work` raises is logged and tried again, more and more slowly: a loop that dies would stop the business.
    """

    def __init__(self, name: str, work: Callable[[], bool], rest: float) -> None:
        self._work, self._rest = work, rest
        self._outage = Outage(name)
        self._stopping, self._woken = Event(), Event()
        self._thread = Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be work: don't rest any longer."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Rest, from within `work`: until the time is over, somebody wakes us, or we are to stop."""
        self._woken.wait(seconds)
        self._woken.clear()

    def stop(self) -> None:
        """Begin no further work; returns at once."""
        self._stopping.set()
        self._woken.set()

    def stopping(self) -> bool:
        return self._stopping.is_set()

    def join(self, seconds: float) -> bool:
        """Wait for the end; False when it has not come in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _repeat(self) -> None:
        while not self.stopping():
            try:
                busy = self._work()
            except Exception as error:  # noqa: BLE001  logged, and tried again: see the class
                self._stopping.wait(self._outage.note(error))
            else:
                self._outage.over()
                if not busy:
                    self.wait(self._rest)
