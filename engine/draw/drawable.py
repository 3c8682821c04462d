"""What a picture needs to know of a machine: names, labels and the ways out, nothing of how it moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Labelled(Protocol):
    def label(self) -> str:
        """One line for people."""
        ...


class Rule(Labelled, Protocol):
    """An exit rule; `reason` is the word under which it ends a journey."""

    @property
    def reason(self) -> str: ...


class Gate(Protocol):
    """The entry rule, as far as a picture tells it: `where` says who may enter."""

    @property
    def where(self) -> Labelled | None: ...


class Stop(Labelled, Protocol):
    """A step of the journey as a state of its machine."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str:
        """Where the step stands in its file, such as `steps.3.then.0`; nesting is read from it."""
        ...

    @property
    def verb(self) -> str: ...

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        """The ways out: (label, id of the next state, or None for the end `completed`)."""
        ...


class Drawable(Protocol):
    """A compiled journey, seen from the drawing board."""

    @property
    def journey(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def topic(self) -> str | None: ...

    @property
    def trigger(self) -> Labelled: ...

    @property
    def entry(self) -> Gate: ...

    @property
    def exits(self) -> Sequence[Rule]: ...

    @property
    def goal(self) -> Labelled | None: ...

    @property
    def start(self) -> str | None:
        """The first state, or None if a journey has no steps."""
        ...

    @property
    def states(self) -> Mapping[str, Stop]: ...


COMPLETED = "completed"
"""The reason of the natural end, as in the language."""


def exit_reason(stop: Stop) -> str:
    """The reason under which an `exit` step ends: what its label says behind the verb, or the bare `exit`."""
    return stop.label().removeprefix("exit").lstrip(": ") or "exit"
