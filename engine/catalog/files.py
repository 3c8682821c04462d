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
from engine.document import Node, read_document
from engine.errors import Problem, WorkspaceError
from engine.grammar import FieldType, Invalid, Mention, Reader
from engine.journey.circles import circles
from engine.journey.journey import Journey, read_journey
from engine.templates import Templates


@dataclass(frozen=True)
class JourneyFile:
    """A journey that reads well, with the text it was read from."""

    journey: Journey
    source: str
    node: Node
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True)
class SegmentFile:
    """A segment that reads well, with the text it was read from and the hash of what it says."""

    segment: Segment
    source: str
    hash: str
    mentions: tuple[Mention, ...] = ()


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
    problems = [_unread(path) for path in _misnamed(root)]
    segments = {
        path.stem: _segment(path, data, config.fields, problems) for path, data in _yaml_files(root, "segments")
    }
    journeys = {
        path.stem: _journey(path, data, config.fields, problems) for path, data in _yaml_files(root, "journeys")
    }
    templates = Templates(root, config.organisation.locale)
    problems += templates.problems()
    good_segments = {name: file for name, file in segments.items() if file is not None}
    good_journeys = {name: file for name, file in journeys.items() if file is not None}
    parts = {name: file.segment for name, file in good_segments.items()}
    mentions = {name: file.mentions for name, file in good_segments.items()}
    for name, found in check_segments(parts, mentions, segments.keys(), config).items():
        problems += found
        del good_segments[name]
    known = Known(
        config,
        templates,
        segments.keys(),
        journeys.keys(),
        Others.of({name: file.journey for name, file in good_journeys.items()}),
        environment(root),
        circles(file.journey for file in good_journeys.values()),
    )
    for name, item in list(good_journeys.items()):
        if found := check_journey(item.journey, item.node, item.mentions, known):
            problems += found
            del good_journeys[name]
    broken = (segments.keys() - good_segments.keys()) | (journeys.keys() - good_journeys.keys())
    broken |= {path.stem for path in _misnamed(root)}
    definitions = Definitions(good_journeys, good_segments, frozenset(broken))
    return Catalog(root, config, definitions, templates, tuple(sorted(set(problems))))


def problems_beside_config(root: Path) -> list[Problem]:
    """What is wrong with the other files while config.yaml can't be read: each in itself, not against each other."""
    problems: list[Problem] = []
    if not (root / "config.yaml").is_file():  # no workspace
        return problems
    problems += map(_unread, _misnamed(root))
    for path, data in _yaml_files(root, "segments"):
        _segment(path, data, {}, problems)
    for path, data in _yaml_files(root, "journeys"):
        _journey(path, data, {}, problems)
    return [*problems, *Templates(root, "en").problems()]


def _misnamed(root: Path) -> list[Path]:
    """Files that look like journeys and segments and are not read; what is applied under their names must stay."""
    return sorted(path for folder in ("journeys", "segments") for path in (root / folder).glob("*.yml"))


def _unread(path: Path) -> Problem:
    return Problem(f"{path.parent.name}/{path.name}", 1, 1, f"this file is not read: call it {path.stem}.yaml")


def _yaml_files(root: Path, folder: str) -> Iterator[tuple[Path, bytes]]:
    base = (root / folder).resolve()
    for path in sorted((root / folder).glob("*.yaml")):
        if path.resolve().is_relative_to(base):  # a link out of the workspace is not read
            yield path, path.read_bytes()


def _journey(path: Path, data: bytes, fields: Mapping[str, FieldType], problems: list[Problem]) -> JourneyFile | None:
    file = f"journeys/{path.name}"
    node, found = read_document(data, file)
    reader = Reader(file, fields)
    journey = read_journey(node, reader, path.stem) if node is not None and not found else None
    problems += [*found, *reader.problems]
    if journey is None or node is None:
        return None
    return JourneyFile(journey, data.decode(), node, tuple(reader.mentions))


def _segment(path: Path, data: bytes, fields: Mapping[str, FieldType], problems: list[Problem]) -> SegmentFile | None:
    file = f"segments/{path.name}"
    node, found = read_document(data, file)
    reader = Reader(file, fields)
    segment = read_segment(node, reader) if node is not None and not found else None
    if segment is not None and not isinstance(segment, Invalid) and segment.name != path.stem and node is not None:
        at = node.get("segment") if isinstance(node, MappingNode) else None
        reader.refuse(at or node, f"segment '{segment.name}' must be called '{path.stem}', like its file")
    problems += [*found, *reader.problems]
    if segment is None or isinstance(segment, Invalid) or reader.problems:
        return None
    digest = hashlib.sha256(repr(segment.plain()).encode()).hexdigest()
    return SegmentFile(segment, data.decode(), digest, tuple(reader.mentions))
