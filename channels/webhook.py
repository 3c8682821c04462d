"""The seam between the engine and the servers that webhooks call: a request goes in, what became of it comes out.

A request has an idempotency key, so that, other than a message, it is simply repeated when nobody can tell. Nothing here
imports the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol


@dataclass(frozen=True)
class WebhookRequest:
    """One attempt. `url`, `headers` and `secret` (the key that signs) hold references `${NAME}` to the environment as they
    are written: only what goes over the wire knows their values. `key` is the same for every attempt, `at` is this one's.
    """

    key: str
    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str | None
    secret: str | None
    at: datetime


@dataclass(frozen=True)
class Answered:
    """The server has taken it (a status of 2xx)."""

    status: int


@dataclass(frozen=True)
class Refused:
    """It makes no sense to try again: `rejected` or `redirected` by the server, `internal` by our own guard."""

    reason: Literal["rejected", "redirected", "internal"]
    detail: str
    status: int | None = None


@dataclass(frozen=True)
class TryAgain:
    """Not now, or nobody can tell. `after`: not before this time has passed, as the server asks."""

    detail: str
    status: int | None = None
    after: timedelta = timedelta()


CallEnd = Answered | Refused | TryAgain


class Caller(Protocol):
    """Carries requests; safe to use from several threads."""

    def call(self, request: WebhookRequest) -> CallEnd:
        """Make one attempt, within seconds; never raises for what a server or a network may do."""
        ...


class RecordingCaller:
    """The caller of rehearsals: takes every request, makes none. `keep` is told of each, by the thread that calls."""

    def __init__(self, keep: Callable[[WebhookRequest], object] | None = None) -> None:
        self._keep = keep

    def call(self, request: WebhookRequest) -> CallEnd:
        if self._keep is not None:
            self._keep(request)
        return Answered(200)
