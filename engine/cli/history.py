"""`alur history`: who applied what, when and why; and earlier texts back into the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.cli.output import Output, OutputOption, moment, say, show_json, show_records, visible
from engine.cli.parameters import whole_number
from engine.cli.table import put
from engine.cli.workspace import HERE, WorkspaceOption, opened
from engine.errors import AlurError

_Journey = Annotated[
    str | None, typer.Argument(metavar="JOURNEY", show_default=False, help="Only what touched this journey.")
]
_Restore = Annotated[
    int | None,
    typer.Option(
        "--restore", metavar="N", parser=whole_number(1), show_default=False,
        help="Write the files as apply number N left them.",
    ),
]  # fmt: skip
_Force = Annotated[bool, typer.Option("--force", help="With --restore: also over edits that were never applied.")]


class UnsavedEditsError(AlurError):
    """Restoring would overwrite text that is kept nowhere else."""


def history(
    journey: _Journey = None,
    restore: _Restore = None,
    force: _Force = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show who applied what, when, and with what note, the latest first.

    `--restore N` writes the journeys and segments as apply number N left them back into the workspace (with JOURNEY: that
    journey only). Nothing runs differently until you look at `alur plan` and apply. An edit that was never applied is not
    overwritten without `--force`, and no file is deleted.

    Example: `alur history welcome --restore 12`
    """
    from engine.cli.names import applied_journey
    from engine.run.history import history as entries

    with opened(workspace) as at, at.engine.connect() as conn:
        if journey is not None:
            applied_journey(conn, journey)
        if restore is not None:
            _restore(conn, at.root, restore, journey, force=force)
            return
        found = entries(conn, journey)
        if output is Output.JSON:
            show_json([vars(entry) for entry in found])
            return
        rows = [_row(vars(entry), journey) for entry in found]
        if output is Output.CSV:
            columns = ("number", "at", "by", "changes", "version", "people", "note")
            show_records(rows, columns if journey is not None else [c for c in columns if c != "version"], output)
        elif rows:
            _show(rows, journey, at.zone)
        else:
            say("nothing was applied yet: `alur apply` does")


def _row(entry: dict[str, Any], journey: str | None) -> dict[str, Any]:
    changes = entry["changes"]
    names = {how: [c["name"] for c in changes if c["how"] == how] for how in dict.fromkeys(c["how"] for c in changes)}
    named = [how if journey is not None else f"{how} {', '.join(found)}" for how, found in names.items()]
    people = [
        f"{change[what]:,} {what}" if journey is not None else f"{change[what]:,} {what} in {change['name']}"
        for change in changes
        for what in ("moved", "ended")
        if what in change
    ]
    version = (changes[0].get("after") or "")[:8] if journey is not None else ""
    return {
        "number": entry["id"], "at": entry["at"], "by": entry["by"], "note": entry["note"],
        "changes": "; ".join(named), "version": version, "people": ", ".join(people),
    }  # fmt: skip


def _show(rows: Sequence[dict[str, Any]], journey: str | None, zone: str) -> None:
    """An apply a paragraph: what it changed, indented, under its number, time, author and note."""
    put(
        Text(f"What was applied{f' to {journey}' if journey else ''}, the latest first (times in {zone})", style="bold")
    )
    width = len(str(rows[0]["number"]))
    for row in rows:
        head = Table.grid(padding=(0, 2))
        head.add_column(no_wrap=True)
        said = f"{row['number']:>{width}}  {moment(row['at'], zone)}  {row['by']}"
        head.add_row(Text(visible(said)), Text(visible(row["note"] or "")))
        put(head)
        version = f"version {row['version']}" if row["version"] else ""
        what = "; ".join(each for each in (row["changes"], version, row["people"]) if each)
        put(Padding(Text(visible(what), style="dim"), (0, 0, 0, width + 2)))


def _restore(conn: Any, root: Path, number: int, journey: str | None, *, force: bool) -> None:
    from engine.run.history import known_texts, texts_at

    files = texts_at(conn, number, journey)
    known = known_texts(conn, [file.path for file in files])
    here = {file.path: _read(root / file.path) for file in files}
    wanted = [file for file in files if file.text is not None and file.text != here[file.path]]
    edited = [file.path for file in wanted if here[file.path] not in (None, *known[file.path])]
    if edited and not force:
        said = f"{', '.join(edited)}: edits that were never applied would be lost"
        raise UnsavedEditsError(f"{said}. Nothing was written: keep them elsewhere, or use --force")
    for file in wanted:
        assert file.text is not None
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
        say(f"wrote {file.path} as apply {number} left it")
    for file in files:
        if file.text is None and here[file.path] is not None:
            say(f"{file.path} was not there then: remove it yourself, if that is meant")
    say("to run it, look at `alur plan` and apply" if wanted else f"the files are as apply {number} left them")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
