"""`alur enroll`: let people into a journey by hand, under its entry rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.output import Output, OutputOption, plural, say
from engine.cli.table import show_rows
from engine.cli.workspace import HERE, Opened, WorkspaceOption, opened, who

if TYPE_CHECKING:
    from sqlalchemy import Connection

_Journey = Annotated[str, typer.Argument(metavar="JOURNEY", help="A journey that is applied, whatever its trigger.")]
_Contact = Annotated[
    str | None,
    typer.Option(
        "--contact", "-c", metavar="CONTACT", show_default=False,
        help="One person: a user id, else an e-mail address, else a phone number.",
    ),
]  # fmt: skip
_Segment = Annotated[
    str | None, typer.Option("--segment", "-s", metavar="NAME", show_default=False, help="Everybody in this segment.")
]
_Properties = Annotated[
    str, typer.Option("--properties", metavar="JSON", help="A JSON object that is `event` in the journey.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell who would be let in, and why others would not.")]


def enroll(
    journey: _Journey,
    contact: _Contact = None,
    segment: _Segment = None,
    properties: _Properties = "{}",
    dry_run: _DryRun = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Enroll one person, or everybody in a segment, in a journey, whatever its trigger is.

    The journey's entry rules hold as always: who is under way already, or has been inside and may not come back, is not
    let in. `alur run` (or `alur work`) takes it up within a moment; until then `alur why` says that it waits. Exits 1 when the
    one person is not let in.

    Example: `alur enroll welcome --contact ani@example.com --properties '{"plan": "pro"}'`
    """
    from engine.run.enroll import IN, enroll_members, members, open_journey, open_segment, would_enter
    from engine.run.enroll import enroll as enroll_one

    if (contact is None) == (segment is None):
        raise typer.BadParameter("name either one person or a segment", param_hint="--contact / --segment")
    handed = _read(properties)
    with opened(workspace) as at:
        now = at.clock()
        with at.engine.connect() as conn:
            open_journey(conn, journey)
            number = _contact(conn, at, contact) if contact is not None else None
            name = open_segment(conn, segment) if segment is not None else ""
        found: Counter[str] = Counter()
        if number is not None:
            found = would_enter(at.engine, at.machines(), at.zone, journey, [number], handed, now)
        elif dry_run:
            with at.engine.connect() as conn:
                found = would_enter(at.engine, at.machines(), at.zone, journey, members(conn, name), handed, now)
        knocking = found.total()
        if not dry_run:
            with at.engine.begin() as conn:
                if number is not None:
                    enroll_one(conn, journey, number, handed, who(), now)
                else:
                    knocking = enroll_members(conn, journey, name, handed, who(), now)
    if found or output is not Output.TABLE:
        show_rows(
            [{"result": result, "people": people} for result, people in sorted(found.items())],
            ("result", "people"),
            output,
        )
    inside = sum(found[word] for word in IN)
    say(_told(journey, knocking, inside, rehearsed=bool(found), dry_run=dry_run))
    if number is not None and not inside:
        raise typer.Exit(1)


def _told(journey: str, knocking: int, inside: int, *, rehearsed: bool, dry_run: bool) -> str:
    if dry_run:
        return f"{journey} would let in {inside:,} of {plural(knocking, 'person', 'people')}; nobody was enrolled"
    if rehearsed:
        if not inside:
            return f"{journey} does not let them in (see above)"
        return f"{journey} lets them in: `alur run` carries it out, then `alur why` tells what follows"
    return f"{plural(knocking, 'person knocks', 'people knock')} at {journey}; `alur run` decides who is let in"


def _read(text: str) -> Mapping[str, Any]:
    import orjson

    from engine.run.enroll import PropertiesError, read_properties

    try:
        return read_properties(orjson.loads(text))
    except (orjson.JSONDecodeError, PropertiesError) as error:
        raise typer.BadParameter(str(error), param_hint="--properties") from error


def _contact(conn: Connection, at: Opened, word: str) -> int:
    from engine.cli.names import contact

    return contact(conn, at, word).id
