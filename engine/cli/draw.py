"""`alur draw`: the pictures of journeys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.output import plural, say
from engine.cli.workspace import HERE, Opened, WorkspaceOption, opened

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.journey.machine import Machine
    from engine.run.live import VersionPeople

_Journey = Annotated[
    str | None,
    typer.Argument(metavar="JOURNEY", show_default=False, help="The journey's name, as its file's; all, with -o DIR."),
]
_Place = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", metavar="FILE|DIR", show_default=False,
        help="FILE.svg for a picture, FILE.mmd for Mermaid; without JOURNEY a folder, for a picture of each.",
    ),
]  # fmt: skip
_Live = Annotated[bool, typer.Option("--live", help="What is applied, with how many people stand on each step.")]
_Version = Annotated[
    str | None,
    typer.Option(
        "--version", metavar="HASH", show_default=False, help="With --live: another version, by how its hash begins."
    ),
]


def draw(
    journey: _Journey = None,
    out: _Place = None,
    live: _Live = False,
    version: _Version = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """Draw a journey: Mermaid on standard output, or an SVG or Mermaid file.

    The picture is made from the journey's file as it compiles, the same thing that runs. GitHub and GitLab show Mermaid by
    themselves. With `--live` it is the version that runs, with the people on each step; those on older versions are
    told, and drawn by `--version`. Without JOURNEY, `-o DIR` draws all of them.

    Example: `alur draw cart_abandonment --live -o cart.svg`
    """
    if journey is not None and out is not None and out.suffix not in {".svg", ".mmd"}:
        raise typer.BadParameter(f"'{out}' must end in .svg or .mmd", param_hint="-o")
    if version is not None and not (live and journey):
        said = "only what is applied has versions: name the journey, and add --live"
        raise typer.BadParameter(said, param_hint="--version")
    with _journeys(workspace.resolve(), version, live=live) as (names, compiled):
        if journey is not None:
            _draw(journey, *compiled(journey), out)
            return
        if not names:
            say("no journey is applied yet: run `alur apply`" if live else "journeys/ holds no journey")
            raise typer.Exit(1)
        if out is None or out.suffix:
            said = f"name one of {', '.join(names)}; or draw all of them into a folder, with -o DIR"
            raise typer.BadParameter(said, param_hint="JOURNEY")
        out.mkdir(parents=True, exist_ok=True)
        for name in names:
            _draw(name, *compiled(name), out / f"{name}.svg")


_Compiled = Callable[[str], "tuple[Machine, VersionPeople | None]"]


@contextmanager
def _journeys(root: Path, version: str | None, *, live: bool) -> Iterator[tuple[list[str], _Compiled]]:
    """The names there are, of files or of what is applied, and how one of them is compiled."""
    if live:
        with opened(root) as at, at.engine.connect() as conn:
            yield _names(conn), lambda name: _applied(conn, at, name, version)
        return

    from engine.cli.journey_file import journey_in_files
    from engine.journey.machine import compile_journey

    yield (
        sorted(path.stem for path in (root / "journeys").glob("*.yaml")),
        lambda name: (compile_journey(journey_in_files(root, name)), None),
    )


def _draw(name: str, machine: Machine, people: VersionPeople | None, out: Path | None) -> None:
    from engine.draw import mermaid, svg

    if out is None or out.suffix == ".mmd":
        picture = mermaid(machine, people.standing if people is not None else None)
    else:
        picture = svg(machine, **_numbers(people))
    if out is None:
        typer.echo(picture, nl=False)
        return
    out.write_text(picture, encoding="utf-8")
    say(f"drew {name} into {out}")


def _names(conn: Connection) -> list[str]:
    from engine.store import journeys

    return [journey.name for journey in journeys.all_applied(conn) if journey.state != "removed"]


def _applied(conn: Connection, at: Opened, journey: str, version: str | None) -> tuple[Machine, VersionPeople]:
    from engine.cli.names import applied_journey
    from engine.run.live import choose, machine_of, people_of

    applied_journey(conn, journey)
    versions = people_of(conn, journey)
    shown = choose(versions, journey, version)
    for other in versions:
        if other is not shown and other.under_way:
            people, which = plural(other.under_way, "person", "people"), "live" if other.live else "older"
            say(f"{people} on the {which} version {other.hash[:8]}: --version {other.hash[:8]} draws it")
    if shown.held_out:
        say(f"{plural(shown.held_out, 'person', 'people')} held out, on no step")
    return machine_of(conn, journey, shown.hash, at.config.declared), shown


def _numbers(people: VersionPeople | None) -> dict[str, Any]:
    if people is None:
        return {}
    return {
        "counts": people.standing, "entered": people.entered, "ended": people.ended, "converted": people.converted,
    }  # fmt: skip
