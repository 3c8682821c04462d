"""The reference of the language: whatever a journey may say stands there, with an example that works."""

from __future__ import annotations

import re

import pytest

from docs.generate import Element, elements
from engine.audience.conditions import KINDS as CONDITIONS
from engine.audience.operators import OPERATORS
from engine.audience.segment import read_segment
from engine.config import DELIVERY
from engine.document import read_document
from engine.grammar import Invalid, Reader
from engine.journey.journey import JOURNEY, read_journey
from engine.journey.machine import compile_journey
from engine.journey.rules import ENTRY, EXIT_RULES, GOAL
from engine.journey.steps import KINDS as STEPS
from engine.journey.trial_reading import EXPECT, GIVEN
from engine.journey.triggers import KINDS as TRIGGERS

ELEMENTS = list(elements())
EVERYTHING = {
    "Keys of a journey": JOURNEY.fields,
    "Triggers": TRIGGERS,
    "Keys of `entry`": ENTRY.fields,
    "Rules of `exit`": EXIT_RULES,
    "Keys of `goal`": GOAL.fields,
    "Delivery rules": DELIVERY.fields,
    "Steps": STEPS,
    "Operators": OPERATORS,
    "`given` of a test": GIVEN,
    "`expect` of a test": EXPECT,
}


@pytest.mark.parametrize("section", EVERYTHING)
def test_no_word_of_the_language_is_left_out(section: str) -> None:
    told = {element.name for element in ELEMENTS if element.section == section}
    assert set(EVERYTHING[section]) - told == set()


def test_every_word_that_begins_a_condition_is_told() -> None:
    assert {word for kind in CONDITIONS for word in kind.words} == {word for kind in CONDITIONS for word in kind.told}


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: f"{element.section}: {element.name}")
def test_an_element_has_a_description_and_an_example_that_works(element: Element) -> None:
    assert element.about
    assert element.example
    assert "null" not in element.example.split(": ")
    name = re.search(r"^(?:journey|segment): (\w+)$", element.whole, re.MULTILINE)
    assert name is not None
    node, problems = read_document(element.whole.encode(), "example.yaml")
    assert problems == []
    assert node is not None
    reader = Reader("example.yaml")
    if element.section == "Keys of a segment":
        assert not isinstance(read_segment(node, reader), Invalid), reader.problems
        return
    journey = read_journey(node, reader, name[1])
    assert reader.problems == []
    assert journey is not None
    assert compile_journey(journey).states
