"""A journey as its file says it, whatever is wrong elsewhere in the workspace."""

from __future__ import annotations

from pathlib import Path

from engine.catalog import load_config
from engine.cli.unknown import unknown
from engine.document import read_document
from engine.errors import WorkspaceError
from engine.grammar import Reader
from engine.journey.journey import Journey, read_journey


def journey_in_files(root: Path, name: str) -> Journey:
    """The journey of `journeys/NAME.yaml`. Raises `UnknownNameError`, or `WorkspaceError` with the file's problems."""
    config = load_config(root)
    known = {path.stem: path for path in (root / "journeys").glob("*.yaml")}
    if name not in known:
        raise unknown("journey", name, known, "journeys/ holds none")
    file = f"journeys/{name}.yaml"
    node, problems = read_document(known[name].read_bytes(), file)
    reader = Reader(file, config.declared)
    journey = read_journey(node, reader, name, tested=False) if node is not None and not problems else None
    if journey is None:
        raise WorkspaceError([*problems, *reader.problems])
    return journey
