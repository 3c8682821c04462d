"""What `did` looks for: the events of one name, and what their properties come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.audience.demand import Demand
from engine.audience.kind import Condition, SegmentUse
from engine.document import Plain
from engine.grammar import FieldType
from engine.moments import Window

Word = Literal["sum", "avg", "min", "max"]


@dataclass(frozen=True)
class Sought:
    """The events that are looked for: all up to now, or in the last `within`, both ends included."""

    name: str
    where: Condition | None
    within: Window | None

    def label(self) -> str:
        window = f" in the last {self.within.text}" if self.within else ""
        return window + (f" where ({self.where.label()})" if self.where else "")

    def plain(self) -> dict[str, Plain]:
        plain: dict[str, Plain] = {"event": self.name}
        if self.where is not None:
            plain["where"] = self.where.plain()
        if self.within is not None:
            plain["within"] = self.within.text
        return plain

    def names(self) -> frozenset[str]:
        return frozenset({self.name}) | (self.where.events() if self.where else frozenset())

    def segments_used(self) -> tuple[SegmentUse, ...]:
        return self.where.segments_used() if self.where else ()


@dataclass(frozen=True)
class Total:
    """OP on what the numbers at a path inside the properties come to. What is no number there is left out.

    The sum of no numbers is 0; their average, least and greatest are missing. `type`: what is declared of the property, under
    which a text that holds a number is one.
    """

    word: Word
    path: tuple[str, ...]
    demand: Demand
    type: FieldType | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def label(self) -> str:
        return f"{self.word} of {self.name} {self.demand.label()}"
