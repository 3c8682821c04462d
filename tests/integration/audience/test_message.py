"""`message` and `subscribed`: what became of an enrollment's messages, and what a person allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from engine import tables
from engine.store.observations import Observation, newest_send, record
from tests.integration.audience.people import NOW, ask, holds, person

HOUR = timedelta(hours=1)
WAS = ("sent", "delivered", "opened", "clicked", "bounced", "replied")


def sent(
    conn: Connection, who: int, enrollment: int, step: str = "reminder", state: str = "accepted", **more: Any
) -> int:
    values = {
        "enrollment_id": enrollment, "step": step, "round": 1, "visit": 1, "contact_id": who, "journey": "cart", "version_id": 1,
        "kind": "marketing", "template": "cart_reminder", "via": ["email"], "priority": 50, "planned_at": NOW, "due_at": NOW,
        "next_at": NOW, "state": state, **more,
    }  # fmt: skip
    return int(conn.execute(insert(tables.send).values(values).returning(tables.send.c.id)).scalar_one())


def fates(conn: Connection, who: int, enrollment: int | None, which: str = "step: reminder") -> list[str]:
    return [was for was in WAS if holds(conn, who, f"message: {{{which}, was: {was}}}", enrollment_id=enrollment)]


@pytest.mark.parametrize(
    ("state", "seen", "fate"),
    [
        ("planned", [], []),
        ("sending", [], []),
        ("withheld", [], []),
        ("failed", [], []),
        ("unknown", [], []),
        ("accepted", [], ["sent"]),
        ("delivered", [], ["sent", "delivered"]),
        ("complained", [], ["sent", "delivered"]),
        ("bounced", [], ["sent"]),
        ("accepted", [("delivered", {})], ["sent", "delivered"]),
        ("accepted", [("opened", {}), ("clicked", {})], ["sent", "opened", "clicked"]),
        ("accepted", [("opened", {"machine": True}), ("clicked", {"machine": True})], ["sent"]),
        ("accepted", [("bounced", {"hard": False})], ["sent"]),
        ("accepted", [("bounced", {"hard": True})], ["sent", "bounced"]),
        ("accepted", [("replied", {})], ["sent", "replied"]),
    ],
)
def test_a_message_was_what_its_send_and_people_tell(
    conn: Connection, state: str, seen: list[tuple[Any, dict[str, bool]]], fate: list[str]
) -> None:
    who = person(conn)
    send = sent(conn, who, 7, state=state)
    record(conn, [Observation(send, kind, NOW, **more) for kind, more in seen], NOW)
    assert fates(conn, who, 7) == fates(conn, who, 7, "template: cart_reminder") == fate


def test_only_messages_of_this_enrollment_and_step_count(conn: Connection) -> None:
    who = person(conn)
    sent(conn, who, 7, step="other")
    sent(conn, who, 8)
    assert fates(conn, who, 7) == []
    assert fates(conn, who, 7, "template: cart_reminder") == fates(conn, who, 8) == ["sent"]
    assert fates(conn, who, None) == fates(conn, who, 9) == fates(conn, who, 7, "template: x") == []
    assert holds(conn, who, "not: {message: {step: reminder, was: sent}}")


def test_any_round_of_a_step_counts_and_the_newest_one_is_told(conn: Connection) -> None:
    who = person(conn)
    first = sent(conn, who, 7, round=1)
    sent(conn, who, 7, round=2, state="withheld")
    record(conn, [Observation(first, "clicked", NOW)], NOW)
    question = "message: {step: reminder, was: clicked}"
    assert ask(conn, who, question, enrollment_id=7) == (True, {"state": "withheld", "seen": []})
    assert ask(conn, who, question, enrollment_id=6) == (False, None)


def test_what_is_seen_in_the_future_counts_when_its_time_comes(conn: Connection) -> None:
    who = person(conn)
    send = sent(conn, who, 7)
    record(conn, [Observation(send, "opened", NOW + HOUR)], NOW)
    question = "message: {step: reminder, was: opened}"
    assert ask(conn, who, question, enrollment_id=7) == (False, {"state": "accepted", "seen": []})
    assert ask(conn, who, question, NOW + HOUR, enrollment_id=7) == (True, {"state": "accepted", "seen": ["opened"]})


def test_what_a_person_does_with_a_message_wakes_its_enrollment(conn: Connection) -> None:
    who = person(conn)
    send = sent(conn, who, 7)
    seen = [
        Observation(send, "clicked", NOW - HOUR),
        Observation(send, "opened", NOW + HOUR),
        Observation(send, "opened", NOW, machine=True),
        Observation(send, "bounced", NOW),
        Observation(send, "bounced", NOW, hard=True),
        Observation(999_999, "clicked", NOW),
    ]
    assert record(conn, seen, NOW) == 5
    signals = conn.execute(tables.signal.select().order_by(tables.signal.c.id)).all()
    told = [(row.contact_id, row.enrollment_id, row.journey, row.kind, row.at, row.data["was"]) for row in signals]
    assert told == [
        (who, 7, "cart", "profile", NOW, "clicked"),
        (who, 7, "cart", "profile", NOW + HOUR, "opened"),
        (who, 7, "cart", "profile", NOW, "bounced"),
    ]
    assert (newest_send(conn, who, "cart", "reminder"), newest_send(conn, who, "cart", "x")) == (send, None)


def says(conn: Connection, who: int, channel: str, given: bool, topic: str = "offers") -> None:
    row = {"contact_id": who, "topic": topic, "channel": channel, "given": given, "at": NOW, "source": "test"}
    conn.execute(insert(tables.consent).values(row))


def suppress(conn: Connection, channel: str, address: str, scope: str) -> None:
    row = {"channel": channel, "address": address, "scope": scope, "reason": "manual", "source": "test", "at": NOW}
    conn.execute(insert(tables.suppression).values(row))


def test_subscribed_goes_by_the_last_word_on_the_topic_on_each_channel(conn: Connection) -> None:
    who = person(conn, email="ani@example.com")
    for channel, given in (("email", True), ("sms", False), ("email", False), ("sms", True)):
        says(conn, who, channel, given)
    says(conn, who, "email", given=True, topic="news")
    says(conn, person(conn), "email", given=True)
    told = {"email": "out", "sms": "in"}
    answers = {
        "subscribed: {topic: offers}": (True, told),
        "subscribed: {topic: offers, via: sms}": (True, {"sms": "in"}),
        "subscribed: {topic: offers, via: email}": (False, {"email": "out"}),
        "subscribed: {topic: offers, via: [whatsapp, email]}": (False, {"email": "out"}),
        "subscribed: {topic: offers, via: [email, sms]}": (True, told),
        "subscribed: {topic: tips}": (False, {}),
        "not: {subscribed: {topic: tips}}": (True, {}),
    }
    assert {question: ask(conn, who, question) for question in answers} == answers


def test_a_suppressed_address_is_not_subscribed_on_its_channel(conn: Connection) -> None:
    who = person(conn, email="Ani@Example.com", phone="+628123456789")
    for channel in ("email", "sms", "whatsapp"):
        says(conn, who, channel, given=True)
    suppress(conn, "email", "ani@example.com", "marketing")
    suppress(conn, "sms", "+628123456789", "all")
    suppress(conn, "whatsapp", "+628000000000", "all")
    told = {"email": "suppressed", "sms": "suppressed", "whatsapp": "in"}
    assert ask(conn, who, "subscribed: {topic: offers}") == (True, told)
    assert not holds(conn, who, "subscribed: {topic: offers, via: [email, sms]}")


def test_a_score_compares_as_its_type_and_is_missing_before_it_is_worked_out(conn: Connection) -> None:
    ani, budi = person(conn), person(conn)
    scores = {
        "recency": 5,
        "frequency": 3,
        "monetary": 1,
        "rfm_group": "Champions",
        "lifetime": 1500000,
        "alive": 0.75,
        "tier": "gold",
        "nps": 9,
    }
    conn.execute(insert(tables.score).values(contact_id=ani, at=NOW, **scores))
    holding = {
        "rfm.recency: {gte: 4}": True,
        "rfm.frequency: [1, 2]": False,
        "rfm.monetary: 1": True,
        "rfm.group: [champions, loyal]": True,
        "value.lifetime: {between: [1000000, 2000000]}": True,
        "value.predicted: {gte: 0}": False,
        "value.predicted: {exists: false}": True,
        "value.alive: {lt: 0.75}": False,
        "value.tier: {starts_with: G}": True,
        "nps: {gte: 9}": True,
    }
    assert {question: holds(conn, ani, question) for question in holding} == holding
    assert [question for question in holding if holds(conn, budi, question)] == ["value.predicted: {exists: false}"]
    assert ask(conn, ani, "rfm.group: lost") == (False, "Champions")
