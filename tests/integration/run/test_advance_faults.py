"""One signal that can't be decided stops nobody else and is not lost; workers at once decide each person's signals in order."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

from sqlalchemy import select, text

from engine.store import holds
from engine.store.holds import Hold
from engine.store.signals import NewSignal, put
from engine.tables import dead_letter, signal
from tests.integration.run.town import NOON, Town

CART = """
    journey: cart
    topic: offers
    trigger: {event: cart_updated, key: event.cart_id}
    steps:
      - wait: 1h
      - {id: reminder, send: cart_reminder, via: email}
"""
HELLO = """
    journey: hello
    topic: tips
    trigger: {event: signed_up}
    steps:
      - wait: 1h
      - {send: hello, via: email}
"""
MORNING = """
    journey: morning
    topic: tips
    trigger: {event: signed_up}
    steps:
      - wait: {until: "09:00"}
      - {send: hello, via: email}
"""


def _too_long_for_an_index() -> str:
    return "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))


def test_an_event_that_can_not_be_decided_becomes_a_dead_letter_and_stops_nobody(town: Town) -> None:
    town.apply(CART)
    people = [town.person(f"p{number}") for number in range(30)]
    for number, person in enumerate(people):
        town.does(person, "cart_updated", cart_id=_too_long_for_an_index() if number == 7 else "c1")
    town.does(people[7], "cart_updated", cart_id="c2")
    town.settle()
    assert len(town.enrollments()) == 30
    with town.engine.connect() as conn:
        (letter,) = conn.execute(select(dead_letter.c.source, dead_letter.c.payload)).all()
        assert conn.scalar(text("SELECT count(*) FROM signal WHERE at <= :now"), {"now": town.now}) == 0
    assert letter.source == "advance"
    assert (letter.payload["contact_id"], letter.payload["kind"]) == (people[7], "event")
    assert town.results().count("undecided") == 1


def test_a_stored_version_that_can_not_be_read_any_more_stops_no_other_journey(town: Town) -> None:
    town.apply(CART, HELLO)
    ani = town.person("ani")
    town.does(ani, "cart_updated", cart_id="c1")
    town.settle()
    with town.engine.begin() as conn:
        conn.execute(text("UPDATE journey_version SET source = 'journey: cart' WHERE journey = 'cart'"))
    town.machines = type(town.machines)({})  # as after a restart
    town.does(ani, "signed_up")
    town.settle()
    town.later(hours=1)
    town.settle()
    assert town.sends() == [("hello", "planned")]
    assert town.enrollments("state", "step")[0] == ("active", "steps.0")
    with town.engine.connect() as conn:
        (payload,) = conn.scalars(select(dead_letter.c.payload)).all()
    assert (payload["kind"], payload["journey"]) == ("timer", "cart")


def test_a_wait_that_moved_with_the_zone_does_not_fire_at_its_old_time(town: Town) -> None:
    town.apply(MORNING)
    ani = town.person("ani", timezone="Asia/Jayapura")
    town.does(ani, "signed_up")
    town.settle()
    nine = datetime(2026, 3, 2, 0, tzinfo=UTC)
    assert town.enrollments("due_at") == [(nine,)]
    town.now = nine - timedelta(minutes=5)
    town.change(ani, timezone="Asia/Jakarta")
    town.now = nine + timedelta(minutes=5)  # both the move and the old timer are due in one claim
    town.settle()
    assert town.sends() == []
    assert town.enrollments("due_at") == [(nine + timedelta(hours=2),)]
    town.now = nine + timedelta(hours=2)
    town.settle()
    town.settle()
    assert town.sends() == [("hello", "planned")]


def test_a_signal_that_reached_a_merged_contact_moves_the_survivor(town: Town) -> None:
    town.apply(HELLO)
    gone, survivor = town.person("gone"), town.person("survivor")
    town.does(survivor, "signed_up")
    town.settle()
    town.later(hours=1)
    town.settle()
    with town.engine.begin() as conn:
        conn.execute(text("UPDATE contact SET merged_into = :to WHERE id = :gone"), {"to": survivor, "gone": gone})
        put(conn, [NewSignal(gone, "send", town.now, 1, "hello", 2, None, {"state": "accepted"})])
    town.settle()
    assert town.enrollments() == [("ended", None, "completed")]
    assert town.sends() == [("hello", "planned")]


def test_workers_that_meet_at_the_same_people_never_wait_for_each_other_in_a_circle(town: Town) -> None:
    town.apply(CART)
    people = [town.person(f"p{number}") for number in range(60)]
    for turn in range(10):
        for person in people if turn % 2 else reversed(people):
            town.does(person, "page_viewed")
            if turn == 0:
                town.does(person, "cart_updated", cart_id="c1")
    begin = Barrier(4)

    def work(_: int) -> int:
        begin.wait()
        taken = 0
        while (advanced := town.advance(20)).contacts:
            taken += advanced.signals
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) <= 660
    town.settle()
    assert len(town.enrollments()) == 60
    with town.engine.connect() as conn:
        assert conn.scalars(select(signal.c.kind).where(signal.c.at <= NOON)).all() == []


def test_somebody_with_hundreds_of_signals_is_decided_in_their_order(town: Town) -> None:
    town.apply(CART)
    ani = town.person("ani")
    for number in range(120):
        town.does(ani, "cart_updated", cart_id=f"c{number}")
    assert town.advance().signals == 50
    town.settle()
    assert [key for (key,) in town.enrollments("key")] == [f"c{number}" for number in range(120)]


# --- pause ------------------------------------------------------------------------------------------------------------

VISIT = """
    journey: visit
    topic: tips
    trigger: {event: signed_up}
    exit: [{event: left_us}]
    steps:
      - wait_for: {event: product_viewed, timeout: 24h}
        then: [{send: seen, via: email}]
        otherwise: [{send: unseen, via: email}]
"""


def _pause(town: Town, journey: str) -> None:
    with town.engine.begin() as conn:
        holds.place(conn, Hold("journey", journey, "a typo", "ani", town.now))


def _resume(town: Town, journey: str) -> None:
    with town.engine.begin() as conn:
        holds.lift(conn, "journey", journey, town.now)
    town.settle()


def test_people_enter_a_paused_journey_and_begin_its_steps_on_resume(town: Town) -> None:
    town.apply(HELLO)
    _pause(town, "hello")
    town.does(town.person("ani"), "signed_up")
    town.settle()
    assert town.enrollments("state", "step") == [("active", None)]
    town.later(minutes=20)
    _resume(town, "hello")
    assert town.enrollments("state", "step", "due_at") == [("active", "steps.0", NOON + timedelta(hours=1))]


def test_what_comes_while_a_journey_is_paused_moves_nobody_until_resume(town: Town) -> None:
    town.apply(VISIT)
    ani, budi, cici = (town.person(name) for name in ("ani", "budi", "cici"))
    for person in (ani, budi, cici):
        town.does(person, "signed_up")
    town.settle()
    _pause(town, "visit")
    town.later(minutes=10)
    town.does(ani, "product_viewed")
    town.does(budi, "left_us")
    town.settle()
    assert town.sends() == []
    assert town.enrollments("state", "step") == [
        ("active", "product_viewed"),
        ("ended", None),
        ("active", "product_viewed"),
    ]
    town.later(minutes=10)
    _resume(town, "visit")
    assert town.sends() == [("seen", "planned")]
    assert town.enrollments("arrived_at")[0] == (NOON + timedelta(minutes=10),)
    town.later(hours=24)
    town.settle()
    assert town.sends() == [("seen", "planned"), ("unseen", "planned")]
