"""`alur draw`: the picture of a journey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.output import plural, say
from engine.cli.workspace import HERE, LOOK, WorkspaceOption, opened

if TYPE_CHECKING:
    from engine.run.live import VersionPeople

_Journey = Annotated[str, typer.Argument(metavar="JOURNEY", help="The journey's name, as its file's.")]
_File = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", metavar="FILE", show_default=False, help="FILE.svg for a picture, FILE.mmd for Mermaid."
    ),
]
_Live = Annotated[bool, typer.Option("--live", help="What is applied, with how many people stand on each step.")]
_Version = Annotated[
    str | None,
    typer.Option(
        "--version", metavar="HASH", show_default=False, help="With --live: another version, by how its hash begins."
    ),
]


def draw(
    journey: _Journey,
    out: _File = None,
    live: _Live = False,
    version: _Version = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """Draw a journey from its file: Mermaid on standard output, or an SVG or Mermaid file.

    The picture is made from the compiled journey, the same thing that runs. GitHub and GitLab show Mermaid by themselves.
    With `--live` it is the version that runs, with the people on each step; those on older versions are told, and drawn by
    `--version`.

    Example: `alur draw cart_abandonment --live -o cart.svg`
    """
    from engine.cli.names import journey_in_files
    from engine.draw import mermaid, svg
    from engine.journey.machine import compile_journey

    if out is not None and out.suffix not in {".svg", ".mmd"}:
        raise typer.BadParameter(f"'{out}' must end in .svg or .mmd", param_hint="-o")
    if version is not None and not live:
        raise typer.BadParameter("only what is applied has versions: add --live", param_hint="--version")
    people: VersionPeople | None = None
    if live:
        machine, people = _applied(journey, version, workspace)
    else:
        machine = compile_journey(journey_in_files(workspace.resolve(), journey))
    if out is None or out.suffix == ".mmd":
        picture = mermaid(machine, people.standing if people is not None else None)
    else:
        picture = svg(machine, **_numbers(people))
    if out is None:
        typer.echo(picture, nl=False)
        return
    out.write_text(picture, encoding="utf-8")
    say(f"drew {journey} into {out}")


def _applied(journey: str, version: str | None, workspace: Path) -> tuple[Any, VersionPeople]:
    from engine.cli.names import applied_journey
    from engine.run.live import choose, machine_of, people_of

    with opened(workspace) as at, at.engine.connect() as conn:
        applied_journey(conn, journey)
        versions = people_of(conn, journey)
        shown = choose(versions, journey, version)
        for other in versions:
            if other is not shown and other.under_way:
                people = plural(other.under_way, "person", "people")
                say(
                    f"{people} on the {'live' if other.live else 'older'} version {other.hash[:8]}: --version {other.hash[:8]} draws it"
                )
        if shown.held_out:
            say(f"{plural(shown.held_out, 'person', 'people')} held out, on no step")
        return machine_of(conn, journey, shown.hash, at.config.fields), shown


def _numbers(people: VersionPeople | None) -> dict[str, Any]:
    if people is None:
        return {}
    return {
        "counts": people.standing, "entered": people.entered, "ended": people.ended, "converted": people.converted,
    }  # fmt: skip


def add_to(program: typer.Typer) -> None:
    """Hang the command into the program."""
    program.command("draw", rich_help_panel=LOOK)(draw)
