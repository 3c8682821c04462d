"""The workspace on disk: config.yaml, journeys, segments and templates, read and checked against each other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from engine.audience.segment import Segment, circles, read_segment
from engine.config import Config, read_config
from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar, read_document
from engine.errors import Problem, WorkspaceError
from engine.grammar import FieldType, Invalid, Reader, suggestion
from engine.journey.journey import Journey, read_journey
from engine.journey.steps.send import Send
from engine.journey.triggers import EntersTrigger
from engine.message.program import check
from engine.message.source import plain_source
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
    problems: list[Problem] = []
    journeys: dict[str, JourneyFile] = {}
    segments: dict[str, SegmentFile] = {}
    broken: set[str] = set()
    for path in _misnamed(root):
        problems.append(_unread(path))
        broken.add(path.stem)
    for path, data in _yaml_files(root, "segments"):
        segment = _segment(path, data, config.fields, problems)
        if segment is None:
            broken.add(path.stem)
        else:
            segments[path.stem] = segment
    for path, data in _yaml_files(root, "journeys"):
        journey = _journey(path, data, config.fields, problems)
        if journey is None:
            broken.add(path.stem)
        else:
            journeys[path.stem] = journey
    templates = Templates(root, config.organisation.locale)
    problems += templates.problems()
    known_segments = segments.keys() | (broken & {path.stem for path, _ in _yaml_files(root, "segments")})
    for name, file in list(segments.items()):
        if found := _check_segment(name, file, known_segments, segments):
            problems += found
            broken.add(name)
            del segments[name]
    for name, item in list(journeys.items()):
        if found := _Check(config, templates, known_segments, f"journeys/{name}.yaml", item).problems():
            problems += found
            broken.add(name)
            del journeys[name]
    definitions = Definitions(journeys, segments, frozenset(broken))
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
    return JourneyFile(journey, data.decode(), node) if journey is not None and node is not None else None


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
    return SegmentFile(segment, data.decode(), digest)


def _check_segment(name: str, file: SegmentFile, known: set[str], all_: Mapping[str, SegmentFile]) -> list[Problem]:
    where = f"segments/{name}.yaml"
    found = [
        Problem(where, use.line, use.column, f"unknown segment '{use.name}'{suggestion(use.name, known)}")
        for use in file.segment.where.segments_used()
        if use.name not in known
    ]
    return found + [
        Problem(where, circle.at.line, circle.at.column, f"a segment can't refer to itself: {circle.label()}")
        for circle in circles(item.segment for item in all_.values())
        if circle.path[0] == name
    ]


@dataclass(frozen=True)
class _Check:
    """One journey against the rest of the workspace."""

    config: Config
    templates: Templates
    segments: set[str]
    file: str
    item: JourneyFile

    def problems(self) -> list[Problem]:
        return [*self._topic(), *self._segments(), *self._sends()]

    def _problem(self, node: Node | None, message: str) -> Problem:
        at = node if node is not None else self.item.node
        return Problem(self.file, at.line, at.column, message)

    def _topic(self) -> Iterator[Problem]:
        topic = self.item.journey.topic
        if topic is not None and topic not in self.config.topics:
            node = self.item.node.get("topic") if isinstance(self.item.node, MappingNode) else None
            known = self.config.topics
            hint = suggestion(topic, known) or f" (config.yaml has: {', '.join(known) or 'none'})"
            yield self._problem(node, f"unknown topic '{topic}'{hint}")

    def _segments(self) -> Iterator[Problem]:
        journey = self.item.journey
        if isinstance(journey.trigger, EntersTrigger) and journey.trigger.segment not in self.segments:
            yield self._unknown_segment(journey.trigger.segment)
        for rule in journey.exits:
            if rule.leaves is not None and rule.leaves not in self.segments:
                yield self._unknown_segment(rule.leaves)
        for use in journey.segments_used():
            if use.name not in self.segments:
                message = f"unknown segment '{use.name}'{suggestion(use.name, self.segments)}"
                yield Problem(self.file, use.line, use.column, message)

    def _unknown_segment(self, name: str) -> Problem:
        node = next((n for n in _scalars(self.item.node) if n.text == name), None)
        return self._problem(node, f"unknown segment '{name}'{suggestion(name, self.segments)}")

    def _sends(self) -> Iterator[Problem]:
        for send in self.item.journey.sends():
            lacking = [channel for channel in send.via if not self.templates.has(channel, send.template)]
            if len(lacking) == len(send.via):
                known = {name for channel in send.via for name in self.templates.names(channel)}
                node = next(
                    (n for n in _scalars(self.item.node) if n.text == send.template and n.line >= send.line), None
                )
                folders = " or ".join(f"templates/{channel}" for channel in send.via)
                yield self._problem(
                    node, f"unknown template '{send.template}' in {folders}{suggestion(send.template, known)}"
                )
            for channel in send.via:
                if channel not in self.config.channels:
                    message = f"channel '{channel}' is not set up: config.yaml has no channels.{channel}"
                    yield Problem(self.file, send.line, send.spot.column, message)
            yield from self._vars(send)
            if self.item.journey.kind == "marketing":
                yield from self._marketing_mail(send)
                yield from self._marketing_whatsapp(send)

    def _vars(self, send: Send) -> Iterator[Problem]:
        for name, value in send.vars.items():
            if isinstance(value, str):
                for problem in check(plain_source(value, self.file))[1]:
                    yield Problem(self.file, send.line, send.spot.column, f"vars.{name}: {problem.message}")

    def _marketing_mail(self, send: Send) -> Iterator[Problem]:
        if "email" not in send.via or not self.templates.has("email", send.template):
            return
        line, column = send.line, send.spot.column
        for version in self.templates.lacking(send.template, "unsubscribe_url"):
            mend = f"put {{{{ unsubscribe_url }}}} into {version}"
            yield Problem(
                self.file, line, column, f"marketing mail '{send.template}' lacks the unsubscribe link: {mend}"
            )
        if not self.config.organisation.postal_address:
            message = f"marketing mail '{send.template}' needs organisation.postal_address in config.yaml"
            yield Problem(self.file, line, column, message)

    def _marketing_whatsapp(self, send: Send) -> Iterator[Problem]:
        if "whatsapp" in send.via:
            for version in self.templates.unapproved(send.template):
                message = f"WhatsApp marketing '{send.template}' needs an approved template: put its content_sid into {version}"
                yield Problem(self.file, send.line, send.spot.column, message)


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case MappingNode():
            for _, value in node:
                yield from _scalars(value)
        case _:
            for item in node.items:
                yield from _scalars(item)
