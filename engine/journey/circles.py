"""Circles: journeys that start each other without end, by a step `start`, a trigger `finished` or an event that they emit; pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.journey.journey import Draft, Journey
from engine.journey.reach import may_leave_out_next, walk
from engine.journey.steps.base import Step
from engine.journey.steps.emit import Emit
from engine.journey.steps.exit import Exit
from engine.journey.steps.repeat import Repeat
from engine.journey.steps.start import Start
from engine.journey.steps.wait import FieldTime, Wait
from engine.journey.steps.wait_for import WaitFor
from engine.journey.triggers import EventTrigger, FinishedTrigger


@dataclass(frozen=True)
class Circle:
    """A way around: `path` begins and ends with the same journey. `journey` says so in its file, at the step, or in its
    trigger (`step` None).
    """

    journey: str
    step: Step | None
    path: tuple[str, ...]

    def label(self) -> str:
        return " -> ".join(self.path)


def circles(journeys: Iterable[Draft | Journey]) -> list[Circle]:
    """Every place that leads around by `start` and `finished`, with the shortest way; in the order given. Journeys that are
    not among them end a way.
    """
    places: list[tuple[str, Step | None, str, str]] = []
    for journey in journeys:
        starts = (step for step in walk(journey.steps) if isinstance(step, Start))
        places.extend((journey.name, step, journey.name, step.journey) for step in starts)
        if isinstance(journey.trigger, FinishedTrigger):
            places.append((journey.name, None, journey.trigger.journey, journey.name))
    return _around(places)


def endless(journeys: Iterable[Draft | Journey]) -> list[Circle]:
    """Every step `emit` whose event leads around at once and for ever: all on the way let people come back always, and on some
    way through their steps there is nothing that surely takes time.
    """
    known = {journey.name: journey for journey in journeys}
    open_ = [journey for journey in known.values() if journey.comes_back]
    places: list[tuple[str, Step | None, str, str]] = []
    for journey in known.values():
        reached = _at_once(journey.steps)
        for step in reached.steps:
            if isinstance(step, Emit):
                places += [(journey.name, step, journey.name, each.name) for each in open_ if _waits(each, step.event)]
            elif isinstance(step, Start) and step.journey in known and known[step.journey].comes_back:
                places.append((journey.name, None, journey.name, step.journey))
        if reached.behind or any(isinstance(step, Exit) for step in reached.steps):
            after = [each for each in open_ if isinstance(each.trigger, FinishedTrigger)]
            places += [(each.name, None, journey.name, each.name) for each in after if _follows(each, journey)]
    return [circle for circle in _around(places) if circle.step is not None]


def _waits(journey: Draft | Journey, event: str) -> bool:
    return isinstance(journey.trigger, EventTrigger) and journey.trigger.match.name == event


def _follows(journey: Draft | Journey, before: Draft | Journey) -> bool:
    return isinstance(journey.trigger, FinishedTrigger) and journey.trigger.journey == before.name


def _around(places: Sequence[tuple[str, Step | None, str, str]]) -> list[Circle]:
    """Of (journey, step, before, after) those that stand on a circle."""
    ways: dict[str, set[str]] = defaultdict(set)
    for _, _, before, after in places:
        ways[before].add(after)
    found = []
    for name, step, before, after in places:
        back = _shortest(after, before, ways)
        if back is not None:
            found.append(Circle(name, step, (before, *back)))
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


# --- what happens at once ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reached:
    """The steps to which somebody may come in no time; `behind`: and behind them all."""

    steps: tuple[Step, ...]
    behind: bool


def _at_once(steps: Sequence[Step]) -> _Reached:
    here, beyond = True, False  # may somebody be at this step at once, at the one after it
    found: list[Step] = []
    for step in steps:
        if not here:
            here, beyond = beyond, False
            continue
        inside = _inside(step)
        found += (step, *inside.steps)
        here, beyond = inside.behind or beyond, may_leave_out_next(step)
    return _Reached(tuple(found), here or beyond)


def _inside(step: Step) -> _Reached:
    """What stands in the step, and whether somebody may come behind it, in no time."""
    match step:
        case Exit():
            return _Reached((), behind=False)
        case Wait(span=FieldTime(if_past=if_past)):  # its time may be past
            return _Reached((), behind=if_past == "now")
        case Wait():
            return _Reached((), behind=False)
        case WaitFor(awaited=awaited, then=then):
            waits = awaited.match is not None and awaited.since == "arrival"
            return _Reached((), behind=False) if waits else _at_once(then)
        case Repeat(rounds=rounds, do=do):
            inside = _at_once(do)
            once = rounds.up_to == 1 and inside.behind
            return _Reached(inside.steps, once or rounds.condition is not None)
        case _:
            ways = [_at_once(inner) for inner in step.nested()]
            behind = any(way.behind for way in ways) if ways else True
            return _Reached(tuple(each for way in ways for each in way.steps), behind)
