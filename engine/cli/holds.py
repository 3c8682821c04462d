"""`alur pause`, `alur resume`, `alur cancel`: stop what runs, and let it go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.output import moment, plural, say
from engine.cli.workspace import HERE, WorkspaceOption, opened, who

if TYPE_CHECKING:
    from engine.store.holds import HoldScope

_Pausable = Annotated[str, typer.Argument(metavar="JOURNEY", help="A journey; or a channel: email, sms, whatsapp.")]
_Cancellable = Annotated[str, typer.Argument(metavar="JOURNEY|RUN", help="A journey, or the number of a send run.")]
_Held = Annotated[str, typer.Argument(metavar="JOURNEY", help="A journey, a channel, or the number of a send run.")]
_Reason = Annotated[str | None, typer.Option("--reason", help="Why, for `alur status`.", show_default=False)]


def pause(name: _Pausable, reason: _Reason = None, workspace: WorkspaceOption = HERE) -> None:
    """Stop a journey's steps and messages, or a channel's messages, until `alur resume`.

    Takes effect within 5 seconds. People still enter a paused journey, and its exits still work; on `resume` what is
    overdue runs.

    Example: `alur pause cart_abandonment --reason "wrong voucher"`
    """
    _stop(name, reason or "paused", ("journey", "channel"), workspace)


def cancel(name: _Cancellable, reason: _Reason = None, workspace: WorkspaceOption = HERE) -> None:
    """Stop a send run, or a journey, until `alur resume`.

    Of a send run, everything that is due and not yet sent is kept back, whichever journey it belongs to; messages
    that become due later go out in the next run. A cancelled journey is a paused one.

    Example: `alur cancel 12`
    """
    _stop(name, reason or "cancelled", ("journey", "run"), workspace)


def resume(name: _Held, workspace: WorkspaceOption = HERE) -> None:
    """Let a paused journey or channel, or what a cancelled send run kept back, go on.

    Example: `alur resume cart_abandonment`
    """
    from engine.cli.names import held
    from engine.run.hold import resume as lift

    with opened(workspace) as at, at.engine.begin() as conn:
        scope, thing = held(conn, at, name)
        lifted = lift(conn, scope, thing, at.clock())
    say(f"{_called(scope, thing)} goes on" if lifted else f"{_called(scope, thing)} is not held: nothing to do")


def _stop(name: str, reason: str, scopes: tuple[HoldScope, ...], workspace: Path) -> None:
    from engine.cli.names import holdable
    from engine.run.hold import stop
    from engine.store.holds import Hold

    with opened(workspace) as at, at.engine.begin() as conn:
        scope, thing = holdable(conn, at, name, scopes)
        done = stop(conn, Hold(scope, thing, reason, who(), at.clock()))
        since = moment(done.hold.at, at.zone)
    if not done.new:
        say(f"{_called(scope, thing)} is held already: {done.hold.reason}, by {done.hold.by} on {since}")
        return
    kept = f"; {plural(done.kept, 'send')} kept back" if scope == "run" else ""
    say(
        f"{_called(scope, thing)} is {'cancelled' if scope == 'run' else 'held'}{kept}. To let it go on: alur resume {thing}"
    )


def _called(scope: HoldScope, name: str) -> str:
    return f"send run {name}" if scope == "run" else f"{scope} {name}"
