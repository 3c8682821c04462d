"""Call: webhooks that are due, from the queue to the servers that they are for and back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

import orjson
from sqlalchemy import Connection, Engine

from channels.webhook import Answered, CallEnd, Caller, Refused, TryAgain, WebhookRequest
from engine.errors import RenderError, WorkspaceError
from engine.journey.steps.webhook import Webhook
from engine.run.machines import Machines
from engine.store import calls, holds
from engine.store.calls import CallEnding, DueCall

log = logging.getLogger(__name__)

CLAIM = 64
"""Calls of one claim. With the threads below and the seconds of one attempt, all of them end well within the lease."""

THREADS = 16

_RETRY = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600))
"""After each failed attempt, the last one again and again."""

GIVE_UP = timedelta(hours=24)
"""A webhook that nobody has taken this long after it was decided has failed, and the person goes on."""

_LOOK_AGAIN = timedelta(seconds=30)
"""How soon a call of a version that this Alur can't read is looked at again; another one may be able to."""


@dataclass(frozen=True)
class CallDesk:
    """What calling needs."""

    engine: Engine
    machines: Machines
    caller: Caller
    clock: Callable[[], datetime]

    def any_due(self) -> bool:
        """Is there anything that could be called now?"""
        with self.engine.begin() as conn:
            return calls.any_due(conn, self.clock(), _paused(conn))


def call(desk: CallDesk, stopping: Callable[[], bool] = lambda: False) -> int:
    """Make up to 64 calls that are due, and record what became of each; gives how many were taken up.

    Safe in any number of processes. A call is repeated, under one idempotency key, after whatever may go well later, also
    when this process dies in the midst of it. `stopping` is asked now and then: once it says so, no further call is begun.
    """
    now = desk.clock()
    with desk.engine.begin() as conn:
        due = calls.claim(conn, now, CLAIM, _paused(conn))
        prepared = [_prepare(conn, desk, each, now) for each in due]
        calls.end(conn, [each for each in prepared if isinstance(each, CallEnding)], now)
    _carry(desk, [each for each in prepared if not isinstance(each, CallEnding)], stopping)
    return len(due)


def _paused(conn: Connection) -> list[str]:
    return [hold.name for hold in holds.standing(conn) if hold.scope == "journey"]


# --- before the wire --------------------------------------------------------------------------------------------------

_Ready = tuple[DueCall, WebhookRequest]


def _prepare(conn: Connection, desk: CallDesk, due: DueCall, now: datetime) -> _Ready | CallEnding:
    if not due.enrolled:
        return CallEnding(due, "withheld", "exited", untried=True)
    try:
        step = desk.machines.version(conn, due.version_id).states[due.step]
    except WorkspaceError:  # `version` has told
        return CallEnding(due, "planned", next_at=now + _LOOK_AGAIN, untried=True)
    assert isinstance(step, Webhook)
    request = step.request
    try:
        body = desk.machines.texts.fill(request.body, step.label(), due.contact, due.event, due.matched)
    except RenderError as error:
        return CallEnding(due, "failed", "render", error.reason, untried=True)
    data, content_type = _encoded(body)
    return due, WebhookRequest(
        _key(due), request.url, request.method, request.headers, data, content_type, request.secret, now
    )


def _encoded(body: object) -> tuple[bytes, str | None]:
    match body:
        case None:
            return b"", None
        case str():
            return body.encode(), "text/plain; charset=utf-8"
        case _:
            return orjson.dumps(body), "application/json"


def _key(due: DueCall) -> str:
    """The idempotency key: of (enrollment, step, round), whatever the attempt. Without dots, which part the signed text."""
    return f"alur-{due.enrollment_id}-{due.step.replace('.', '-')}-{due.round}"


# --- over the wire, and back ------------------------------------------------------------------------------------------


def _carry(desk: CallDesk, ready: Sequence[_Ready], stopping: Callable[[], bool]) -> None:
    if not ready:
        return
    with ThreadPoolExecutor(min(THREADS, len(ready)), thread_name_prefix="webhook") as threads:
        under_way: dict[Future[CallEnd], DueCall] = {
            threads.submit(_attempt, desk, request): due for due, request in ready
        }
        while under_way:
            done, _ = wait(under_way, timeout=0.25, return_when=FIRST_COMPLETED)
            now = desk.clock()
            endings = [_ending(under_way.pop(future), future.result(), now) for future in done]
            if stopping():
                unbegun = [future for future in under_way if future.cancel()]
                endings += [CallEnding(under_way.pop(each), "planned", untried=True) for each in unbegun]
            with desk.engine.begin() as conn:
                calls.end(conn, endings, now)


def _attempt(desk: CallDesk, request: WebhookRequest) -> CallEnd:
    try:
        return desk.caller.call(replace(request, at=desk.clock()))
    except Exception as error:  # a fault of ours must not cost the other calls their records
        log.exception("webhook %s could not be called", request.key)
        return TryAgain(f"{type(error).__name__}: {error}")


def _ending(due: DueCall, end: CallEnd, now: datetime) -> CallEnding:
    match end:
        case Answered(status=status):
            return CallEnding(due, "answered", status=status)
        case Refused(reason=reason, detail=detail, status=status):
            return CallEnding(due, "failed", reason, detail, status)
        case TryAgain(detail=detail, status=status, after=after):
            until = due.planned_at + GIVE_UP
            if now >= until:
                return CallEnding(due, "failed", "gave_up", detail, status)
            pause = max(_RETRY[min(due.attempt, len(_RETRY)) - 1], after)
            return CallEnding(due, "planned", None, detail, status, next_at=min(now + pause, max(until, now)))
        case _:
            assert_never(end)
