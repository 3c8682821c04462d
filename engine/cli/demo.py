"""`alur demo`: a shop's last months in a minute."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from engine.cli.output import say
from engine.cli.parameters import whole_number
from engine.cli.workspace import on_terminal

_FOLDER: Final = Path("demo-out")

_Folder = Annotated[
    Path, typer.Option("--folder", metavar="DIR", help="Where to; made anew each time, nothing else may be in it.")
]
_Weeks = Annotated[
    int | None,
    typer.Option(
        "--weeks", metavar="N", parser=whole_number(2), show_default="the whole season",
        help="Play only so many virtual weeks, at least two.",
    ),
]  # fmt: skip
_NoPrefect = Annotated[bool, typer.Option("--no-prefect", help="Send without Prefect, which saves memory and time.")]
_NoStay = Annotated[bool, typer.Option("--no-stay", help="End at once, also on a terminal.")]


def demo(
    folder: _Folder = _FOLDER, weeks: _Weeks = None, no_prefect: _NoPrefect = False, no_stay: _NoStay = False
) -> None:
    """Play a shop's last months in a minute: real purchases, five journeys, mails to look at.

    Makes a workspace and a database of its own, posts a season's events to a real HTTP edge, lets the journeys send by
    SMTP to a mailbox on this machine, and proves that one unsubscribe holds. Nothing leaves this machine. At the end it
    writes `index.html`: the mails, each journey with the people on it, and one person's story.

    On a terminal everything stays up until you press Enter: the links in the mails, the edge, and Prefect's UI.

    Example: `alur demo --folder /tmp/look --weeks 3`
    """
    from engine.demo.play import Options, play

    signal.signal(signal.SIGTERM, _end)
    try:
        play(Options(folder, weeks, prefect=not no_prefect, stay=on_terminal() and not no_stay))
    except KeyboardInterrupt:
        say("stopped; nothing of it is left running")
        raise typer.Exit(130) from None


def _end(number: int, _frame: FrameType | None) -> None:
    """Told to end: leave as if everything had been played, so that whatever was started is stopped."""
    raise SystemExit(128 + number)
