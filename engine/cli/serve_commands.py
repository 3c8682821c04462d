"""`alur run` and `alur work`: the commands that stay."""

from __future__ import annotations

from engine.cli.workspace import HERE, WorkspaceOption


def run(workspace: WorkspaceOption = HERE) -> None:
    """Run what is applied: take events in over HTTP, decide, send. Ctrl-C ends it.

    One command runs all of it on one machine, and shows its send runs in Prefect. It ends cleanly: what is on the wire is
    finished and recorded first. It prints where events are posted; `alur status` tells from another terminal how it goes.

    Example: `alur run`
    """
    from engine.cli.serve import serve_all
    from engine.run.garbage import collect_rarely

    collect_rarely()
    serve_all(workspace.resolve())


def work(workspace: WorkspaceOption = HERE) -> None:
    """Help a running Alur from another process or machine: decide and send. Ctrl-C ends it.

    All of them work on the same database (`database.url`). Any number may run; they share the work without knowing of
    each other.

    Example: `alur work --workspace /srv/shop`
    """
    from engine.cli.serve import serve_work
    from engine.run.garbage import collect_rarely

    collect_rarely()
    serve_work(workspace.resolve())
