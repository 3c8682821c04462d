"""`alur plan`: what applying would do, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.output import Output, OutputOption, say, show_json
from engine.cli.table import put, show_rows
from engine.cli.workspace import HERE, Opened, WorkspaceOption, opened, who

if TYPE_CHECKING:
    from engine.catalog import Catalog
    from engine.errors import Problem
    from engine.run.plan import Plan

_File = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="FILE", show_default=False, help="Keep the plan, for `alur apply FILE`."),
]
_Draw = Annotated[
    Path | None,
    typer.Option("--draw", metavar="DIR", show_default=False, help="Write a picture of each new or changed journey."),
]
_Mermaid = Annotated[bool, typer.Option("--mermaid", help="Show each new or changed journey as Mermaid.")]
EndOption = Annotated[
    bool, typer.Option("--end", help="People under way in removed journeys leave them, with the reason 'removed'.")
]


@dataclass(frozen=True)
class Looked:
    """A workspace that was read and compared with what is applied."""

    at: Opened
    files: Catalog
    plan: Plan
    problems: list[Problem]


@contextmanager
def looked(workspace: Path, *, end: bool) -> Iterator[Looked]:
    """The workspace, open, with a fresh plan; problems of its files are told."""
    from engine import catalog
    from engine.adapters import check_channels
    from engine.run.plan import make_plan

    files = catalog.load(workspace.resolve())
    problems = sorted({*files.problems, *check_channels(files.config, files.root)})
    for problem in problems:
        say(str(problem))
    with opened(files.root) as at:
        made = make_plan(at.engine, files.definitions, files.config, at.clock(), files.templates, end=end)
        yield Looked(at, files, made, problems)


def plan(
    out: _File = None,
    draw: _Draw = None,
    mermaid: _Mermaid = False,
    end: EndOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what applying the files would do, to the journeys and to people under way; change nothing.

    Tells every change step by step, how many people stand on each step that it touches and where they will go, whom it
    would let in, and what speaks against it. Exits 1 when a file has problems, or when the plan can't be applied.

    Example: `alur plan -o friday.plan`, and after the review `alur apply friday.plan`
    """
    from engine.cli.plan_text import plan_data
    from engine.run.plan_file import PlanFile

    with looked(workspace, end=end) as here:
        if output is Output.JSON:
            show_json(plan_data(here.plan))
        else:
            show_plan(here.plan, output, here.at.zone)
        _draw(here.plan, draw, mermaid=mermaid)
        if here.plan.empty:
            say(nothing_to_apply(here))
        told_refusals = tell_refusals(here.plan)
        if out is not None and not told_refusals:
            text = _text(here.plan, here.at.zone)
            PlanFile(here.plan.made_at, who(), end, here.plan.ground, text, plan_data(here.plan)).write(out)
            say(f"kept in {out}: `alur apply {out}` applies exactly this")
    if here.problems:
        tell_broken(here)
    if here.problems or told_refusals:
        raise typer.Exit(1)


def nothing_to_apply(here: Looked) -> str:
    """Why an empty plan is empty; files with problems are left out of it, so of them it says nothing."""
    if here.problems:
        return "nothing to apply from the files that read well"
    return "nothing to apply: what runs is what the files say"


def show_plan(plan: Plan, output: Output, zone: str) -> None:
    """The list of changes, and for people what there is to know about each."""
    from engine.cli.plan_text import COLUMNS, plan_details, plan_rows

    rows = plan_rows(plan)
    if rows or output is not Output.TABLE:
        show_rows(rows, COLUMNS, output)
    if output is Output.TABLE and (details := plan_details(plan, zone)):
        put("\n".join(["", *details]))


def tell_refusals(plan: Plan) -> bool:
    """Say why the plan can't be applied; False when it can."""
    for refusal in plan.refusals:
        say(f"refused: {refusal}")
    if plan.refusals:
        say("alur: this plan can't be applied; nothing was changed")
    return bool(plan.refusals)


def tell_broken(here: Looked) -> None:
    """Say what the problems of the files mean for what runs."""
    broken = sorted(here.files.definitions.broken)
    kept = f" {', '.join(broken)}: left as it was." if broken else ""
    say(f"the files have problems (see above).{kept}")


def _draw(plan: Plan, folder: Path | None, *, mermaid: bool) -> None:
    from engine.draw import mermaid as as_mermaid
    from engine.draw import svg

    for journey in plan.journeys:
        if journey.machine is None:
            continue
        marks = {step.step: step.how for step in journey.diff.steps if step.how != "removed"} if journey.diff else {}
        if mermaid:
            typer.echo(f"```mermaid\n{as_mermaid(journey.machine, marks=marks)}```")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{journey.name}.svg"
            path.write_text(svg(journey.machine, marks=marks), encoding="utf-8")
            say(f"drew {journey.name} into {path}")


def _text(plan: Plan, zone: str) -> str:
    from engine.cli.plan_text import plan_details, plan_rows

    rows = [f"{row['how']} {row['what']} {row['name']}: {row['effect']}" for row in plan_rows(plan)]
    return "\n".join([*rows, "", *plan_details(plan, zone)])
