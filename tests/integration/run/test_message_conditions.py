"""A journey hears what people do with its messages."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from engine.store.observations import Observation, record
from engine.tables import send
from tests.integration.run.town import Town

REMIND = """
    journey: remind
    topic: offers
    trigger: {event: cart_updated}
    entry: {reentry: always}
    exit:
      - {when: {message: {step: reminder, was: bounced}}, reason: unreachable}
    steps:
      - {id: reminder, send: cart_reminder, via: email}
      - id: click
        wait_for: {when: {message: {step: reminder, was: clicked}}, timeout: 23h}
        then: [{id: thanks, send: thanks, via: email}]
        otherwise: [{id: nudge, send: cart_nudge, via: sms}]
"""


def under_way(town: Town) -> int:
    """Somebody whose reminder has gone out; gives the send."""
    town.apply(REMIND)
    town.does(town.person("ani"), "cart_updated")
    town.settle()
    town.ends()
    with town.engine.connect() as conn:
        return int(conn.scalar(select(send.c.id).where(send.c.step == "reminder")) or 0)


def see(town: Town, *seen: Observation) -> None:
    with town.engine.begin() as conn:
        record(conn, seen, town.now)
    town.settle()


def test_a_click_ends_the_wait_for_it_at_once(town: Town) -> None:
    reminder = under_way(town)
    town.later(hours=1)
    see(town, Observation(reminder, "clicked", town.now, machine=True), Observation(reminder, "opened", town.now))
    assert town.enrollments("step") == [("click",)]
    see(town, Observation(reminder, "clicked", town.now - timedelta(minutes=1)))
    assert town.sends()[1:] == [("thanks", "planned")]


def test_a_hard_bounce_ends_the_journey_and_a_soft_one_does_not(town: Town) -> None:
    reminder = under_way(town)
    see(town, Observation(reminder, "bounced", town.now))
    assert town.enrollments("state", "reason") == [("active", None)]
    see(town, Observation(reminder, "bounced", town.now, hard=True))
    assert town.enrollments("state", "reason") == [("ended", "unreachable")]


def test_without_a_click_the_timeout_comes(town: Town) -> None:
    under_way(town)
    town.later(hours=23)
    town.settle()
    assert town.sends()[1:] == [("cart_nudge", "planned")]


def test_another_passage_does_not_hear_of_it(town: Town) -> None:
    reminder = under_way(town)
    ani = 1
    town.later(days=2)
    town.settle()
    town.ends()
    town.does(ani, "cart_updated")
    town.settle()
    town.ends()
    see(town, Observation(reminder, "clicked", town.now))
    assert town.enrollments("state", "step") == [("ended", None), ("active", "click")]
