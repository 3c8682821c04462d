"""What every step kind has in common: how a step is read, named, compiled to a state, and asked to move."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, Self

from engine.audience.condition import SegmentUse
from engine.document import Mapping as MappingNode
from engine.document import Node, Plain, Scalar
from engine.grammar import NAME, Choice, Field, Reader, Shape, shown, text_schema
from engine.journey.values import Answer, Effect, Enrollment, Facts, Lap, Properties, Question, Signal

# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spot:
    """Where a step stands in its file: `path` such as `steps.3.then.0`, line and column."""

    path: str
    line: int
    column: int = 1


@dataclass(frozen=True)
class Placed:
    """The part that every step shares. `id` is empty while the author gave none; compiling names it by its path."""

    id: str
    spot: Spot

    @property
    def path(self) -> str:
        return self.spot.path

    @property
    def line(self) -> int:
        return self.spot.line

    def nested(self) -> tuple[tuple[Step, ...], ...]:
        """The step lists inside this one, in file order."""
        return ()

    def segments_used(self) -> tuple[SegmentUse, ...]:
        """Segments that this step's own conditions name, without those of nested steps."""
        return ()

    def rendered(self) -> tuple[tuple[str, Plain], ...]:
        """By name, the values of this step in which text is rendered like a message."""
        return ()


@dataclass(frozen=True)
class Straight(Placed):
    """A step with one way on: as it is written, and as a state once `next` is known."""

    next: str | None = field(default=None, kw_only=True)

    def compile(self, name: str, after: str | None, build: Build) -> Self:
        return replace(self, id=name, next=after)

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        return (("", self.next),)


class Step(Protocol):
    """A step as it is written, nested steps inside."""

    @property
    def id(self) -> str: ...

    @property
    def spot(self) -> Spot: ...

    def compile(self, name: str, after: str | None, build: Build) -> State:
        """The state under the given name, going on to the state `after` (None: the journey is completed)."""
        ...

    def nested(self) -> tuple[tuple[Step, ...], ...]: ...

    def segments_used(self) -> tuple[SegmentUse, ...]: ...

    def rendered(self) -> tuple[tuple[str, Plain], ...]: ...


Build = Callable[[tuple[Step, ...], str | None], str | None]
"""Compiles a nested list that goes on to `after`; gives the name of its first state."""


@dataclass(frozen=True)
class StepKind:
    """The registry's entry: the verb, what stands beside it, and the reader of the whole mapping.

    `read(node, reader, path, steps)`: `steps` reads a nested list under a path. `shape` is what stands in the mapping, `example`
    a list of steps as an author writes them, which the language's reference shows.
    """

    verb: str
    about: str
    read: Callable[[MappingNode, Reader, str, StepsReader], Any]
    shape: Shape
    example: str


StepsReader = Callable[[Node, Reader, str], Any]


def unread_steps(node: Node, reader: Reader, path: str) -> Any:
    """Stands in for the reader of nested steps where a shape is only looked at, never read with."""
    raise AssertionError(node, reader, path)


@dataclass(frozen=True)
class StepsType:
    """A nested list of steps under a path, as a type of the grammar."""

    read_steps: StepsReader
    path: str
    expected: str = "a list of steps"

    def read(self, node: Node, reader: Reader) -> Any:
        return self.read_steps(node, reader, self.path)

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/definitions/steps"}


STEP_ID = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class StepId:
    """The name of a step; it is matched across versions and part of the send key."""

    expected: str = NAME.expected

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.value is not None and STEP_ID.fullmatch(node.text):
            return node.text
        return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")

    def schema(self) -> dict[str, Any]:
        return text_schema(STEP_ID.pattern)


OnFailure = Literal["continue", "exit"]
ON_FAILURE = Field(
    Choice(("continue", "exit"), "rule"), "what follows when it failed, or nobody can tell", default="continue"
)


# --- moving -----------------------------------------------------------------------------------------------------------


class Visit(NamedTuple):
    """What a state sees when it is asked to move. `arriving`: the enrollment has come to this state just now, at `at`;
    else `signal` has come while it stood here.
    """

    enrollment: Enrollment
    arriving: bool
    signal: Signal
    at: datetime
    facts: Facts
    now: datetime

    def answer(self, path: str) -> Answer | None:
        return self.facts.answers.get(path)


class Stay(NamedTuple):
    """Wait here; `due_at` sets the timer of this visit (None: none is needed)."""

    due_at: datetime | None = None
    effects: tuple[Effect, ...] = ()
    note: str = ""


class Go(NamedTuple):
    """On to `target` (None: completed) after carrying out `effects`; `why` goes into the trace.

    `matched` replaces the last matched event, and `matched_id` is used up: no later `wait_for` takes it. `lap` is how far
    this state, a `repeat`, has come; `again`: it comes round in this very decision, so that answers of the last round are
    not taken for this one's. `variant`: (experiment, variant) that the enrollment has from now on.
    """

    target: str | None
    wanted: str = ""
    found: Any = None
    why: str = ""
    matched: Properties | None = None
    matched_id: int | None = None
    effects: tuple[Effect, ...] = ()
    lap: Lap | None = None
    again: bool = False
    variant: tuple[str, str] | None = None


class End(NamedTuple):
    """The journey ends here with a reason; `found` goes into the trace."""

    reason: str
    found: Any = None


class Ask(NamedTuple):
    """The state can't tell without these answers."""

    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Ignore:
    """The signal is nothing to this state."""


Move = Stay | Go | End | Ask | Ignore


class State(Protocol):
    """One state of the machine."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def verb(self) -> str: ...

    def label(self) -> str:
        """One line for people."""
        ...

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        """The ways out: (label, state id or None for the end)."""
        ...

    def move(self, visit: Visit) -> Move:
        """What the state does with an arrival or a signal; pure."""
        ...
