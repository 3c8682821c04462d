"""Moving: to which step of a new version somebody goes who stands on a step of an older one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from engine.grammar import suggestion
from engine.journey.in_flight import InFlight
from engine.journey.machine import Machine

_WAITING = frozenset({"wait", "wait_for"})


@dataclass(frozen=True)
class Route:
    """People on `step` go to `to` (both None: they have not come to a step yet) and keep the time of their arrival.

    `arrives`: it is another step, and one that does something on arrival; waits are only reckoned anew. `laps`: the
    repeats around the step, old name -> new name. `lap`: the old name of the innermost one that they are still in.
    """

    step: str | None
    to: str | None
    arrives: bool = False
    laps: Mapping[str, str] = field(default_factory=dict)
    lap: str | None = None


@dataclass(frozen=True)
class Stranded:
    """People on `step` have nowhere to go; `why` says what the author must write."""

    step: str
    why: str


def route(before: Machine | None, after: Machine, in_flight: InFlight, step: str | None) -> Route | Stranded:
    """Where people on this step of `before` go under `in_flight: {migrate: ..}`. `before` is None for a version that
    can't be read any more.
    """
    if step is None:
        return Route(None, None)
    to = in_flight.steps.get(step) or (step if _is_id(before, step) else None)
    if to is None:
        return Stranded(step, f"it has no id, so the map must name it: in_flight: {{migrate: {{{step}: NEW_STEP}}}}")
    target = after.states.get(to)
    if target is None:
        ids = [state.id for state in after.states.values() if state.id != state.path]
        hint = suggestion(to, ids)
        return Stranded(
            step, f"the new version has no step '{to}'{hint}: write in_flight: {{migrate: {{{step}: NEW_STEP}}}}"
        )
    old, new = _around(before, step), _around(after, to)
    if len(new) > len(old):
        return Stranded(
            step, f"'{to}' stands inside the repeat '{new[-1]}', which they have not begun: name the repeat itself"
        )
    there = before.states.get(step) if before is not None else None
    same = step == to and there is not None and there.verb == target.verb
    laps = dict(zip(old, new, strict=False))
    if there is not None and there.verb == target.verb == "repeat":
        laps[step] = to
    renamed = {a: b for a, b in laps.items() if a != b}
    lap = next((a for a, b in zip_longest(old, new) if new and b == new[-1]), None)
    return Route(step, to, arrives=not same and target.verb not in _WAITING, laps=renamed, lap=lap)


def _is_id(machine: Machine | None, step: str) -> bool:
    state = machine.states.get(step) if machine is not None else None
    return state.id != state.path if state is not None else "." not in step


def _around(machine: Machine | None, step: str) -> list[str]:
    """The repeats around a step, the outermost first."""
    found: list[str] = []
    while machine is not None and step in machine.loops:
        step = machine.loops[step]
        found.insert(0, step)
    return found
