"""What an operator is: what stands behind its word, and how a sentence says it. What it asks: `engine.audience.sql.operators`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from engine.document import Plain
from engine.grammar import FieldType

Takes = Literal["one", "text", "list", "ends", "flag", "moment", "span", "days"]


class Given(Protocol):
    """What stands behind an operator, once read; `plain` is how it stands in the file."""

    @property
    def plain(self) -> Plain: ...

    def label(self) -> str: ...


@dataclass(frozen=True)
class Operator:
    """One word of the language.

    `takes` says what stands behind it: one value, one text, a list, two ends, true or false, a date or instant, a span of
    time, days. `asked_of`: the declared types it may be asked of, None for all; an undeclared field is asked anything.
    """

    takes: Takes
    says: Callable[[tuple[Any, ...]], str]
    about: str
    example: str  # a condition as an author writes it
    ordered: bool = False  # needs a type that has an order
    asked_of: tuple[FieldType, ...] | None = None
