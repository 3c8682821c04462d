"""Events that journeys emit go round for ever where re-entry lets them and no time passes; such a circle is told."""

from __future__ import annotations

from textwrap import dedent

import pytest

from engine.document import read_document
from engine.grammar import Reader
from engine.journey.circles import endless
from engine.journey.journey import Journey, read_journey

ALWAYS = "{reentry: always}"


def journey(name: str, steps: str, trigger: str | None = None, entry: str = ALWAYS) -> Journey:
    lines = "".join(f"  {line}\n" for line in dedent(steps).strip().splitlines())
    head = f"journey: {name}\nkind: transactional\ntrigger: {trigger or f'{{event: {name}}}'}\nentry: {entry}\n"
    node, problems = read_document(f"{head}steps:\n{lines}".encode(), f"journeys/{name}.yaml")
    reader = Reader(f"journeys/{name}.yaml")
    found = read_journey(node, reader, name) if node is not None else None
    assert found is not None, [*problems, *reader.problems]
    return found


def told(*journeys: Journey) -> list[tuple[str, int, str]]:
    return [(c.journey, c.step.spot.line if c.step else 0, c.label()) for c in endless(journeys)]


def test_a_journey_that_emits_what_starts_it_goes_round_for_ever() -> None:
    assert told(journey("a", "- {send: hi, via: sms}\n- emit: a")) == [("a", 7, "a -> a")]


def test_a_circle_is_told_at_every_emit_that_leads_around() -> None:
    a = journey("a", "- emit: b\n- emit: elsewhere")
    b = journey("b", "- start: c")
    c = journey("c", "- wait: {until: contact.due, if_past: now}\n- branch: [{when: {contact.x: 1}, do: [{emit: a}]}, {otherwise: []}]", "{manual: true}")  # fmt: skip
    assert told(a, b, c) == [("a", 6, "a -> b -> c -> a"), ("c", 7, "c -> a -> b -> c")]


def test_the_end_of_a_journey_leads_on_too() -> None:
    assert told(journey("a", "- exit: done"), journey("b", "- emit: a", "{finished: a}")) == [("b", 6, "b -> a -> b")]


@pytest.mark.parametrize("entry", ["{reentry: never}", "{reentry: {after: 30d}}"])
def test_re_entry_that_is_bounded_bounds_the_circle(entry: str) -> None:
    assert told(journey("a", "- emit: b"), journey("b", "- emit: a", entry=entry)) == []


@pytest.mark.parametrize(
    "steps",
    [
        "- wait: 1d\n- emit: a",
        '- wait: {until: "09:00"}\n- emit: a',
        "- wait_for: {event: bought, timeout: 1d}\n- emit: a",
        "- wait_for: {event: bought, timeout: 1d}\n  then: [{emit: a}]",
        "- branch: [{when: {contact.x: 1}, do: [{wait: 1h}]}, {otherwise: [{exit: no}]}]\n- emit: a",
        "- repeat: {up_to: 2, every: 1d, do: [{wait: 1s}, {emit: a}]}",
    ],
)
def test_a_wait_on_every_way_to_the_emit_lets_it_go_round(steps: str) -> None:
    assert told(journey("a", steps)) == []


@pytest.mark.parametrize(
    "steps",
    [
        "- wait_for: {when: {contact.x: 1}, timeout: 1d}\n- emit: a",  # may hold at once
        "- wait_for: {event: bought, since: entry, timeout: 1d}\n- emit: a",
        "- branch: [{when: {contact.x: 1}, do: [{wait: 1h}]}, {otherwise: []}]\n- emit: a",
        "- repeat: {up_to: 2, every: 1d, while: {contact.x: 1}, do: [{wait: 1d}]}\n- emit: a",
        "- repeat: {up_to: 2, every: 1d, do: [{emit: a}]}",
        "- wait: {until: contact.due}\n- wait: 1d\n- emit: a",  # leaves out the next step
    ],
)
def test_a_wait_that_may_be_over_at_once_is_none(steps: str) -> None:
    assert len(told(journey("a", steps))) == 1
