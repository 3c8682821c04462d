"""What every step kind has in common: how a step is read, named, compiled to a state, and asked to move."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, Self

from engine.audience.condition import SegmentUse
from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar
from engine.grammar import Invalid, Reader
from engine.journey.values import Answer, Effect, Enrollment, Facts, Properties, Question, Signal

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


Build = Callable[[tuple[Step, ...], str | None], str | None]
"""Compiles a nested list that goes on to `after`; gives the name of its first state."""


@dataclass(frozen=True)
class StepKind:
    """The registry's entry: the verb, what stands beside it, and the reader of the whole mapping.

    `read(node, reader, path, steps)`: `steps` reads a nested list under a path.
    """

    verb: str
    about: str
    read: Callable[[MappingNode, Reader, str, StepsReader], Any]


StepsReader = Callable[[Node, Reader, str], Any]


def later(verb: str) -> StepKind:
    """A verb of the contract that this version refuses where it stands."""

    def read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Invalid:
        return reader.refuse(node.key(verb) or node, f"step '{verb}' is not supported yet")

    return StepKind(verb, "not supported yet", read)


@dataclass(frozen=True)
class StepsType:
    """A nested list of steps under a path, as a type of the grammar."""

    read_steps: StepsReader
    path: str
    expected: str = "a list of steps"

    def read(self, node: Node, reader: Reader) -> Any:
        return self.read_steps(node, reader, self.path)


STEP_ID = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class StepId:
    """The name of a step; it is matched across versions and part of the send key."""

    expected: str = "a name of lower-case letters, digits and _"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and STEP_ID.fullmatch(node.text):
            return node.text
        return reader.refuse(node, f"expected {self.expected} as id")


# --- moving -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Visit:
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


@dataclass(frozen=True)
class Stay:
    """Wait here; `due_at` sets the timer of this visit (None: none is needed)."""

    due_at: datetime | None = None
    effects: tuple[Effect, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Go:
    """On to `target` (None: completed); `why` goes into the trace, `matched` replaces the last matched event."""

    target: str | None
    wanted: str = ""
    found: Any = None
    why: str = ""
    matched: Properties | None = None


@dataclass(frozen=True)
class End:
    """The journey ends here with a reason."""

    reason: str


@dataclass(frozen=True)
class Ask:
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
