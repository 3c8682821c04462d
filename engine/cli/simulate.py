"""`alur simulate`: months of journeys in a minute, with people of your choice; nothing leaves this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from engine.cli.output import Output, OutputOption, plural, say, show_json
from engine.cli.parameters import whole_number
from engine.cli.table import as_table, put, show_rows
from engine.cli.workspace import HERE, WorkspaceOption, opened

if TYPE_CHECKING:  # commands that simulate nothing should not wait for it
    from engine.app import Rehearsal
    from engine.catalog import Catalog
    from engine.run.given import Given
    from engine.run.reactions import Reactions
    from engine.run.simulate import Progress, Span
    from engine.run.simulated import JourneyTotals

_Journeys = Annotated[
    list[str] | None,
    typer.Argument(metavar="JOURNEY", show_default=False, help="The ones to report on; all of them if left out."),
]
_From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="DATE", show_default=False, help="First day, or an instant; else the first event's."
    ),
]
_Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DATE", show_default=False, help="Up to this day, or instant; else 90 days later."),
]
_ContactsFile = Annotated[
    Path | None,
    typer.Option(
        "--contacts", metavar="CSV", exists=True, dir_okay=False, help="Who is there, as `contacts import` reads it."
    ),
]
_Events = Annotated[
    Path | None,
    typer.Option(
        "--events", metavar="JSONL", exists=True, dir_okay=False, help="What happens: one JSON object a line."
    ),
]
_Segment = Annotated[
    str | None, typer.Option("--segment", metavar="NAME", help="A copy of the live members of this segment, instead.")
]
_Refresh = Annotated[
    str, typer.Option("--refresh", metavar="TIME", help="How often segments are refreshed: 1d, 6h, 15m.")
]
_Opens = Annotated[str, typer.Option(metavar="PERCENT", help="How many of their mails people open, by chance.")]
_Clicks = Annotated[str, typer.Option(metavar="PERCENT", help="How many of their messages people click, by chance.")]
_Seed = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", parser=whole_number(), help="Names that chance: the same seed gives the same result."
    ),
]
_Picture = Annotated[
    Path | None,
    typer.Option(
        "-o", "--out", metavar="FILE.svg|DIR", help="Draw the journey with the people on it; DIR for several."
    ),
]
_People = Annotated[
    Path | None, typer.Option("--people", metavar="JSONL", help="Write everybody's timeline, a person a line.")
]


def simulate(
    journeys: _Journeys = None,
    from_: _From = None,
    until: _Until = None,
    contacts: _ContactsFile = None,
    events: _Events = None,
    segment: _Segment = None,
    refresh: _Refresh = "1d",
    opens: _Opens = "0%",
    clicks: _Clicks = "0%",
    seed: _Seed = 0,
    out: _Picture = None,
    people: _People = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Play days or months of the journeys in the files, on a virtual clock, with given people and events.

    The same engine as live, in a database of its own; every channel only records. All journeys run, those named are
    reported: who entered, went on, got what, or did not and why, and who ended how. The same files give the same result.

    Lines of --events are messages of the Segment protocol, or short: `{"user_id": "ani", "at": "2026-03-01T20:00:00+07:00",
    "event": "order_completed", "properties": {"total": 90000}}`. What lies before --from is history and starts nothing.

    Example: `alur simulate win_back --contacts people.csv --events orders.jsonl --from 2026-01-01 --until 2026-04-01`
    """
    from engine.app import open_rehearsal
    from engine.catalog import load
    from engine.run.garbage import collect_rarely
    from engine.run.given import read_given
    from engine.run.simulated import timelines, totals

    found = _loaded(workspace.resolve(), journeys or [], load)
    if contacts is None and events is None and segment is None:
        say("nobody is given, so nothing can happen: bring people and events with --contacts, --events or --segment")
    names = sorted(journeys or found.definitions.journeys)
    given = read_given(_lines(events), str(events)) if events is not None else []
    span = _span(from_, until, refresh, given, found.config.organisation.timezone)
    span = replace(span, reactions=_reactions(opens, clicks, seed))
    with open_rehearsal(workspace.resolve(), span.start, found.config, found.templates) as stage:
        _bring_people(stage, contacts, segment, workspace)
        collect_rarely()
        with _progress() as tell:
            _play(stage, found, given, span, tell)
        with stage.app.engine.connect() as conn:
            result = totals(conn, stage.app.machines, names)
            if people is not None:
                with people.open("wb") as file:
                    for line in timelines(conn, names):
                        file.write(orjson.dumps(line) + b"\n")
            _draw(conn, stage, result, out)
    _show(result, span, output)


def _loaded(root: Path, names: Sequence[str], load: Callable[[Path], Catalog]) -> Catalog:
    """The workspace; everything in it must read well, or the simulation would be of something else."""
    from engine.cli.unknown import unknown
    from engine.errors import WorkspaceError

    found = load(root)
    if found.problems:
        raise WorkspaceError(found.problems)
    for name in names:
        if name not in found.definitions.journeys:
            raise unknown("journey", name, found.definitions.journeys, "journeys/ holds none")
    return found


def _lines(file: Path) -> Iterator[str]:
    from engine.cli.csv_file import read_lines

    return read_lines(file)


