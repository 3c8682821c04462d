"""Reading conditions and segments from text, for the tests that ask about them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from engine.audience.condition import Condition, read_condition
from engine.audience.segment import Segment, read_segment
from engine.document import read_document
from engine.grammar import Declared, Invalid, Reader, Types

FILE = "segments/s.yaml"


def condition(text: str, types: Declared | Types | None = None, **place: Any) -> Condition:
    """The condition that the text says; fails when it is refused. `types`: all that is declared, or only a contact's fields."""
    found, problems = _read(text, types, **place)
    assert not isinstance(found, Invalid), problems
    return found


def refusals(text: str, types: Declared | Types | None = None, **place: Any) -> list[str]:
    """What is wrong with the condition, as `line:column: message`."""
    found, problems = _read(text, types, **place)
    assert isinstance(found, Invalid) == bool(problems)
    return problems


def _read(
    text: str,
    types: Declared | Types | None,
    *,
    tested: bool = False,
    matched: bool = True,
    has_event: bool = True,
    started_by: str | None = None,
    met: Collection[str] = (),
) -> tuple[Condition | Invalid, list[str]]:
    node, faults = read_document(text.encode(), FILE)
    assert node is not None, faults
    reader = Reader(FILE, _declared(types))
    reader.has_event, reader.started_by, reader.met = has_event, started_by, frozenset(met)
    found = read_condition(node, reader, tested=tested, matched=matched)
    return found, [str(problem).removeprefix(FILE + ":") for problem in [*faults, *reader.problems]]


def segment(text: str, types: Declared | Types | None = None) -> Segment:
    """The segment that the text says; fails when it is refused."""
    node, faults = read_document(text.encode(), FILE)
    assert node is not None, faults
    reader = Reader(FILE, _declared(types))
    found = read_segment(node, reader)
    assert not isinstance(found, Invalid), reader.problems
    return found


def _declared(types: Declared | Types | None) -> Declared:
    return types if isinstance(types, Declared) else Declared(types or {})
