"""The numbers in a picture, and the one place at which each of them is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.draw.drawable import COMPLETED, Drawable, exit_reason


@dataclass(frozen=True)
class People:
    """How many people stand on each state, entered, ended under each reason, reached the goal; None: not to be shown.
    `marks`: a word beside a state, such as `changed`.
    """

    standing: Mapping[str, int] | None = None
    entered: int | None = None
    ended: Mapping[str, int] | None = None
    converted: int | None = None
    marks: Mapping[str, str] = field(default_factory=dict)

    def at(self, state: str) -> int | None:
        return None if self.standing is None else self.standing.get(state, 0)

    def mark(self, state: str) -> str:
        return self.marks.get(state, "")


@dataclass(frozen=True)
class Ends:
    """The ends of a journey, each number once.

    A reason that stands at one place of the picture (`single`) has its number there. The numbers of all others, be it
    that the picture does not name the reason or that several places share it, are given in a list of their own.
    """

    ended: Mapping[str, int] | None
    single: frozenset[str]

    @classmethod
    def of(cls, machine: Drawable, completes: bool, ended: Mapping[str, int] | None) -> Ends:
        steps = [exit_reason(stop) for stop in machine.states.values() if stop.verb == "exit"]
        rules = [rule.reason for rule in machine.exits]
        places = Counter([*steps, *rules, *([COMPLETED] if completes else [])])
        return cls(ended, frozenset(reason for reason, number in places.items() if number == 1))

    def at(self, reason: str) -> int | None:
        if self.ended is None or reason not in self.single:
            return None
        return self.ended.get(reason, 0)

    def others(self) -> Sequence[tuple[str, int]]:
        ended = self.ended or {}
        return sorted((reason, number) for reason, number in ended.items() if number and reason not in self.single)
