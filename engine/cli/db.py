"""`alur db`: the database's schema."""

from __future__ import annotations

import typer

from engine.cli.output import say
from engine.cli.workspace import HERE, WorkspaceOption

commands = typer.Typer(no_args_is_help=True, help="Look after the database.")


@commands.callback()
def _group() -> None:
    """Look after the database."""


@commands.command("upgrade")
def upgrade(workspace: WorkspaceOption = HERE) -> None:
    """Bring the database to this version's tables; all of it or nothing, and safe to run twice.

    The embedded PostgreSQL is upgraded by itself. With `database.url`, make a backup before.

    Example: `alur db upgrade`
    """
    from engine.catalog import load_config
    from engine.store.database import open_database, schema_version
    from engine.store.database import upgrade as upgrade_schema

    root = workspace.resolve()
    engine = open_database(load_config(root).database_url, root / ".alur")
    try:
        with engine.connect() as conn:
            before = schema_version(conn)
        upgrade_schema(engine)
        with engine.connect() as conn:
            after = schema_version(conn)
    finally:
        engine.dispose()
    if before == after:
        say(f"the database is at {after}: nothing to do")
    else:
        say(f"the database is at {after} now" + (f", was at {before}" if before is not None else ""))
