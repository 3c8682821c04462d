"""`alur init`: a new workspace."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import plural, say
from engine.cli.workspace import HERE

_Folder = Annotated[
    Path, typer.Argument(metavar="DIR", show_default="this folder", help="Where to; made when it is missing.")
]


_Secrets = Annotated[bool, typer.Option("--secrets", help="Write only the .env that the config.yaml there asks for.")]


def init(folder: _Folder = HERE, secrets: _Secrets = False) -> None:
    """Write a new workspace: five journeys of a record shop, ready to run, sending to nobody.

    Mails become files in `.alur/mailbox` until you change `channels` in `config.yaml`. Secrets are made at random and
    stand in `.env`, which git ignores. A file that is there already is never overwritten.

    Example: `alur init shop`
    """
    from engine.cli.new_workspace import write_secrets, write_workspace

    if secrets:
        say(f"wrote {write_secrets(folder).resolve()}")
        return
    written = write_workspace(folder)
    journeys = sum(name.startswith("journeys/") for name in written)
    say(f"wrote {plural(len(written), 'file')} with {plural(journeys, 'journey')} into {folder.resolve()}")
    go = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    typer.echo("Next:")
    typer.echo(f"  {go}alur validate    # what is wrong in the files: nothing")
    typer.echo("  alur test        # play the journeys' tests on a clock of their own")
    typer.echo("  alur apply       # make what the files say what runs")
    typer.echo("  alur run         # take events in, decide, send")
