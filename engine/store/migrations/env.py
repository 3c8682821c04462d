"""What Alembic runs: our migrations, on the connection and in the transaction of the caller."""

from __future__ import annotations

from alembic import context
from alembic.operations.ops import ExecuteSQLOp, MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from engine.store.database import VERSION_TABLE
from engine.tables import metadata

connection: Connection = context.config.attributes["connection"]


def add_sequences(_: MigrationContext, __: object, directives: list[MigrationScript]) -> None:
    """Alembic compares tables only; bring new sequences too."""
    operations = directives[0].upgrade_ops
    assert operations is not None
    there = set(inspect(connection).get_sequence_names())
    for name in sorted(sequence.name for sequence in metadata._sequences.values()):  # noqa: SLF001  no public list of them
        if name not in there:
            operations.ops.insert(0, ExecuteSQLOp(f"CREATE SEQUENCE {name}"))


context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    compare_server_default=True,
    process_revision_directives=add_sequences,
)
context.run_migrations()
