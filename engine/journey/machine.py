"""The compiled journey: named states and where each goes on to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.config import Delivery
from engine.journey.journey import Journey
from engine.journey.rules import Entry, ExitRule, Goal
from engine.journey.steps.base import State, Step
from engine.journey.steps.repeat import Repeat, RepeatState
from engine.journey.steps.send import Send
from engine.journey.steps.wait import Wait
from engine.journey.triggers import EventTrigger, Trigger


@dataclass(frozen=True)
class Machine:
    """A journey version ready to run. `states` are in file order; `start` is the first one.

    A step goes on only to steps after it, but for the last of a `repeat`, which goes back to it; that lets people round only
    a fixed number of times, so every chain of moves ends. `most_sends`: more than so many messages no passage can have. `loops`: the innermost `repeat` around each state that has one.
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
    most_sends: int
    delivery: Delivery = field(default_factory=Delivery)
    loops: Mapping[str, str] = field(default_factory=dict)

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
    behind: dict[str, str | None] = {}

    def build(steps: tuple[Step, ...], after: str | None) -> str | None:
        entry = after
        for step in reversed(steps):
            name = step.id or step.spot.path
            behind[name] = entry
            states[name] = step.compile(name, entry, build)
            entry = name
        return entry

    start = build(journey.steps, None)
    for name, state in states.items():
        if isinstance(state, Wait):
            states[name] = state.leaving_out(_left_out(state, states, behind))
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
        most_sends=_most_sends(journey.steps),
        delivery=journey.delivery,
        loops=_loops(states.values()),
    )


def _most_sends(steps: Iterable[Step]) -> int:
    """Along the way with the most of them: of ways that part only one is taken, a round is taken as often as it may be."""
    total = 0
    for step in steps:
        inside = max(map(_most_sends, step.nested()), default=0)
        rounds = step.rounds.up_to if isinstance(step, Repeat) else 1
        total += isinstance(step, Send) + rounds * inside
    return total


def _left_out(wait: Wait, states: Mapping[str, State], behind: Mapping[str, str | None]) -> str | None:
    """Where a wait goes on to that leaves out the next step whole, with all that is nested in it.

    At the end of a round of `repeat` there is nothing to leave out: the round is over.
    """
    if wait.next is None or wait.path.startswith(f"{states[wait.next].path}."):
        return wait.next
    return behind[wait.next]


def _loops(states: Iterable[State]) -> dict[str, str]:
    repeats = {state.path: state.id for state in states if isinstance(state, RepeatState)}
    loops: dict[str, str] = {}
    for state in states if repeats else ():
        above = state.path.rpartition(".")[0]
        while above and above not in repeats:
            above = above.rpartition(".")[0]
        if above:
            loops[state.id] = repeats[above]
    return loops
