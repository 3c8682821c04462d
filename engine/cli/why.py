"""`alur why`: one person's story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from engine.cli.output import Output, OutputOption, compact, moment, show_json, visible
from engine.cli.story import Entry, Line, tell, waits
from engine.cli.table import put, show_rows
from engine.cli.workspace import HERE, WorkspaceOption, opened

if TYPE_CHECKING:  # commands that look at nothing should not wait for it
    from engine.run.replay import ReplayedDecision

_Contact = Annotated[
    str, typer.Argument(metavar="CONTACT", help="A user id, else an e-mail address, else a phone number.")
]
_Journey = Annotated[
    str | None, typer.Option("--journey", "-j", metavar="NAME", show_default=False, help="Only what this journey did.")
]
_Replay = Annotated[
    bool, typer.Option("--replay", help="Make each decision again from its stored inputs, and say if one differs.")
]
_COLUMNS = ("at", "what", "journey", "text", "path", "result", "wanted", "found")
_MOST_WAITING = 5  # `--output json` has all of them
_STYLES = {
    "event": "cyan",
    "consent": "magenta",
    "suppression": "magenta",
    "decision": "blue",
    "send": "bold",
    "call": "bold",
}


def why(
    word: _Contact,
    journey: _Journey = None,
    replay: _Replay = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell one person's story in the order of time, and why each message was sent or not.

    Shows what came in, each decision with its place in the journey's file, what was wanted there and what was found,
    what became of each message, and what still waits to be taken up; times are the person's own.

    With `--replay` each stored decision is made again, from the inputs and the clock that were stored with it: the same must
    come out. Exits 1 if one differs.

    Example: `alur why ani@example.com --journey welcome`
    """
    from engine.cli.names import applied_journey, contact
    from engine.run.replay import replay as read_again
    from engine.run.why import still_waiting
    from engine.run.why import why as read_why

    with opened(workspace) as at, at.engine.connect() as conn:
        person = contact(conn, at, word)
        if journey is not None:
            applied_journey(conn, journey)
        zone = person.timezone or at.zone
        again = read_again(conn, at.machines(), person.id, journey) if replay else None
        found = read_why(conn, person.id, journey) if again is None else {}
        waiting = still_waiting(conn, person.id, at.clock(), journey)
    if again is not None:
        _show_again(again, zone, output)
        return
    known_as = [name for name in (person.user_id, person.email, person.phone) if name]
    if output is Output.JSON:
        show_json({"contact": {"id": person.id, "known_as": known_as, "timezone": zone}, **found, "waiting": waiting})
        return
    entries = tell(found, zone)
    if output is Output.CSV:
        show_rows([row for entry in entries for row in _rows(entry)], _COLUMNS, output)
    else:
        _show(entries, ", ".join(known_as) or f"contact {person.id}", zone)
        for line in (
            *(_standing(passage, zone) for passage in found["journeys"]),
            *(_held(hold, zone) for hold in found["holds"]),
            *_waiting(waiting, zone),
        ):
            put(line)


def _show_again(decisions: Sequence[ReplayedDecision], zone: str, output: Output) -> None:
    """Each decision with its result; exits 1 unless all came out the same."""
    if output is Output.TABLE and not decisions:
        put("Nothing has been decided yet.")
        return
    rows = [{**asdict(decision), "at": decision.at} for decision in decisions]
    if output is not Output.JSON:
        rows = [{**row, "detail": compact(row["detail"]) if row["detail"] else ""} for row in rows]
    show_rows(rows, ("at", "journey", "signal", "result", "detail"), output, zone=zone)
    odd = sum(decision.result != "same" for decision in decisions)
    if output is Output.TABLE:
        put(f"{odd} of {len(decisions)} decisions come out otherwise." if odd else "Every decision comes out the same.")
    if odd:
        raise typer.Exit(1)


def _rows(entry: Entry) -> Iterator[dict[str, Any]]:
    row = {"at": entry.at, "what": entry.kind, "journey": entry.journey, "text": entry.text}
    yield from ({**row, **vars(line)} for line in entry.lines or (Line("", "", "", ""),))


def _show(entries: Sequence[Entry], name: str, zone: str) -> None:
    put(Text(visible(f"{name} (times in {zone})"), style="bold"), "")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in entries:
        table.add_row(moment(entry.at, zone), Text(entry.kind, style=_STYLES[entry.kind]), Text(entry.text))
        for line in entry.lines:
            table.add_row("", "", _line(line))
    put(table if entries else "Nothing has come in or been decided yet.", "")


def _line(line: Line) -> Text:
    """`  steps.1  over (wanted wait 1h, found 2026-03-01 21:30:00)`."""
    asides = [f"{word} {value}" for word, value in (("wanted", line.wanted), ("found", line.found)) if value]
    text = Text("  ")
    text.append(line.path, style="dim")
    text.append(f"  {line.result}")
    if asides:
        text.append(f"  ({'; '.join(asides)})", style="dim")
    return text


def _standing(passage: Mapping[str, Any], zone: str) -> Text:
    key = f" [{passage['key']}]" if passage["key"] else ""
    if passage["state"] == "ended":
        stands = f"ended as {passage['reason']} on {moment(passage['ended_at'], zone)}"
    else:
        due = f" until {moment(passage['due_at'], zone)}" if passage["due_at"] is not None else ""
        stands = f"under way at {passage['step']}{due}"
    reached = f"; goal reached on {moment(passage['goal_at'], zone)}" if passage["goal_at"] is not None else ""
    return Text(visible(f"{passage['journey']}{key}: {stands}{reached}"))


def _waiting(signals: Sequence[Mapping[str, Any]], zone: str) -> Iterator[Text]:
    if signals:
        yield Text("Waits to be taken up by `alur run` or `alur work`:")
    yield from (Text(f"  {waits(signal, zone)}") for signal in signals[:_MOST_WAITING])
    if len(signals) > _MOST_WAITING:
        yield Text(f"  and {len(signals) - _MOST_WAITING:,} more")


def _held(hold: Mapping[str, Any], zone: str) -> Text:
    since = f"held since {moment(hold['at'], zone)} by {hold['by']}: {hold['reason']}"
    return Text(visible(f"{hold['scope']} {hold['name']} is {since}"))
