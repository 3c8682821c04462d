"""Circles: journeys that start each other, by a step `start` or a trigger `finished`, without end; pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.journey.journey import Journey
from engine.journey.reach import walk
from engine.journey.steps.start import Start
from engine.journey.triggers import FinishedTrigger


@dataclass(frozen=True)
class Circle:
    """A way around: `path` begins and ends with the same journey. `journey` says so in its file, at the step `start`, or in
    its trigger (`start` None).
    """

    journey: str
    start: Start | None
    path: tuple[str, ...]

    def label(self) -> str:
        return " -> ".join(self.path)


def circles(journeys: Iterable[Journey]) -> list[Circle]:
    """Every place that leads around, with the shortest way; in the order given. Journeys that are not among them end a way."""
    ways: dict[str, set[str]] = defaultdict(set)
    places: list[tuple[str, Start | None, str, str]] = []
    for journey in journeys:
        starts = (step for step in walk(journey.steps) if isinstance(step, Start))
        places.extend((journey.name, step, journey.name, step.journey) for step in starts)
        if isinstance(journey.trigger, FinishedTrigger):
            places.append((journey.name, None, journey.trigger.journey, journey.name))
    for _, _, before, after in places:
        ways[before].add(after)
    found = []
    for name, start, before, after in places:
        back = _shortest(after, before, ways)
        if back is not None:
            found.append(Circle(name, start, (before, *back)))
    return found


def _shortest(first: str, last: str, ways: Mapping[str, set[str]]) -> tuple[str, ...] | None:
    paths: deque[tuple[str, ...]] = deque([(first,)])
    seen = {first}
    while paths:
        path = paths.popleft()
        if path[-1] == last:
            return path
        for following in sorted(ways.get(path[-1], ())):
            if following not in seen:
                seen.add(following)
                paths.append((*path, following))
    return None
