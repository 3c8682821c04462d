"""Throttles: how fast one channel may be used by this process, and one journey may send by all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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


@dataclass(frozen=True)
class Bucket:
    """The tokens of a journey: one falls due every `spacing`, and those of one second are kept (at least one). `free_at`: when
    the next one is, or was, there to be taken.
    """

    rate: Rate
    free_at: datetime

    @property
    def spacing(self) -> timedelta:
        return self.rate.per / self.rate.count

    @property
    def depth(self) -> int:
        return max(1, int(timedelta(seconds=1) / self.spacing))

    def _since(self, now: datetime) -> datetime:
        return max(self.free_at, now - (self.depth - 1) * self.spacing)

    def tokens(self, now: datetime) -> int:
        """How many may be taken now."""
        since = self._since(now)
        return 0 if since > now else (now - since) // self.spacing + 1

    def take(self, count: int, now: datetime) -> Bucket:
        """What is left when so many are taken."""
        return replace(self, free_at=self._since(now) + count * self.spacing)
