"""History: who applied what and when, and the texts as they were then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from engine.errors import UnknownNameError
from engine.store import journeys, segments
from engine.store.journeys import Application


@dataclass(frozen=True)
class OldFile:
    """A file of the workspace as it was applied; `text` is None when it was not there then."""

    path: str
    text: str | None


def history(conn: Connection, journey: str | None = None) -> list[Application]:
    """Every apply, newest first; of one journey only those that touched it."""
    return journeys.applications(conn, journey)


def texts_at(conn: Connection, number: int, journey: str | None = None) -> list[OldFile]:
    """The journeys and segments as they were after apply `number`, or one journey. Raises `UnknownNameError`.

    A text is what was last applied under the same meaning: comments may be younger than the version.
    """
    entries = [entry for entry in journeys.applications(conn) if entry.id <= number]
    if not entries or entries[0].id != number:
        raise UnknownNameError(f"no apply has the number {number}: `alur history` shows them")
    last: dict[tuple[str, str], dict[str, str | None]] = {}
    for entry in reversed(entries):
        for change in entry.changes:
            if "after" in change:
                last[change["what"], change["name"]] = change
    files = [_file(conn, what, name, change) for (what, name), change in sorted(last.items())]
    if journey is None:
        return files
    mine = [file for file in files if file.path == f"journeys/{journey}.yaml"]
    if not mine or mine[0].text is None:
        raise UnknownNameError(f"journey '{journey}' was not applied then: `alur history {journey}` shows when it was")
    return mine


def _file(conn: Connection, what: str, name: str, change: dict[str, str | None]) -> OldFile:
    path = f"{what}s/{name}.yaml"
    if change["after"] is None:
        return OldFile(path, None)
    if what == "segment":
        return OldFile(path, change["source"])
    return OldFile(path, next(v.source for v in journeys.versions(conn, name) if v.hash == change["after"]))


def known_texts(conn: Connection, paths: Iterable[str]) -> dict[str, set[str]]:
    """Per path every text that was applied under it and is kept; a file that says something else exists nowhere else."""
    known: dict[str, set[str]] = {path: set() for path in paths}
    for path, texts in known.items():
        folder, _, name = path.removesuffix(".yaml").partition("/")
        if folder == "journeys":
            texts.update(version.source for version in journeys.versions(conn, name))
    for entry in journeys.applications(conn):
        for change in entry.changes:
            if change.get("source") is not None and f"segments/{change['name']}.yaml" in known:
                known[f"segments/{change['name']}.yaml"].add(change["source"])
    for name, (_, source) in segments.sources(conn).items():
        if f"segments/{name}.yaml" in known:
            known[f"segments/{name}.yaml"].add(source)
    return known
