"""Event, where and key of exits, goals and `wait_for`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.audience.event_match import EVENT_MATCH_FIELDS, EventMatch, read_key
from engine.document import read_document
from engine.grammar import INVALID, Reader, Shape


def read(text: str) -> tuple[Any, list[str]]:
    def build(event: str, where: Any, key: Any) -> EventMatch:
        return EventMatch(event, where, key)

    node, _ = read_document(text.encode(), "j.yaml")
    assert node is not None
    reader = Reader("j.yaml")
    return Shape("an exit rule", EVENT_MATCH_FIELDS, build).read(node, reader), [str(p) for p in reader.problems]


def test_an_event_match_tells_itself_in_a_sentence() -> None:
    match, problems = read(
        "{event: order_completed, where: {event.total: {gte: 5}, entered.shop: a}, key: event.cart.id}"
    )
    assert problems == []
    assert match.label() == (
        "order_completed where (all of: event.total is at least 5; entered.shop is a) with the same cart.id"
    )
    assert match.plain() == {
        "event": "order_completed",
        "where": {"all": [{"event.total": {"gte": 5}}, {"entered.shop": {"eq": "a"}}]},
        "key": "event.cart.id",
    }
    assert match.events() == {"order_completed"}


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("{where: {event.a: 1}}", "j.yaml:1:1: an exit rule lacks 'event' (the event's name)"),
        ("{event: a, key: cart_id}", "j.yaml:1:17: expected a property such as event.cart_id, found 'cart_id'"),
        ("{event: a, key: event.items.*.id}", "j.yaml:1:17: 'event.items.*.id' is a list; one value is needed here"),
    ],
)
def test_a_wrong_event_match_is_refused_at_its_word(text: str, refusal: str) -> None:
    match, problems = read(text)
    assert match is INVALID
    assert problems == [refusal]


@pytest.mark.parametrize(
    ("properties", "key"),
    [
        ({"cart": {"id": "C1"}}, "C1"),
        ({"cart": {"id": ""}}, ""),
        ({"cart": {"id": 12}}, "12"),
        ({"cart": {"id": 12.0}}, "12"),
        ({"cart": {"id": 1.50}}, "1.5"),
        ({"cart": {"id": 1e21}}, "1000000000000000000000"),
        ({"cart": {"id": -0.0}}, "0"),
        ({"cart": {"id": Decimal("1.10")}}, "1.1"),
        ({"cart": {"id": True}}, "true"),
        ({"cart": {"id": None}}, None),
        ({"cart": {"id": ["C1"]}}, None),
        ({"cart": "C1"}, None),
        ({}, None),
    ],
)
def test_a_key_is_text_as_it_is_and_a_number_in_its_shortest_notation(
    properties: dict[str, Any], key: str | None
) -> None:
    assert read_key(("cart", "id"), properties) == key
    assert read_key(("carts", "0", "cart", "id"), {"carts": [properties]}) == key
    assert read_key(("carts", "1", "cart", "id"), {"carts": [properties]}) is None
