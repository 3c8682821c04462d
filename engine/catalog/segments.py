"""Segments against the rest of the workspace: names they mention, and circles among them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from engine.audience.condition import SegmentUse
from engine.audience.segment import circles
from engine.config import Config
from engine.errors import Problem
from engine.grammar import Mention, suggestion


def check_segments(mentions: Mapping[str, Sequence[Mention]], config: Config) -> dict[str, list[Problem]]:
    """The problems of each segment that has any, by its name. `mentions`: what each file mentions, as far as it reads."""
    found: dict[str, list[Problem]] = {name: [] for name in mentions}
    for name, mentioned in mentions.items():
        file = f"segments/{name}.yaml"
        found[name] += unknown_segments(file, used_in(mentioned), mentions.keys())
        found[name] += unknown_topics(file, mentioned, config)
    for circle in circles({name: used_in(mentioned) for name, mentioned in mentions.items()}):
        message = f"a segment can't refer to itself: {circle.label()}"
        file = f"segments/{circle.path[0]}.yaml"
        found[circle.path[0]].append(Problem(file, circle.at.line, circle.at.column, message))
    return {name: problems for name, problems in found.items() if problems}


def used_in(mentions: Iterable[Mention]) -> list[SegmentUse]:
    """The segments among what a file mentions, in file order."""
    return [SegmentUse(each.name, each.line, each.column) for each in mentions if each.what == "segment"]


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
