"""`alur draw`: the picture of a journey."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.output import say
from engine.cli.workspace import HERE, LOOK, WorkspaceOption

_Journey = Annotated[str, typer.Argument(metavar="JOURNEY", help="The journey's name, as its file's.")]
_File = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", metavar="FILE", show_default=False, help="FILE.svg for a picture, FILE.mmd for Mermaid."
    ),
]


def draw(journey: _Journey, out: _File = None, workspace: WorkspaceOption = HERE) -> None:
    """Draw a journey from its file: Mermaid on standard output, or an SVG or Mermaid file.

    The picture is made from the compiled journey, the same thing that runs. GitHub and GitLab show Mermaid by themselves.

    Example: `alur draw cart_abandonment -o cart.svg`
    """
    from engine.cli.names import journey_in_files
    from engine.draw import mermaid, svg
    from engine.journey.machine import compile_journey

    if out is not None and out.suffix not in {".svg", ".mmd"}:
        raise typer.BadParameter(f"'{out}' must end in .svg or .mmd", param_hint="-o")
    machine = compile_journey(journey_in_files(workspace.resolve(), journey))
    if out is None:
        typer.echo(mermaid(machine), nl=False)
        return
    out.write_text(svg(machine) if out.suffix == ".svg" else mermaid(machine), encoding="utf-8")
    say(f"drew {journey} into {out}")


def add_to(program: typer.Typer) -> None:
    """Hang the command into the program."""
    program.command("draw", rich_help_panel=LOOK)(draw)
