"""Nothing in a picture runs over its edge: words stay in their boxes, boxes apart, lines outside of cards."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.draw.people import People
from engine.draw.picture import compose
from engine.draw.shapes import Box, Card, Line, Picture
from engine.draw.structure import structure
from engine.draw.text import measure
from tests.unit.draw.drawn_machines import DrawnMachine, DrawnState, Words, branch, leave, machine, send, wait, wait_for
from tests.unit.draw.nested_journeys import machines, tangles

NUMBERS = st.integers(0, 10**9)


def extent(line: Line) -> Box:
    up = line.style.size * 0.75
    return Box(line.x, line.y - up, measure(line.text, line.style), up)


def inside(inner: Box, outer: Box) -> bool:
    return (
        inner.x >= outer.x
        and inner.y >= outer.y
        and inner.right <= outer.right + 0.01
        and inner.bottom <= outer.bottom + 0.01
    )


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.right - 0.01 and b.x < a.right - 0.01 and a.y < b.bottom - 0.01 and b.y < a.bottom - 0.01


def strokes(picture: Picture) -> Iterator[Box]:
    for path in picture.paths:
        for (x0, y0), (x1, y1) in pairwise(path.points):
            yield Box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))


def core(card: Card) -> Box:
    return Box(card.box.x + 1, card.box.y + 1, card.box.width - 2, card.box.height - 2)


def check(picture: Picture) -> None:
    frame = Box(0, 0, picture.width, picture.height)
    boxes = [card.box for card in picture.cards] + [chip.box for chip in picture.chips]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert all(inside(box, frame) for box in [*boxes, *strokes(picture), *map(extent, picture.lines)])
    for card in picture.cards:
        words = [extent(line) for line in card.lines]
        assert all(inside(box, card.box) for box in [*words, *(badge.box for badge in card.badges)])
        assert all(inside(extent(badge.line), badge.box) for badge in card.badges)
        assert not any(overlap(box, badge.box) for box in words for badge in card.badges)
    assert all(inside(extent(line), chip.box) for chip in picture.chips for line in chip.lines)


@settings(max_examples=80, deadline=None)
@given(machines(), st.none() | NUMBERS, st.data())
def test_no_words_leave_their_box_and_no_boxes_overlap(
    drawing: DrawnMachine, entered: int | None, data: st.DataObject
) -> None:
    standing = data.draw(st.none() | st.fixed_dictionaries(dict.fromkeys(drawing.states, NUMBERS)))
    ended = data.draw(st.none() | st.dictionaries(st.sampled_from(["completed", "bought", "merged"]), NUMBERS))
    check(compose(drawing, People(standing, entered, ended)))


@settings(max_examples=60, deadline=None)
@given(machines())
def test_no_line_runs_through_a_card(drawing: DrawnMachine) -> None:
    picture = compose(drawing, People())
    assert not any(overlap(stroke, core(card)) for stroke in strokes(picture) for card in picture.cards)


@settings(max_examples=50, deadline=None)
@given(machines())
def test_every_step_and_every_rule_has_one_card(drawing: DrawnMachine) -> None:
    ids = [card.id for card in compose(drawing, People()).cards]
    assert len(ids) == len(set(ids))
    assert set(drawing.states) <= set(ids)
    assert sum(name.startswith(":exit.") for name in ids) == len(drawing.exits)
    assert (":goal" in ids) == (drawing.goal is not None)


@pytest.mark.parametrize("number", [0, 1, 10, 200])
def test_journeys_of_any_length_stay_within_the_frame(number: int) -> None:
    check(compose(machine("long", *(send(f"mail_{count}") for count in range(number))), People()))


def test_a_long_journey_is_drawn_in_columns_that_make_it_no_higher_than_wide() -> None:
    picture = compose(machine("long", *(send(f"mail_{count}") for count in range(60))), People())
    assert picture.height <= picture.width * 1.2
    trigger, *steps, end = picture.cards
    assert (trigger.id, end.id) == (":trigger", ":completed")
    assert len({step.box.x for step in steps}) > 2


def test_the_trigger_is_on_top_and_the_end_below_everything() -> None:
    picture = compose(machine("j", send("a"), branch(("x", (wait("1d"),)), otherwise=(leave("gone"),))), People())
    assert min(picture.cards, key=lambda card: card.box.y).id == ":trigger"
    assert max(picture.cards, key=lambda card: card.box.y).id == ":completed"


def test_arms_stand_side_by_side_in_the_order_of_the_file() -> None:
    drawing = machine("j", branch(("x", (send("a"),)), ("y", (send("b"),)), otherwise=(send("c"),)))
    cards = {card.id: card.box for card in compose(drawing, People()).cards}
    assert cards["a"].y == cards["b"].y == cards["c"].y
    assert cards["a"].right < cards["b"].x < cards["b"].right < cards["c"].x


def test_arms_of_a_wait_meet_again_above_the_next_step() -> None:
    drawing = machine("j", wait_for("paid", "1d", then=(send("a"),), otherwise=(send("b"),)), send("c"))
    cards = {card.id: card.box for card in compose(drawing, People()).cards}
    assert cards["c"].y > max(cards["a"].bottom, cards["b"].bottom)
    assert cards["c"].x == pytest.approx((cards["a"].x + cards["b"].x) / 2)


def test_ways_that_leave_the_nesting_are_drawn_in_lanes_at_the_side() -> None:
    states = {
        "a": DrawnState("a", "steps.0", "send", "send a via email", (("", "b"),)),
        "b": DrawnState("b", "steps.1", "repeat", "repeat", (("again", "a"), ("done", None))),
        "c": DrawnState("c", "steps.2", "send", "send c via email", (("", None),)),
    }
    picture = compose(DrawnMachine("j", Words("t"), states, "a"), People())
    assert [path.jump for path in picture.paths].count(True) == 2
    assert [chip.about for chip in picture.chips] == ["again", "done"]
    check(picture)


@given(tangles())
def test_whatever_hangs_together_can_be_drawn(drawing: DrawnMachine) -> None:
    picture = compose(drawing, People())
    assert set(drawing.states) <= {card.id for card in picture.cards}
    assert sum(path.jump for path in picture.paths) == len(structure(drawing).jumps)


def badges(drawing: DrawnMachine, people: People) -> dict[str, str]:
    cards = compose(drawing, people).cards
    return {card.id: badge.line.text for card in cards for badge in card.badges}


def test_people_are_shown_on_steps_at_the_trigger_and_at_the_ends() -> None:
    drawing = machine(
        "j", send("a"), branch(("x", (leave("gone"),))), exits=(Words("left", "bought"),), goal=Words("paid")
    )
    people = People({"a": 1204}, 5000, {"completed": 7, "gone": 8, "bought": 9}, 6)
    assert badges(drawing, people) == {
        ":trigger": "5,000 entered",
        "a": "1,204",
        "steps.1": "0",
        "steps.1.branch.0.do.0": "8",
        ":completed": "7",
        ":exit.0": "9",
        ":goal": "6",
    }


def test_without_numbers_there_are_no_badges() -> None:
    assert badges(machine("j", send("a")), People()) == {}


def test_ends_without_a_place_of_their_own_are_listed_once() -> None:
    drawing = machine("j", branch(("x", (leave("gone"),)), otherwise=(leave("gone"),)))
    people = People(ended={"gone": 8, "merged": 2, "restarted": 0})
    assert badges(drawing, people) == {":others": "10"}
    others = next(card for card in compose(drawing, people).cards if card.id == ":others")
    assert others.about == "other ends: gone 8, merged 2"
