"""`wait_for` takes one event once, and only one that counts."""

from __future__ import annotations

from datetime import timedelta

from engine.journey.values import Answer, Happened
from tests.unit.journey.passage import NOON, Passage, passage

TWO = """
- id: first
  wait_for: {event: viewed, timeout: 1d}
- id: second
  wait_for: {event: viewed, since: entry, timeout: 2d}
"""


def viewed(number: int) -> Answer:
    return Answer(True, {"id": number, "occurred_at": NOON.isoformat(), "properties": {"n": number}})


def question(person: Passage, path: str) -> Happened:
    found = [each for each in person.asked if each.path == path]
    assert isinstance(found[-1], Happened)
    return found[-1]


def test_an_event_counts_from_arrival_on_or_with_since_entry_from_the_trigger_on() -> None:
    ani = passage(TWO)
    ani.later(days=1)
    first, second = question(ani, "steps.0.wait_for"), question(ani, "steps.1.wait_for")
    assert (first.since, first.until) == (NOON, NOON + timedelta(days=1))
    assert second.since == NOON
    assert ani.standing.due_at == NOON + timedelta(days=3)


def test_an_event_that_has_passed_one_wait_for_is_used_up() -> None:
    ani = passage(TWO, answers={"steps.0.wait_for": viewed(41)})
    assert ani.standing.step == "second"
    assert ani.standing.matched_ids == (41,)
    assert ani.standing.matched == {"n": 41}
    assert question(ani, "steps.1.wait_for").unused


def test_what_is_asked_of_the_matched_event_by_an_exit_rule_is_asked_anew() -> None:
    head = """
        trigger: {event: signed_up}
        exit:
          - {when: {matched.n: 41}, reason: seen}
    """
    ani = passage(TWO, head)
    before = sum(each.path == "exit.0" for each in ani.asked)
    ani.answers["steps.0.wait_for"] = viewed(41)
    ani.signal("profile")
    assert sum(each.path == "exit.0" for each in ani.asked) == before + 2
