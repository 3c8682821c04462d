"""Changes: in what the workspace's files differ from what is applied, and the ground on which that was said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from engine.catalog import Definitions
from engine.errors import AlurError
from engine.store import journeys, segments


@dataclass(frozen=True, order=True)
class Change:
    """One difference between the files and what is applied."""

    what: Literal["journey", "segment"]
    name: str
    how: Literal["new", "changed", "removed", "unchanged"]


@dataclass(frozen=True)
class Ground:
    """What was compared: a hash of each file's text, and of each thing that is applied; by `journey NAME`, `segment NAME`."""

    files: Mapping[str, str]
    applied: Mapping[str, str]

    def plain(self) -> dict[str, Any]:
        return {"files": dict(self.files), "applied": dict(self.applied)}


@dataclass(frozen=True, order=True)
class TemplateChange:
    """A file under `templates/` that differs from what it was at the last apply. Templates are live: it holds already.
    `journeys`: those that send the template of this name.
    """

    path: str
    how: Literal["new", "changed", "removed"]
    journeys: tuple[str, ...] = ()


class GroundMovedError(AlurError):
    """A plan can't be applied: since it was made, files or what is applied have changed."""

    def __init__(self, moved: list[str]) -> None:
        self.moved = moved
        said = "; ".join(moved[:5]) + ("; .." if len(moved) > 5 else "")
        super().__init__(
            f"the ground of this plan has moved: {said}. Nothing was applied: make a new plan with `alur plan`"
        )


def changes(conn: Connection, files: Definitions) -> list[Change]:
    """What applying would do, unchanged things included; journeys first, by name."""
    live = {j.name: j.hash for j in journeys.all_applied(conn) if j.state == "live"}
    found = _compare("journey", {name: file.journey.hash for name, file in files.journeys.items()}, live, files.broken)
    written = {name: file.hash for name, file in files.segments.items()}
    return found + _compare("segment", written, segments.applied(conn), files.broken)


def template_changes(conn: Connection, hashes: Mapping[str, str]) -> list[TemplateChange]:
    """What differs in the templates, whose hashes by path these are, from those at the last apply that noted them."""
    noted = journeys.noted_templates(conn)
    if noted is None:
        return []
    found: list[TemplateChange] = []
    for path in sorted(hashes.keys() | noted.keys()):
        if path not in noted:
            found.append(TemplateChange(path, "new"))
        elif path not in hashes:
            found.append(TemplateChange(path, "removed"))
        elif hashes[path] != noted[path]:
            found.append(TemplateChange(path, "changed"))
    return found


def ground(conn: Connection, files: Definitions) -> Ground:
    """What `changes` looks at, now."""
    written = {f"journey {name}": _digest(file.source) for name, file in files.journeys.items()}
    written |= {f"segment {name}": _digest(file.source) for name, file in files.segments.items()}
    written |= {f"broken {name}": "" for name in files.broken}
    applied = {f"journey {j.name}": f"{j.hash} {j.state}" for j in journeys.all_applied(conn)}
    applied |= {f"segment {name}": hash_ for name, hash_ in segments.applied(conn).items()}
    return Ground(dict(sorted(written.items())), dict(sorted(applied.items())))


def moved(before: Ground, now: Ground) -> list[str]:
    """What is different, each as a sentence."""
    return [
        *_moved(before.files, now.files, "in the files"),
        *_moved(before.applied, now.applied, "in what is applied"),
    ]


def _moved(before: Mapping[str, str], now: Mapping[str, str], where: str) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            how = "is new" if name not in before else "is gone" if name not in now else "has changed"
            yield f"{name} {how} {where}"


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def _compare(
    what: Literal["journey", "segment"], files: Mapping[str, str], applied: Mapping[str, str], broken: frozenset[str]
) -> list[Change]:
    found: list[Change] = []
    for name in sorted(files.keys() | applied.keys() - broken):
        if name not in files:
            found.append(Change(what, name, "removed"))
        elif name not in applied:
            found.append(Change(what, name, "new"))
        else:
            found.append(Change(what, name, "unchanged" if files[name] == applied[name] else "changed"))
    return found
