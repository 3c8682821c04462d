"""`alur apply`: what the files say becomes what runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.output import Output, OutputOption, say, show_rows
from engine.cli.workspace import HERE, RUN, WorkspaceOption, on_terminal, opened, who

if TYPE_CHECKING:
    from engine.run.apply import Change

_YES = Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")]
_NOTE = Annotated[str | None, typer.Option("--note", help="Why, for the history.", show_default=False)]

_HOW = {
    ("journey", "new"): "people enter from now on; nothing that is past starts it",
    ("journey", "changed"): "newcomers enter the new version, people under way finish theirs",
    ("journey", "removed"): "nobody enters any more, people under way finish",
    ("segment", "new"): "filled silently",
    ("segment", "changed"): "filled anew, silently",
    ("segment", "removed"): "its members are forgotten",
}


def apply(
    yes: _YES = False, note: _NOTE = None, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Make what the files say what runs: list what is new, changed or removed, ask, and apply it all in one go.

    A file with problems is reported and left out: what is applied under its name stays as it is, the rest is applied,
    and the command exits 1. Off a terminal it needs `--yes`, else it exits 2 and applies nothing.

    Example: `alur apply --yes --note "Lebaran offers"`
    """
    from engine import catalog
    from engine.app import check_channels
    from engine.run.apply import apply as apply_files
    from engine.run.apply import changes

    files = catalog.load(workspace.resolve())
    problems = sorted({*files.problems, *check_channels(files.config, files.root)})
    for problem in problems:
        say(str(problem))
    with opened(files.root) as at:
        with at.engine.connect() as conn:
            planned = [change for change in changes(conn, files.definitions) if change.how != "unchanged"]
        _show(planned, output)
        if planned:
            _ask(len(planned), yes)
            done = apply_files(at.engine, files.definitions, at.zone, at.clock(), who(), note)
            say(f"applied: {_summary(done)}")
        else:
            say("nothing to apply: what runs is what the files say")
    if problems:
        kept = f" {', '.join(sorted(files.definitions.broken))}: left as it was." if files.definitions.broken else ""
        say(f"the files have problems (see above).{kept}")
        raise typer.Exit(1)


def _show(planned: Sequence[Change], output: Output) -> None:
    rows = [{**asdict(change), "effect": _HOW[change.what, change.how]} for change in planned]
    if rows or output is not Output.TABLE:
        show_rows(rows, ("how", "what", "name", "effect"), output)


def _ask(count: int, yes: bool) -> None:
    """Return when it may go on; else exit."""
    if yes:
        return
    if not on_terminal():
        say("alur: nothing was applied: there is nobody to ask. Use --yes to apply without asking.")
        raise typer.Exit(2)
    if not typer.confirm(f"Apply {'this change' if count == 1 else f'these {count} changes'}?", err=True):
        say("nothing was applied")
        raise typer.Exit(1)


def _summary(done: Sequence[Change]) -> str:
    counts = Counter((change.how, change.what) for change in done)
    return (
        ", ".join(f"{count} {how} {what}{'' if count == 1 else 's'}" for (how, what), count in sorted(counts.items()))
        or "nothing"
    )


def add_to(program: typer.Typer) -> None:
    """Hang the command into the program."""
    program.command("apply", rich_help_panel=RUN)(apply)
