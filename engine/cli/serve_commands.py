"""`alur run` and `alur work`: the commands that stay."""

from __future__ import annotations

import typer

from engine.cli.workspace import HERE, RUN, WorkspaceOption


def run(workspace: WorkspaceOption = HERE) -> None:
    """Run what is applied: take events in over HTTP, decide, send, and show send runs in Prefect. Ends with Ctrl-C.

    One command runs all of it on one machine. It ends cleanly: what is on the wire is finished and recorded first.

    Example: `alur run`
    """
    from engine.cli.serve import serve_all
    from engine.run.garbage import collect_rarely

    collect_rarely()
    serve_all(workspace.resolve())


def work(workspace: WorkspaceOption = HERE) -> None:
    """Help a running Alur: decide and send from another process or machine, on the same database. Ends with Ctrl-C.

    Any number of them may run; they share the work without knowing of each other.

    Example: `alur work --workspace /srv/shop`
    """
    from engine.cli.serve import serve_work
    from engine.run.garbage import collect_rarely

    collect_rarely()
    serve_work(workspace.resolve())


def add_to(program: typer.Typer) -> None:
    """Hang the commands into the program."""
    program.command("run", rich_help_panel=RUN)(run)
    program.command("work", rich_help_panel=RUN)(work)
