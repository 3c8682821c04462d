"""`alur validate`: everything that is wrong in the files, at once."""

from __future__ import annotations

import gc
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.cli.output import Output, OutputOption, plural, say, show_records
from engine.cli.workspace import HERE, WorkspaceOption

if TYPE_CHECKING:
    from engine.errors import Problem


def validate(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Check every file and list all problems at once, each as `file:line:column: message`.

    Looks at config.yaml with the options of its channels, at journeys, segments and templates, each in itself and
    against the others. Touches neither database nor network. Exits 1 when there is any problem.

    Example: `alur validate --output json`
    """
    root = workspace.resolve()
    problems = find_problems(root)
    if output is Output.TABLE:
        for problem in problems:
            typer.echo(str(problem))
    else:
        show_records([asdict(problem) for problem in problems], ("file", "line", "column", "message"), output)
    _warn_of_adapters()
    looked_at = ", ".join(
        (
            plural(_count(root, "journeys", "*.yaml"), "journey"),
            plural(_count(root, "segments", "*.yaml"), "segment"),
            plural(
                sum(_count(root, f"templates/{kind}", "*.*") for kind in ("email", "sms", "whatsapp")), "template file"
            ),
        )
    )
    if problems:
        say(f"{plural(len(problems), 'problem')} in {plural(len({p.file for p in problems}), 'file')} ({looked_at})")
        raise typer.Exit(1)
    say(f"no problems ({looked_at})")


def find_problems(root: Path) -> list[Problem]:
    """All problems of a workspace, ordered by file, line and column."""
    # Nearly all that is imported and read here stays until the process ends: looking for garbage in it costs a tenth of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _find_problems(root)
    finally:
        if collects:
            gc.enable()


def _find_problems(root: Path) -> list[Problem]:
    from engine import catalog
    from engine.adapters import check_channels
    from engine.errors import WorkspaceError

    try:
        found = catalog.load(root)
    except WorkspaceError as error:
        return sorted({*error.problems, *catalog.problems_beside_config(root)})
    return sorted({*found.problems, *check_channels(found.config, root)})


def _count(root: Path, folder: str, pattern: str) -> int:
    return sum(1 for _ in (root / folder).glob(pattern))


def _warn_of_adapters() -> None:
    """Installed adapters that can't be loaded; no problem of the workspace until it names one."""
    from channels.registry import installed

    for broken in installed().broken:
        say(f"warning: {broken}")
