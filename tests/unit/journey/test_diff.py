"""The diff of two versions names what an author changed, step by step, and nothing else."""

from __future__ import annotations

from textwrap import dedent

from engine.document import plain, read_document
from engine.grammar import Reader
from engine.journey.diff import Written, diff
from engine.journey.journey import read_journey

BASE = """
journey: cart
topic: offers
trigger: {event: cart_updated, key: event.cart_id}
exit:
  - {event: order_completed}
steps:
  - wait: 1h
  - {id: reminder, send: cart_reminder, via: email}
  - id: click
    wait_for: {event: clicked, timeout: 23h}
    then:
      - wait: 1d
    otherwise:
      - {id: nudge, send: cart_nudge, via: [whatsapp, sms]}
  - branch:
      - when: {contact.city: Jakarta}
        do:
          - {id: voucher, send: cart_voucher, via: email}
      - otherwise: []
"""


def written(source: str) -> Written:
    node, problems = read_document(dedent(source).encode(), "journeys/cart.yaml")
    assert node is not None, problems
    reader = Reader("journeys/cart.yaml")
    journey = read_journey(node, reader, "cart")
    assert journey is not None, reader.problems
    return Written.of(journey, plain(node))


def steps(before: str, after: str) -> list[tuple[str, ...]]:
    found = diff(written(before), written(after)).steps
    return [(step.how, step.step, *step.what) for step in found]


def test_the_same_journey_in_other_words_has_no_differences() -> None:
    found = diff(written(BASE), written("# a comment" + BASE + "description: other words\n"))
    assert (found.rules, found.steps) == ((), ())


def test_a_changed_value_is_told_from_and_to() -> None:
    assert steps(BASE, BASE.replace("23h", "2d")) == [("changed", "click", "wait_for.timeout: 23h -> 2d")]


def test_a_step_without_an_id_is_put_beside_the_one_in_its_place() -> None:
    assert steps(BASE, BASE.replace("wait: 1h", "wait: 2h")) == [("changed", "steps.0", "wait: 1h -> 2h")]


def test_an_inserted_step_shifts_the_paths_of_others_and_is_the_only_difference() -> None:
    after = BASE.replace("steps:\n", "steps:\n  - wait: 5m\n")
    assert steps(BASE, after) == [("added", "steps.0")]


def test_a_step_that_is_gone_is_told_where_it_stood() -> None:
    after = BASE.replace("  - {id: reminder, send: cart_reminder, via: email}\n", "")
    assert steps(BASE, after) == [("removed", "reminder")]


def test_a_renamed_id_is_one_step_gone_and_another_one_new() -> None:
    found = steps(BASE, BASE.replace("id: nudge", "id: push"))
    assert sorted(found) == [("added", "push"), ("removed", "nudge")]


def test_a_step_taken_out_of_its_list_has_moved() -> None:
    line = "      - {id: nudge, send: cart_nudge, via: [whatsapp, sms]}\n"
    after = BASE.replace("    otherwise:\n" + line, "").replace("  - branch:", line[4:] + "  - branch:")
    assert steps(BASE, after) == [("moved", "nudge", "now after click")]


def test_two_steps_that_change_places_are_one_move() -> None:
    two = BASE + "  - {id: last, send: bye, via: email}\n  - {id: very_last, send: bye, via: email}\n"
    swapped = BASE + "  - {id: very_last, send: bye, via: email}\n  - {id: last, send: bye, via: email}\n"
    (only,) = steps(two, swapped)
    assert only[0] == "moved"


def test_a_nested_step_is_no_change_of_the_step_around_it() -> None:
    after = BASE.replace("      - otherwise: []", "      - otherwise:\n          - {id: bye, send: bye, via: email}")
    assert steps(BASE, after) == [("added", "bye")]


def test_what_changes_beside_the_steps_is_told_too() -> None:
    after = BASE.replace("  - {event: order_completed}\n", "  - {event: order_completed}\n  - {event: left}\n")
    found = diff(written(BASE), written(after.replace("topic: offers", "topic: tips\nentry: {reentry: always}")))
    assert found.rules == (
        "topic: offers -> tips",
        "entry: new, {reentry: always}",
        "exit: [{event: order_completed}] -> [{event: order_completed}, {event: left}]",
    )
    assert found.steps == ()
