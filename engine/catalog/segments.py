"""Segments against the rest of the workspace: names they mention, and circles among them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from engine.audience.condition import SegmentUse
from engine.audience.segment import Segment, circles
from engine.config import Config
from engine.errors import Problem
from engine.grammar import Mention, suggestion


def check_segments(
    segments: Mapping[str, Segment], mentions: Mapping[str, Iterable[Mention]], known: Collection[str], config: Config
) -> dict[str, list[Problem]]:
    """The problems of each segment that has any, by its name. `known`: every segment that has a file."""
    found: dict[str, list[Problem]] = {name: [] for name in segments}
    for name, segment in segments.items():
        file = f"segments/{name}.yaml"
        found[name] += unknown_segments(file, segment.where.segments_used(), known)
        found[name] += unknown_topics(file, mentions[name], config)
    for circle in circles(segments.values()):
        message = f"a segment can't refer to itself: {circle.label()}"
        file = f"segments/{circle.path[0]}.yaml"
        found[circle.path[0]].append(Problem(file, circle.at.line, circle.at.column, message))
    return {name: problems for name, problems in found.items() if problems}


def unknown_segments(file: str, uses: Iterable[SegmentUse], known: Collection[str]) -> Iterator[Problem]:
    """Segments that are named and have no file."""
    for use in uses:
        if use.name not in known:
            hint = suggestion(use.name, known)
            yield Problem(file, use.line, use.column, f"unknown segment '{use.name}'{hint}")


def unknown_topics(file: str, mentions: Iterable[Mention], config: Config) -> Iterator[Problem]:
    """Topics that are named and that config.yaml does not have."""
    for mention in mentions:
        if mention.what == "topic" and mention.name not in config.topics:
            yield Problem(file, mention.line, mention.column, unknown_topic(mention.name, config))


def unknown_topic(topic: str, config: Config) -> str:
    """The sentence about a topic that config.yaml does not have."""
    hint = suggestion(topic, config.topics) or f" (config.yaml has: {', '.join(config.topics) or 'none'})"
    return f"unknown topic '{topic}'{hint}"
