"""Journeys move as they are written, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.integration.run.town import NOON, Town

CART = """
    journey: cart
    topic: offers
    trigger: {event: cart_updated, where: {event.total: {gte: 50000}}, key: event.cart_id}
    entry: {reentry: always, again: restart}
    exit:
      - {event: order_completed, key: event.cart_id, reason: bought}
    goal: {event: order_completed, key: event.cart_id, within: 7d, value: event.total}
    steps:
      - wait: 1h
      - {id: reminder, send: cart_reminder, via: email}
      - id: visit
        wait_for: {event: product_viewed, where: {event.price: {gte: 10}}, timeout: 23h}
        then:
          - branch:
              - when: {matched.price: {gte: 100}}
                do: [{send: dear, via: email}]
              - otherwise: [{send: cheap, via: email}]
        otherwise:
          - {id: nudge, send: cart_nudge, via: [whatsapp, sms]}
"""


def test_a_cart_is_reminded_after_an_hour_and_nudged_a_day_after_the_reminder(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.does(ani, "cart_updated", cart_id="c1", total=90000)
    town.settle()
    assert town.enrollments("step", "key", "due_at") == [("steps.0", "c1", NOON + timedelta(hours=1))]
    town.later(hours=1)
    town.settle()
    assert town.sends() == [("cart_reminder", "planned")]
    town.ends()
    assert town.enrollments("step") == [("visit",)]
    town.later(hours=23)
    town.settle()
    assert town.sends()[1] == ("cart_nudge", "planned")
    town.ends()
    assert town.enrollments() == [("ended", None, "completed")]


def test_a_cart_below_the_limit_starts_nothing(town: Town) -> None:
    town.apply(CART)
    town.does(town.person("ani"), "cart_updated", cart_id="c1", total=40000)
    town.settle()
    assert town.enrollments() == []


def test_an_order_ends_the_wait_of_its_own_cart_only(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    for cart in ("c1", "c2"):
        town.does(ani, "cart_updated", cart_id=cart, total=90000)
    town.settle()
    town.later(minutes=10)
    town.does(ani, "order_completed", cart_id="c1", total=90000)
    town.settle()
    assert town.enrollments() == [("ended", None, "bought"), ("active", "steps.0", None)]
    assert town.enrollments("goal_value")[0] == (90000,)


def test_a_second_update_of_the_cart_restarts_it(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.does(ani, "cart_updated", cart_id="c1", total=90000)
    town.settle()
    town.later(minutes=50)
    town.does(ani, "cart_updated", cart_id="c1", total=95000)
    town.settle()
    assert town.enrollments("state", "reason") == [("ended", "restarted"), ("active", None)]
    town.later(minutes=10)
    town.settle()
    assert town.sends() == []


def test_two_updates_taken_in_one_claim_restart_just_the_same(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.does(ani, "cart_updated", cart_id="c1", total=90000)
    town.does(ani, "cart_updated", cart_id="c1", total=95000)
    town.settle()
    assert town.enrollments("state", "reason") == [("ended", "restarted"), ("active", None)]


def test_an_order_stored_before_a_late_cart_event_ends_that_cart_at_once(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.later(hours=2)
    town.does(ani, "order_completed", at=NOON + timedelta(hours=1), cart_id="c1")
    town.does(ani, "cart_updated", at=NOON, cart_id="c1", total=90000)
    town.settle()
    assert town.enrollments("state", "reason") == [("ended", "bought")]


def test_the_matched_event_is_what_the_next_branch_sees(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.does(ani, "cart_updated", cart_id="c1", total=90000)
    town.settle()
    town.later(hours=1)
    town.settle()
    town.ends()
    town.later(hours=1)
    town.does(ani, "product_viewed", price=5)
    town.does(ani, "product_viewed", price=150)
    town.settle()
    assert town.sends()[1:] == [("dear", "planned")]


def test_an_event_that_happened_before_the_deadline_wins_over_the_timer_that_is_decided_later(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.does(ani, "cart_updated", cart_id="c1", total=90000)
    town.settle()
    town.later(hours=1)
    town.settle()
    town.ends()
    deadline = town.now + timedelta(hours=23)
    town.now = deadline + timedelta(minutes=5)
    town.does(ani, "product_viewed", at=deadline, price=20)
    town.settle()
    assert town.sends()[1:] == [("cheap", "planned")]


def test_an_event_older_than_a_day_and_an_imported_one_start_nothing(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    town.does(ani, "cart_updated", at=NOON - timedelta(hours=24, seconds=1), cart_id="c1", total=90000)
    town.does(ani, "cart_updated", starts=False, cart_id="c2", total=90000)
    town.settle()
    assert town.enrollments() == []
    assert town.results() == ["too_old"]


def test_a_contact_who_moves_zone_gets_the_clock_time_of_the_new_one(town: Town) -> None:
    town.apply("""
        journey: morning
        topic: tips
        trigger: {event: signed_up}
        steps:
          - wait: {until: "09:00"}
          - {send: hello, via: email}
    """)
    ani = town.person("ani", timezone="Asia/Jakarta")
    town.does(ani, "signed_up")
    town.settle()
    assert town.enrollments("due_at") == [(datetime(2026, 3, 2, 2, tzinfo=UTC),)]
    town.change(ani, timezone="Asia/Jayapura")
    town.settle()
    assert town.enrollments("due_at") == [(datetime(2026, 3, 2, 0, tzinfo=UTC),)]
    town.now = datetime(2026, 3, 2, 0, tzinfo=UTC)
    town.settle()
    assert town.sends() == [("hello", "planned")]
    town.now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    town.settle()
    assert len(town.sends()) == 1
