"""For developers: `python -m engine.store.migrations.draft NUMBER TEXT` writes the migration that engine/tables.py wants."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from engine.store.database import connect, create_database, migrations, upgrade
from engine.store.embedded import start_embedded

VERSIONS = Path(__file__).parent / "versions"


def draft(number: str, message: str) -> None:
    """Bring an empty database to the newest migration, compare it with the tables, and write the difference down.

    A draft of the same number is written anew; that is right until it has been released.
    Read what comes out before you commit it: Alembic sees no renamed columns and writes no data changes.
    """
    for path in VERSIONS.glob(f"{number}_*.py"):
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        server = start_embedded(Path(folder) / "postgres")
        create_database(server.url, "draft")
        engine = connect(server.url.replace("/postgres?", "/draft?"))
        config = migrations()
        if any(VERSIONS.glob("[0-9]*.py")):
            upgrade(engine)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message=message, rev_id=number, autogenerate=True)
        engine.dispose()
        server.stop()
    for path in VERSIONS.glob(f"{number}_*.py"):
        kept = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith("    # ###")]
        path.write_text("".join(kept))
    subprocess.run([sys.executable, "-m", "ruff", "check", "--quiet", "--fix", str(VERSIONS)], check=False)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(VERSIONS)], check=True)


if __name__ == "__main__":
    draft(sys.argv[1], " ".join(sys.argv[2:]))
