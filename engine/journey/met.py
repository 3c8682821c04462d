"""Which event a person has met when they come to a step: what `matched` can be there; pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.journey.reach import may_leave_out_next
from engine.journey.steps.base import Step
from engine.journey.steps.exit import Exit
from engine.journey.steps.repeat import Repeat
from engine.journey.steps.wait_for import WaitFor

Met = frozenset[str | None]
"""Names of the events that `matched` may be; None among them: it may be nothing."""


def met_before(steps: Sequence[Step]) -> dict[str, Met]:
    """What the last `wait_for` may have met when somebody arrives, for the path of every step that can be come to."""
    found: dict[str, Met] = {}
    _through(steps, frozenset({None}), found)
    return {path: met for path, met in found.items() if met}


def _through(steps: Sequence[Step], met: Met, found: dict[str, Met]) -> Met:
    """What it may be behind the list; nothing at all when nobody comes there."""
    before: Step | None = None
    for step in steps:
        found[step.spot.path] = found.get(step.spot.path, frozenset()) | met
        after = _past(step, met, found)
        met = after | met if before is not None and may_leave_out_next(before) else after
        before = step
    return met


def _past(step: Step, met: Met, found: dict[str, Met]) -> Met:
    match step:
        case Exit():
            return frozenset()
        case WaitFor(awaited=awaited, then=then, otherwise=otherwise):
            came: Met = met if awaited.match is None else frozenset({awaited.match.name})
            return _through(then, came if met else met, found) | _through(otherwise, met, found)
        case Repeat(rounds=rounds, do=do):
            once = _through(do, met, found)
            again = _through(do, met | once, found)  # what a round adds, every later one has
            return again if rounds.condition is None else met | again
        case _ if step.nested():
            return frozenset[str | None]().union(*(_through(inner, met, found) for inner in step.nested()))
        case _:
            return met
