"""Asked of everybody at once, a condition holds for the same people as asked one by one."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import Connection, insert

from engine import tables
from engine.audience.segment import Segment
from engine.store.segments import members_select
from engine.store.verdicts import Subject, verdicts
from engine.store.zones import zone_values
from tests.conditions import condition
from tests.integration.audience.people import NOW, ZONE, did, member, person

QUESTIONS = (
    "did: {event: bought, count: {gte: 2}}",
    "did: {event: bought, count: {lt: 2}}",
    "not: {did: {event: bought, count: 3, within: 10d}}",
    "any: [{did: {event: bought, count: [1, 3]}}, {did: {event: seen, count: {gt: 2}}}]",
    "did: {event: bought, where: {contact.city: Jakarta, event.total: {gte: 5}}, count: {gte: 2}}",
    "did: {event: bought, where: {in_segment: vip}, sum: {total: {gte: 8}}}",
    "did: {event: bought, where: {did: {event: seen, count: {gte: 2}}}, count: {gte: 2}}",
    "did: {event: bought, where: {event.on: {day_is: [mon, tue]}}, count: {gte: 1, lt: 3}}",
    "did: {event: bought, where: {did: {event: seen, where: {event.page: home, entered.total: {gte: 5}}, count: {gte: 1}}}, avg: {total: {gt: 3}}}",
    "all: [{did: {event: bought}}, {did_not: {event: seen}}, {contact.since: {within_last: 5d}}]",
    "any: [{rfm.recency: {gte: 4}}, {rfm.group: [loyal]}]",
    "not: {value.lifetime: {gt: 100}}",
    "{nps: {exists: false}, did: {event: bought, max: {total: {gte: 4}}}}",
    "subscribed: {topic: offers}",
    "not: {subscribed: {topic: offers, via: email}}",
    "any: [{in_segment: vip}, {subscribed: {topic: news, via: [sms, email]}}]",
)


@pytest.fixture
def town(conn: Connection) -> list[int]:
    """Forty people who differ in all that is asked."""
    chance = Random(7)
    people = []
    for number in range(40):
        since = (NOW - timedelta(days=chance.randrange(10))).isoformat()
        who = person(
            conn,
            {"city": chance.choice(("Jakarta", "Medan")), "since": since},
            email=f"P{number}@example.com" if chance.random() < 0.8 else None,
            phone=f"+62812{number:07}",
            timezone=chance.choice((None, "Asia/Tokyo")),
        )
        people.append(who)
        for name in ("bought", "seen"):
            for _ in range(chance.randrange(4)):
                at = NOW - timedelta(days=chance.randrange(20))
                did(
                    conn,
                    who,
                    name,
                    at,
                    total=chance.randrange(10),
                    page=chance.choice(("home", "cart")),
                    on=at.isoformat(),
                )
        if chance.random() < 0.4:
            member(conn, who, "vip")
        if chance.random() < 0.6:
            scores = {"recency": chance.randrange(1, 6), "rfm_group": chance.choice(("loyal", "lost")), "at": NOW}
            scores |= {"lifetime": chance.randrange(200), "nps": chance.choice((None, 9))}
            conn.execute(insert(tables.score).values(contact_id=who, **scores))
        for topic in ("offers", "news"):
            for channel in ("email", "sms"):
                for _ in range(chance.randrange(3)):
                    said = {"contact_id": who, "topic": topic, "channel": channel, "given": chance.random() < 0.6}
                    conn.execute(insert(tables.consent).values(**said, at=NOW, source="test"))
        if chance.random() < 0.3:
            shut = {
                "channel": "email",
                "address": f"p{number}@example.com",
                "scope": "marketing",
                "reason": "unsubscribe",
            }
            conn.execute(insert(tables.suppression).values(**shut, source="test", at=NOW))
    return people


def test_asked_of_everybody_a_condition_holds_for_the_same_people(conn: Connection, town: list[int]) -> None:
    questions = {text: condition(text) for text in QUESTIONS}
    answers = verdicts(conn, questions, [Subject(who, who) for who in town], NOW, ZONE)
    for text, asked in questions.items():
        one_by_one = {who for who in town if answers[who, text][0]}
        members = list(conn.scalars(members_select(Segment("s", asked)), {"now": NOW, **zone_values(conn, ZONE)}))
        assert sorted(members) == sorted(one_by_one), text
        assert 0 < len(one_by_one) < len(town), text  # else the question tells nothing apart
