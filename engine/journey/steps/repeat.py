"""`repeat`: its steps in rounds, the only loop of the language; how often is bounded by `up_to`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.document import Mapping as MappingNode
from engine.document import Node
from engine.grammar import INVALID, Field, Number, Reader, Shape
from engine.journey.steps.base import (
    Ask,
    Build,
    Go,
    Ignore,
    Move,
    Placed,
    Spot,
    State,
    Stay,
    Step,
    StepId,
    StepKind,
    StepsReader,
    StepsType,
    Visit,
    unread_steps,
)
from engine.journey.values import Holds, Lap
from engine.moments import WAIT, Duration, add, times

MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Rounds:
    """How often and how far apart: the n-th round begins (n - 1) x `every` after the first, or when the last is done,
    whichever is later; `condition` is tested before each.
    """

    up_to: int
    every: Duration | None
    condition: Condition | None

    def label(self) -> str:
        every = f", every {self.every.text}" if self.every else ""
        while_ = f", while {self.condition.label()}" if self.condition else ""
        return f"up to {self.up_to} times{every}{while_}"


@dataclass(frozen=True)
class Repeat(Placed):
    """A repeat as it is written."""

    rounds: Rounds
    do: tuple[Step, ...]

    def nested(self) -> tuple[tuple[Step, ...], ...]:
        return (self.do,)

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.rounds.condition.segments_used() if self.rounds.condition is not None else ()

    def compile(self, name: str, after: str | None, build: Build) -> State:
        first = build(self.do, name)
        assert first is not None  # it goes on to this state at the least
        return RepeatState(name, self.spot, self.rounds, first, after)


@dataclass(frozen=True)
class RepeatState(Placed):
    """People stand here between two rounds; the last step of each comes back here."""

    rounds: Rounds
    first: str
    next: str | None

    verb: ClassVar[str] = "repeat"

    @property
    def question_path(self) -> str:
        return f"{self.path}.repeat.while"

    @property
    def by_calendar(self) -> bool:
        """Whether its rounds come at a time of the person's clock."""
        return self.rounds.every is not None and not self.rounds.every.seconds

    def label(self) -> str:
        return f"repeat {self.rounds.label()}"

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return (("each round", self.first), ("then", self.next))

    def move(self, visit: Visit) -> Move:
        lap = visit.enrollment.loops.get(self.id, Lap(0))
        done = lap.round or 0
        if visit.arriving and done >= self.rounds.up_to:
            return Go(self.next, self.label(), done, "all rounds are done", lap=Lap(lap.total))
        if not visit.arriving:
            if visit.signal.kind in ("profile", "moved"):
                return self._moved(visit, lap)
            if visit.signal.kind != "timer" or visit.signal.visit != visit.enrollment.visit:
                return Ignore()
        start = self._start(lap, visit.at if visit.arriving else visit.enrollment.arrived_at, visit.facts.zone)
        if start > visit.at:  # a timer may come earlier: it was set to the moment of a pause
            return Stay(due_at=start)
        return self._begin(visit, lap)

    def _begin(self, visit: Visit, lap: Lap) -> Move:
        condition = self.rounds.condition
        answer = visit.answer(self.question_path)
        if condition is not None and answer is None:
            return Ask((Holds(self.question_path, condition),))
        found = answer.found if answer is not None else None
        if answer is not None and not answer.holds:
            return Go(self.next, self.label(), found, "no more rounds", lap=Lap(lap.total))
        number = (lap.round or 0) + 1
        begun = Lap(lap.total + 1, number, lap.since or visit.at)
        return Go(self.first, self.label(), found, f"round {number}", lap=begun, again=visit.arriving and number > 1)

    def _start(self, lap: Lap, arrived_at: datetime, zone: str) -> datetime:
        """When the next round may begin. Counted from the first, so that neither rounding nor delays add up."""
        if lap.since is None or lap.round is None or self.rounds.every is None:
            return arrived_at
        return max(arrived_at, add(lap.since, times(self.rounds.every, lap.round), zone))

    def _moved(self, visit: Visit, lap: Lap) -> Move:
        """The person may live in another zone now: rounds by the calendar follow."""
        due = self._start(lap, visit.enrollment.arrived_at, visit.facts.zone)
        if due == visit.enrollment.due_at:
            return Ignore()
        return Stay(due_at=max(due, visit.signal.at), note="moved")


@dataclass(frozen=True)
class _RoundsType:
    path: str
    steps: StepsReader
    expected: str = "a mapping {up_to, every, while, do}"

    def read(self, node: Node, reader: Reader) -> Any:
        values = self._shape().read(node, reader)
        if values is INVALID:
            return INVALID
        if not values["do"]:
            return reader.refuse(node, "a repeat needs at least one step in 'do'")
        return Rounds(values["up_to"], values["every"], values["while"]), values["do"]

    def schema(self) -> dict[str, Any]:
        return self._shape().schema()

    def _shape(self) -> Shape:
        return Shape(
            "repeat",
            {
                "up_to": Field(Number(whole=True, least=1, most=MOST_ROUNDS), "most rounds", required=True, example=3),
                "every": Field(WAIT, "from the first round to the next, and so on; without it one follows the other"),
                "while": Field(ConditionType(), "tested before each round; the first time it fails, people go on"),
                "do": Field(StepsType(self.steps, f"{self.path}.repeat.do"), "the steps of a round", required=True),
            },
        )


def _shape(path: str, steps: StepsReader) -> Shape:
    return Shape(
        "a repeat step",
        {
            "repeat": Field(_RoundsType(path, steps), "the rounds", required=True),
            "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
        },
    )


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _shape(path, steps).read(node, reader)
    if values is INVALID:
        return INVALID
    rounds, do = values["repeat"]
    return Repeat(values["id"] or "", Spot(path, node.line, node.column), rounds, do)


KIND = StepKind(
    "repeat", "its steps in rounds", _read, _shape("", unread_steps),
    """
- repeat:
    up_to: 3
    every: 7d
    while: {did_not: {event: order_completed, within: 7d}}
    do:
      - {send: weekly_tip, via: email}
""",
)  # fmt: skip