def _span(from_: str | None, until: str | None, refresh: str, given: Sequence[Given], zone: str) -> Span:
    from engine.app import system_clock
    from engine.moments import local_date, local_instant, read_window
    from engine.run.simulate import Span

    if from_ is not None:
        start = _instant(from_, zone, "--from")
    else:
        first = given[0].arrives if given else system_clock()
        start = local_instant(local_date(first, zone), time(), zone)
    end = _instant(until, zone, "--until") if until is not None else start + timedelta(days=90)
    every = read_window(refresh)
    if every is None or every < timedelta(minutes=1):
        raise typer.BadParameter(
            f"'{refresh}' is no span of at least a minute, such as 15m, 6h or 1d", param_hint="--refresh"
        )
    if end <= start:
        raise typer.BadParameter(
            f"'{until}' must be later than --from ({local_date(start, zone)})", param_hint="--until"
        )
    return Span(start, end, every)


def _reactions(opens: str, clicks: str, seed: int) -> Reactions:
    from engine.run.reactions import Reactions

    def share(option: str, said: str) -> float:
        found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", said)
        if found is None or float(found[1]) > 100:
            raise typer.BadParameter(f"'{said}' is no percentage such as 35%", param_hint=option)
        return float(found[1]) / 100

    return Reactions(share("--opens", opens), share("--clicks", clicks), seed)


def _instant(said: str, zone: str, option: str) -> datetime:
    """A day begins at midnight by the organisation's clock."""
    from engine.moments import local_instant

    try:
        if len(said) == len("2026-01-01"):
            return local_instant(date.fromisoformat(said), time(), zone)
        instant = datetime.fromisoformat(said)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise typer.BadParameter(
            f"'{said}' is neither a day (2026-01-31) nor an instant with its offset", param_hint=option
        )
    return instant


def _bring_people(stage: Rehearsal, contacts: Path | None, segment: str | None, workspace: Path) -> None:
    from engine.errors import AlurError
    from engine.run.simulate import bring_contacts
    from engine.store.people_copy import copy_people

    if segment is not None:
        with opened(workspace) as live, live.engine.connect() as source, stage.app.engine.begin() as target:
            if copy_people(source, target, segment) == 0:
                raise AlurError(f"nobody is in the segment '{segment}' of the live database (or it is not applied)")
    if contacts is not None:
        taken, errors = bring_contacts(stage.app, _lines(contacts), stage.clock())
        for error in errors:
            say(f"{contacts}:{error.line}: {error.message}")
        if errors:
            raise AlurError(
                f"{plural(len(errors), 'row')} of {contacts} can't be taken; mend them first ({taken:,} are good)"
            )


def _play(
    stage: Rehearsal, found: Catalog, given: Sequence[Given], span: Span, tell: Callable[[Progress], object]
) -> None:
    from engine.run.simulate import simulate as play

    play(stage.app, stage.clock, found.definitions, given, span, tell)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], object]]:
    """A bar on a terminal, a line for each tenth elsewhere; both on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    screen = Console(stderr=True)
    if screen.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[sent]:,} sent"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=screen, transient=True) as bars:
            task = bars.add_task("simulating", total=1.0, sent=0)
            yield lambda now: bars.update(task, completed=now.done, description=f"{now.at:%Y-%m-%d}", sent=now.messages)
        return
    told = 0

    def line(now: Progress) -> None:
        nonlocal told
        if int(now.done * 10) > told:
            told = int(now.done * 10)
            say(f"{now.at:%Y-%m-%d}  {now.done:4.0%}  {plural(now.messages, 'message')}")

    yield line


def _draw(conn: Any, stage: Rehearsal, result: Sequence[JourneyTotals], out: Path | None) -> None:
    """Pictures with how many people came, stand and left where."""
    from engine.draw import svg

    if out is None:
        return
    if out.suffix == ".svg" and len(result) != 1:
        raise typer.BadParameter("one picture shows one journey: name it, or give a folder", param_hint="-o")
    machines = {running.live.name: running.machine for running in stage.app.machines.applied(conn)}
    for totals in result:
        file = out if out.suffix == ".svg" else out / f"{totals.journey}.svg"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = svg(
            machines[totals.journey],
            totals.standing,
            entered=totals.entered,
            ended=totals.ended,
            converted=totals.converted,
        )
        file.write_text(picture, encoding="utf-8")


def _show(result: Sequence[JourneyTotals], span: Span, output: Output) -> None:
    from dataclasses import asdict

    match output:
        case Output.JSON:
            show_json({"from": span.start, "until": span.until, "journeys": [asdict(totals) for totals in result]})
        case Output.CSV:
            rows = [{"journey": totals.journey, **_row(step)} for totals in result for step in totals.steps]
            show_rows(rows, ("journey", *_COLUMNS), output)
        case Output.TABLE:
            for totals in result:
                rows = [_row(step) for step in totals.steps]
                put("", as_table(rows, _COLUMNS, _headline(totals)), f"  ended: {_listed(totals.ended)}")


_COLUMNS = ("step", "what", "went_on", "standing", "sent", "not_sent")


def _row(step: Any) -> dict[str, Any]:
    return {
        "step": step.step,
        "what": step.label,
        "went_on": step.went_on,
        "standing": step.standing,
        "sent": _listed(step.sent) if step.sent else "",
        "not_sent": _listed(step.unsent) if step.unsent else "",
    }


def _listed(counts: Any) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "nobody"


def _headline(totals: JourneyTotals) -> str:
    parts = [f"{totals.entered:,} entered"]
    if totals.held_out:
        parts.append(f"{totals.held_out:,} held out")
    parts += [f"{totals.sent:,} sent", f"{totals.unsent:,} not sent", f"{totals.converted:,} reached the goal"]
    if totals.value:
        parts[-1] += f" ({totals.value:,.2f})"
    return f"{totals.journey}: {', '.join(parts)}"
