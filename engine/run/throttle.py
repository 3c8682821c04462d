"""Throttle: how fast one channel may be used by this process, and until when it is shut by its provider."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from engine.config import Rate


class Gate:
    """A token bucket over all threads of this process, one second deep; and the provider's own 'not now'."""

    def __init__(self, rate: Rate | None) -> None:
        self._spacing = rate.per.total_seconds() / rate.count if rate is not None else 0.0
        self._lock = Lock()
        self._next = time.monotonic()
        self._closed_until: datetime | None = None

    def wait(self, patience: float, sleep: Callable[[float], object] = time.sleep) -> bool:
        """Return True when the next message may go; False at once, and no token taken, if that is over `patience` seconds
        away. A `sleep` that ends early gives up waiting for it.
        """
        if not self._spacing:
            return True
        with self._lock:
            now = time.monotonic()
            start = max(self._next, now - 1.0)
            if start - now > patience:
                return False
            self._next = start + self._spacing
        if start > now:
            sleep(start - now)
        return True

    def close(self, until: datetime) -> None:
        """The provider asks for a pause of the whole channel."""
        with self._lock:
            self._closed_until = max(until, self._closed_until or until)

    def closed_until(self, now: datetime) -> datetime | None:
        """The instant before which the channel is shut; None when it is open."""
        until = self._closed_until
        return until if until is not None and until > now else None
