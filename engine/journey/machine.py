"""The compiled journey: named states and where each goes on to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.journey.journey import Journey
from engine.journey.rules import Entry, ExitRule, Goal
from engine.journey.steps.base import State, Step
from engine.journey.triggers import EventTrigger, Trigger


@dataclass(frozen=True)
class Machine:
    """A journey version ready to run. `states` are in file order; `start` is the first one.

    The graph has no circle: a step goes on only to steps after it, so every chain of moves ends.
    """

    journey: str
    hash: str
    kind: Literal["marketing", "transactional"]
    topic: str | None
    trigger: Trigger
    entry: Entry
    exits: tuple[ExitRule, ...]
    goal: Goal | None
    start: str | None
    states: Mapping[str, State]

    def listens_to(self) -> frozenset[str]:
        """Names of the events that can move an enrollment on, whatever step it stands on; used to pass over the rest."""
        names = {rule.match.name for rule in self.exits if rule.match is not None}
        if self.goal is not None:
            names.add(self.goal.match.name)
        return frozenset(names)

    @property
    def trigger_event(self) -> str | None:
        """The event name that starts it, if an event does."""
        return self.trigger.match.name if isinstance(self.trigger, EventTrigger) else None


def compile_journey(journey: Journey) -> Machine:
    """Flatten the nested steps: each gets a name (its id, else its path) and the state that follows it."""
    states: dict[str, State] = {}

    def build(steps: tuple[Step, ...], after: str | None) -> str | None:
        entry = after
        for step in reversed(steps):
            name = step.id or step.spot.path
            states[name] = step.compile(name, entry, build)
            entry = name
        return entry

    start = build(journey.steps, None)
    by_line = sorted(states.values(), key=lambda state: (state.line, state.path))
    return Machine(
        journey=journey.name,
        hash=journey.hash,
        kind=journey.kind,
        topic=journey.topic,
        trigger=journey.trigger,
        entry=journey.entry,
        exits=journey.exits,
        goal=journey.goal,
        start=start,
        states={state.id: state for state in by_line},
    )
