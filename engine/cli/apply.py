"""`alur apply`: what the files say becomes what runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.output import Output, OutputOption, plural, say
from engine.cli.plan import EndOption, Looked, looked, nothing_to_apply, show_plan, tell_broken, tell_refusals
from engine.cli.workspace import HERE, WorkspaceOption, on_terminal, who

if TYPE_CHECKING:
    from engine.run.apply import Applied
    from engine.run.plan_file import PlanFile

_PLAN = Annotated[
    Path | None, typer.Argument(metavar="PLANFILE", show_default=False, help="What `alur plan -o PLANFILE` has kept.")
]
_YES = Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")]
_NOTE = Annotated[str | None, typer.Option("--note", help="Why, for the history.", show_default=False)]


def apply(
    planfile: _PLAN = None,
    yes: _YES = False,
    note: _NOTE = None,
    end: EndOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make what the files say what runs: show the plan, ask, and apply it all in one go.

    With a PLANFILE exactly that plan is applied, without asking; it is refused when files or what is applied have changed
    since. A file with problems is reported and left out: what is applied under its name stays as it is, the rest is
    applied, and the command exits 1. Off a terminal it needs `--yes`, else it exits 2 and applies nothing.

    Example: `alur apply --yes --note "Lebaran offers"`
    """
    from engine.run.apply import apply_plan
    from engine.run.changes import GroundMovedError, moved
    from engine.run.plan_file import read_plan

    kept = read_plan(planfile) if planfile is not None else None
    with looked(workspace, end=_end(kept, end)) as here:
        if kept is not None and (differences := moved(kept.ground, here.plan.ground)):
            raise GroundMovedError(differences)
        show_plan(here.plan, output, here.at.zone)
        if tell_refusals(here.plan):
            raise typer.Exit(1)
        if not here.plan.empty:
            _ask(here, yes=yes or kept is not None)
        done = apply_plan(
            here.at.engine, here.files.definitions, here.at.zone, here.at.clock(), who(), note,
            expected=here.plan.ground, end=here.plan.end, declared=here.files.config.declared,
            templates=here.files.templates.hashes(),
        )  # fmt: skip
        say(f"applied: {_summary(done)}" if done.number is not None else nothing_to_apply(here))
    if here.problems:
        tell_broken(here)
        raise typer.Exit(1)


def _end(kept: PlanFile | None, end: bool) -> bool:
    """A plan file says by itself whether people leave removed journeys."""
    if kept is not None and end and not kept.end:
        raise typer.BadParameter(
            "this plan lets people of removed journeys finish: make one with `alur plan --end`", param_hint="--end"
        )
    return end or (kept is not None and kept.end)


def _ask(here: Looked, *, yes: bool) -> None:
    """Return when it may go on; else exit."""
    if yes:
        return
    if not on_terminal():
        say("alur: nothing was applied: there is nobody to ask. Use --yes to apply without asking.")
        raise typer.Exit(2)
    count = len(here.plan.changes) + len(here.plan.ending)
    if not typer.confirm(f"Apply {'this change' if count == 1 else f'these {count} changes'}?", err=True):
        say("nothing was applied")
        raise typer.Exit(1)


def _summary(done: Applied) -> str:
    counts = Counter((change.how, change.what) for change in done.changes)
    parts = [f"{count} {how} {what}{'' if count == 1 else 's'}" for (how, what), count in sorted(counts.items())]
    if people := sum(done.moved.values()):
        parts.append(f"{plural(people, 'person', 'people')} moved")
    if people := sum(done.ended.values()):
        parts.append(f"{plural(people, 'person', 'people')} left removed journeys")
    return ", ".join(parts) or "nothing"
