"""`alur contacts`: people in, and what is on record about one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.output import Output, OutputOption, plural, say, show_json
from engine.cli.table import as_table, put, show_rows
from engine.cli.workspace import HERE, WorkspaceOption, opened

if TYPE_CHECKING:
    from engine.run.import_contacts import ImportReport

commands = typer.Typer(no_args_is_help=True, help="Bring people in, and look at what is on record about one.")

_File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE.csv", exists=True, dir_okay=False, readable=True, help="Comma-separated, UTF-8, with a header."
    ),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which rows can't be taken; write nothing.")]
_Contact = Annotated[
    str, typer.Argument(metavar="CONTACT", help="A user id, else an e-mail address, else a phone number.")
]


@commands.callback()
def _group() -> None:
    """Bring people in, and look at what is on record about one."""


@commands.command("import")
def import_(
    file: _File, dry_run: _DryRun = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Import contacts from a CSV file; starts no journey, and running it twice changes nothing.

    Columns: `user_id`, `anonymous_id`, `email`, `phone` (at least one of them), `timezone`, `locale`, `tags`, `consent`
    (topics, or `consent.TOPIC` with channels), `consent_wording`, `consent_at`, `suppressed`; every other column is a
    trait. Lists are separated by `;`. A row that can't be taken is named with its line and left out, the others are
    written; then the command exits 1.

    Example: `alur contacts import customers.csv --dry-run`
    """
    from engine.app import system_clock
    from engine.catalog import load_config
    from engine.cli.csv_file import count_lines, read_lines
    from engine.run.import_contacts import check_contacts, import_contacts

    total = count_lines(file)
    if dry_run:
        config = load_config(workspace.resolve())
        with _progress(total) as progress:
            report = check_contacts(config, read_lines(file), system_clock(), progress)
    else:
        with opened(workspace) as at, _progress(total) as progress:
            report = import_contacts(at.engine, at.config, read_lines(file), at.clock(), progress)
    _tell(file, report, dry_run, output)
    if report.refused:
        raise typer.Exit(1)


def _tell(file: Path, report: ImportReport, dry_run: bool, output: Output) -> None:
    match output:
        case Output.JSON:
            show_json({**asdict(report), "dry_run": dry_run})
        case Output.CSV:
            show_rows([asdict(error) for error in report.errors], ("line", "message"), output)
        case Output.TABLE:
            for error in report.errors:
                say(f"{file}:{error.line}: {error.message}")
            if report.refused > len(report.errors):
                say(f"and {report.refused - len(report.errors):,} more rows that can't be taken")
            typer.echo(_summary(report, dry_run))


def _summary(report: ImportReport, dry_run: bool) -> str:
    taken = report.rows - report.refused
    if dry_run:
        return f"{plural(report.rows, 'row')}: {taken:,} can be imported, {report.refused:,} can't; nothing was written"
    parts = [f"{report.created:,} new", f"{report.changed:,} changed", f"{report.refused:,} left out"]
    if report.withdrawn:
        parts.append(f"{plural(report.withdrawn, 'consent')} not taken over, because the person had taken it back")
    return f"{plural(report.rows, 'row')}: {', '.join(parts)}"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal, a line per 10,000 rows elsewhere; both on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield lambda rows: say(f"{rows:,} rows") if rows % 10_000 == 0 and rows else None
        return
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("importing", total=total)
        yield lambda rows: bar.update(task, completed=rows)


@commands.command("show")
def show(word: _Contact, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Show what is on record about one person: identities, traits, consents, suppressions, segments, journeys.

    `alur why CONTACT` tells what was decided about them, and why.

    Example: `alur contacts show ani@example.com`
    """
    from engine.cli.names import contact
    from engine.run.known import known

    with opened(workspace) as at, at.engine.connect() as conn:
        person = known(conn, contact(conn, at, word))
        zone = person["timezone"] or at.zone
    if output is Output.TABLE:
        _show_person(person, zone)
    elif output is Output.JSON:
        show_json(person)
    else:
        show_rows(_facts(person), ("what", "value"), output)


def _facts(person: dict[str, Any]) -> list[dict[str, Any]]:
    """Identities, columns and traits, one a row."""
    rows = [{"what": item["kind"], "value": item["value"]} for item in person["identities"]]
    seen = {(row["what"], row["value"]) for row in rows}
    for name in ("user_id", "email", "phone", "locale", "timezone"):
        value = person[name]
        folded = value.lower() if name == "email" and value else value
        if value is not None and (name, folded) not in seen:
            rows.append({"what": name, "value": value})
    return rows + [{"what": name, "value": value} for name, value in sorted(person["traits"].items())]


def _show_person(person: dict[str, Any], zone: str) -> None:
    put(as_table(_facts(person), ("what", "value"), title=f"Contact {person['id']}", zone=zone))
    sections = (
        ("Consent", "consents", ("topic", "channel", "given", "at", "source", "wording")),
        ("Suppressed", "suppressions", ("channel", "address", "scope", "reason", "source", "at")),
        ("Segments", "segments", ("segment", "since")),
        ("Journeys", "journeys", ("journey", "key", "state", "step", "reason", "entered_at", "due_at", "ended_at")),
    )
    for title, key, columns in sections:
        put("", as_table(person[key], columns, title=title, zone=zone) if person[key] else f"{title}: none")
    unreal = person["traits"].get("timezone")
    put("", f"Times in {zone}: there is no time zone '{unreal}'." if unreal else f"Times in {zone}.")
