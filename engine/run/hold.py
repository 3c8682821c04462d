"""Hold: a person stops a journey, a channel or a send run, and lets it go on again.

A hold is read before each intent group, so it takes effect within one group per connection (promise P10). Nothing is
lost by it: what is due stays due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.errors import AlurError
from engine.store import holds, runs, sends
from engine.store.holds import Hold, HoldScope


class RunEndedError(AlurError):
    """The send run is over, so that there is nothing to cancel."""


@dataclass(frozen=True)
class Stopped:
    """`new` is False when it was held already; `hold` is the one that stands. `kept`: how many sends a cancelled run keeps back."""

    hold: Hold
    new: bool
    kept: int = 0


def stop(conn: Connection, hold: Hold) -> Stopped:
    """Place the hold. A send run is cancelled: what is due counts as its own, and stays in the outbox until `resume`.

    Raises `RunEndedError` for a send run that is over.
    """
    standing = next((h for h in holds.standing(conn) if (h.scope, h.name) == (hold.scope, hold.name)), None)
    if standing is not None:
        return Stopped(standing, new=False)
    if hold.scope != "run":
        return Stopped(hold, holds.place(conn, hold))
    sends.keep_out(conn)
    run_id = int(hold.name)
    state = runs.state(conn, run_id)
    if state != "running":
        raise RunEndedError(
            f"send run {run_id} is {state} already; to stop what comes next, pause its journey or channel"
        )
    placed = holds.place(conn, hold)
    return Stopped(hold, placed, runs.take_in_outbox(conn, run_id, hold.at))


def resume(conn: Connection, scope: HoldScope, name: str, now: datetime) -> bool:
    """Lift every hold on the thing; False when none stood. What is overdue runs now."""
    return holds.lift(conn, scope, name, now) > 0
