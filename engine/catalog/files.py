"""The files of a workspace: found, read each in itself, and handed to the checks among each other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from engine.audience.segment import Segment, read_segment
from engine.catalog.data import Others
from engine.catalog.journeys import Known, check_journey
from engine.catalog.segments import check_segments
from engine.config import Config, read_config
from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar, read_document
from engine.errors import Problem, WorkspaceError
from engine.grammar import Declared, Invalid, Mention, Reader
from engine.journey.circles import circles, endless
from engine.journey.journey import Draft, Journey, read_draft, read_journey
from engine.templates import Templates


@dataclass(frozen=True)
class JourneyFile:
    """A journey that reads well, with the text it was read from."""

    journey: Journey
    source: str
    node: Node


@dataclass(frozen=True)
class SegmentFile:
    """A segment that reads well, with the text it was read from and the hash of what it says."""

    segment: Segment
    source: str
    hash: str


@dataclass(frozen=True)
class Definitions:
    """What the files define. `broken`: names whose file has problems; what is applied under them stays as it is."""

    journeys: Mapping[str, JourneyFile]
    segments: Mapping[str, SegmentFile]
    broken: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Catalog:
    """Everything that reads well; `problems` lists the rest."""

    root: Path
    config: Config
    definitions: Definitions
    templates: Templates
    problems: tuple[Problem, ...]


def environment(root: Path) -> dict[str, str]:
    """The process's environment over the workspace's `.env`."""
    from_file = {name: value for name, value in dotenv_values(root / ".env").items() if value is not None}
    return from_file | dict(os.environ)


def load_config(root: Path) -> Config:
    """config.yaml alone. Raises `WorkspaceError` with all its problems."""
    path = root / "config.yaml"
    if not path.is_file():
        message = "no config.yaml here: this is no workspace (run `alur init DIR`, or use --workspace DIR)"
        raise WorkspaceError([Problem("config.yaml", 1, 1, message)])
    config, problems = read_config(path.read_bytes(), "config.yaml", environment(root))
    if config is None:
        raise WorkspaceError(problems)
    return config


def load(root: Path) -> Catalog:
    """Read the whole workspace. Raises `WorkspaceError` only for config.yaml; every other problem is in the catalog."""
    config = load_config(root)
    unread = _unread(root)
    problems = [*unread.values()]
    segments = {p.stem: _segment(p, data, config.declared, problems) for p, data in _yaml_files(root, "segments")}
    journeys = {p.stem: _journey(p, data, config.declared, problems) for p, data in _yaml_files(root, "journeys")}
    templates = Templates(root, config.organisation.locale)
    problems += templates.problems()
    good_segments = {name: file for name, (file, _) in segments.items() if file is not None}
    good_journeys = {name: file for name, (file, _) in journeys.items() if file is not None}
    for name, found in check_segments({name: mentions for name, (_, mentions) in segments.items()}, config).items():
        problems += found
        good_segments.pop(name, None)
    sketches = {name: sketch for name, (_, sketch) in journeys.items() if sketch is not None}
    known = Known(
        config,
        templates,
        segments.keys(),
        journeys.keys(),
        Others.of({name: file.journey for name, file in good_journeys.items()}),
        environment(root),
        circles(sketch.draft for sketch in sketches.values()),
        endless(sketch.draft for sketch in sketches.values()),
    )
    for name, sketch in sketches.items():
        if found := check_journey(sketch.draft, sketch.node, sketch.mentions, known, sketch.told):
            problems += found
            good_journeys.pop(name, None)
    broken = (segments.keys() - good_segments.keys()) | (journeys.keys() - good_journeys.keys())
    definitions = Definitions(good_journeys, good_segments, frozenset(broken | {path.stem for path in unread}))
    return Catalog(root, config, definitions, templates, tuple(sorted(set(problems))))


def problems_beside_config(root: Path) -> list[Problem]:
    """What is wrong with the other files while config.yaml can't be read: each in itself, not against each other."""
    problems: list[Problem] = []
    if not (root / "config.yaml").is_file():  # no workspace
        return problems
    problems += _unread(root).values()
    for path, data in _yaml_files(root, "segments"):
        _segment(path, data, Declared(), problems)
    for path, data in _yaml_files(root, "journeys"):
        _journey(path, data, Declared(), problems)
    return [*problems, *Templates(root, "en").problems()]


def _unread(root: Path) -> dict[Path, Problem]:
    """What looks like a journey or segment and is not read; what is applied under its name must stay."""
    found: dict[Path, str] = {}
    for folder in (root / "journeys", root / "segments"):
        for path in folder.glob("*"):
            if path.suffix.lower() not in (".yaml", ".yml") or _is_hidden(path):
                continue
            if path.suffix != ".yaml":
                found[path] = f"this file is not read: call it {path.stem}.yaml"
            elif not path.resolve().is_relative_to(folder.resolve()):
                found[path] = (
                    f"this is a link out of the folder, and is not read: put the file itself into {folder.name}"
                )
            elif not path.is_file():
                found[path] = "this is no file"
    return {path: Problem(f"{path.parent.name}/{path.name}", 1, 1, message) for path, message in found.items()}


def _yaml_files(root: Path, folder: str) -> Iterator[tuple[Path, bytes]]:
    unread = _unread(root)
    for path in sorted((root / folder).glob("*.yaml")):
        if path not in unread and not _is_hidden(path):
            yield path, path.read_bytes()


def _is_hidden(path: Path) -> bool:
    """What editors and systems leave beside a file: `.#welcome.yaml`, `._welcome.yaml`."""
    return path.name.startswith(".")


@dataclass(frozen=True)
class _Sketch:
    """A journey's file as far as it reads, to be held against the rest of the workspace."""

    draft: Draft
    node: Node
    mentions: tuple[Mention, ...]
    told: frozenset[tuple[int, int]]


def _journey(
    path: Path, data: bytes, declared: Declared, problems: list[Problem]
) -> tuple[JourneyFile | None, _Sketch | None]:
    file = f"journeys/{path.name}"
    node, found = read_document(data, file)
    reader = Reader(file, declared)
    journey = read_journey(node, reader, path.stem) if node is not None else None
    problems += [*found, *reader.problems]
    if not isinstance(node, MappingNode):
        return None, None
    draft = journey.draft() if journey is not None else read_draft(node, reader, path.stem)
    good = JourneyFile(journey, data.decode(), node) if journey is not None and not found else None
    told = frozenset((problem.line, problem.column) for problem in reader.problems)
    return good, _Sketch(draft, node, tuple(reader.mentions), told)


def _segment(
    path: Path, data: bytes, declared: Declared, problems: list[Problem]
) -> tuple[SegmentFile | None, tuple[Mention, ...]]:
    file = f"segments/{path.name}"
    node, found = read_document(data, file)
    reader = Reader(file, declared)
    segment = read_segment(node, reader) if node is not None else None
    name = node.get("segment") if isinstance(node, MappingNode) else None
    if isinstance(name, Scalar) and name.text != path.stem:
        reader.refuse(name, f"segment '{name.text}' must be called '{path.stem}', like its file")
    problems += [*found, *reader.problems]
    mentions = tuple(reader.mentions)
    if segment is None or isinstance(segment, Invalid) or found or reader.problems:
        return None, mentions
    digest = hashlib.sha256(repr(segment.plain()).encode()).hexdigest()
    return SegmentFile(segment, data.decode(), digest), mentions
