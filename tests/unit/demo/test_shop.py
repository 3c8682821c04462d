"""The shop of the demonstration: real purchases, the same invented people in every run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from engine.consent.address import email_address, phone_number
from engine.demo.goodbye import when_leaving, who_leaves
from engine.demo.posts import history, season
from engine.demo.shop import END, MOVED, START, Customer, chance, customers


@pytest.fixture(scope="module")
def people() -> list[Customer]:
    return customers()


def test_the_purchases_are_those_of_the_sample_moved_by_28_years(people: list[Customer]) -> None:
    purchases = [purchase for person in people for purchase in person.purchases]
    assert (len(people), len(purchases)) == (2357, 6919)
    assert MOVED.days % 7 == 0
    first, last = min(p.at for p in purchases), max(p.at for p in purchases)
    assert (first.date().isoformat(), last.date().isoformat()) == ("2025-01-01", "2026-06-30")
    assert last < END


def test_a_purchase_keeps_its_real_day_where_the_customer_lives(people: list[Customer]) -> None:
    four = next(person for person in people if person.id == "00004")
    assert [p.at.date().isoformat() for p in four.purchases] == ["2025-01-01", "2025-01-18", "2025-08-02", "2025-12-12"]
    assert [p.amount for p in four.purchases] == [29.33, 29.73, 14.96, 26.48]


def test_invented_people_can_be_reached_by_nobody_real(people: list[Customer]) -> None:
    assert all(person.email.endswith("@example.com") for person in people)
    assert len({person.email for person in people}) == len(people)
    for person in people[:100]:
        email_address(person.email)
        if person.phone is not None:
            phone_number(person.phone, None)


def test_the_same_words_always_give_the_same_chance() -> None:
    assert chance("00004", "hour") == chance("00004", "hour")
    assert 0 <= chance("a") < 1
    assert chance("a", "bc") != chance("ab", "c")


def test_every_message_has_an_id_of_its_own_and_comes_in_order_of_time(people: list[Customer]) -> None:
    posts = season(people, START, END)
    past = list(history(people, START))
    ids = [post.message["messageId"] for post in (*past, *posts)]
    assert len(set(ids)) == len(ids)
    assert [post.at for post in posts] == sorted(post.at for post in posts)
    assert all(START <= post.at < END for post in posts)
    assert all(post.at <= START for post in past)


def test_nothing_is_told_before_it_has_happened(people: list[Customer]) -> None:
    for post in season(people, START, END):
        happened = datetime.fromisoformat(post.message["timestamp"])
        assert timedelta() <= post.at - happened <= timedelta(hours=1)


def test_every_real_purchase_is_told_once(people: list[Customer]) -> None:
    posts = [*history(people, START), *season(people, START, END)]
    orders = Counter(p.message["properties"]["order_id"] for p in posts if p.message.get("event") == "Order Completed")
    assert len(orders) == 6919
    assert set(orders.values()) == {1}


def test_the_items_of_a_cart_add_up_to_its_total(people: list[Customer]) -> None:
    carts = [p.message["properties"] for p in season(people, START, END) if p.message.get("event") == "Cart Updated"]
    assert carts
    for cart in carts:
        assert round(sum(item["price"] for item in cart["items"]), 2) == cart["total"]


def test_somebody_leaves_in_a_short_demonstration_as_in_the_whole(people: list[Customer]) -> None:
    for end in (START + timedelta(weeks=2), END):
        leaver = who_leaves(people, START, end)
        assert leaver.mail
        assert START < when_leaving(leaver) < end.astimezone(UTC)
