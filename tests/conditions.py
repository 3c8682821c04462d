"""Reading conditions and segments from text, for the tests that ask about them."""

from __future__ import annotations

from collections.abc import Mapping

from engine.audience.condition import Condition, read_condition
from engine.audience.segment import Segment, read_segment
from engine.document import read_document
from engine.grammar import FieldType, Invalid, Reader

FILE = "segments/s.yaml"


def condition(
    text: str,
    fields: Mapping[str, FieldType] | None = None,
    *,
    tested: bool = False,
    matched: bool = True,
    has_event: bool = True,
) -> Condition:
    """The condition that the text says; fails when it is refused."""
    found, problems = _read(text, fields, tested=tested, matched=matched, has_event=has_event)
    assert not isinstance(found, Invalid), problems
    return found


def refusals(
    text: str,
    fields: Mapping[str, FieldType] | None = None,
    *,
    tested: bool = False,
    matched: bool = True,
    has_event: bool = True,
) -> list[str]:
    """What is wrong with the condition, as `line:column: message`."""
    found, problems = _read(text, fields, tested=tested, matched=matched, has_event=has_event)
    assert isinstance(found, Invalid) == bool(problems)
    return problems


def _read(
    text: str, fields: Mapping[str, FieldType] | None, *, tested: bool, matched: bool, has_event: bool
) -> tuple[Condition | Invalid, list[str]]:
    node, faults = read_document(text.encode(), FILE)
    assert node is not None, faults
    reader = Reader(FILE, fields)
    reader.has_event = has_event
    found = read_condition(node, reader, tested=tested, matched=matched)
    return found, [str(problem).removeprefix(FILE + ":") for problem in [*faults, *reader.problems]]


def segment(text: str, fields: Mapping[str, FieldType] | None = None) -> Segment:
    """The segment that the text says; fails when it is refused."""
    node, faults = read_document(text.encode(), FILE)
    assert node is not None, faults
    reader = Reader(FILE, fields)
    found = read_segment(node, reader)
    assert not isinstance(found, Invalid), reader.problems
    return found
