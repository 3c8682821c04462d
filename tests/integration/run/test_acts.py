"""What `update`, `emit` and `start` do, and what follows from it, on a real database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.event import listen

from engine.config import Config, Organisation
from engine.run.machines import Machines
from engine.run.settings import fixed
from engine.store.signals import NewSignal, put
from engine.tables import consent, contact, dead_letter, enrollment, event, signal
from tests.integration.run.town import NOON, ZONE, Town


@pytest.fixture
def town(town: Town) -> Town:
    config = Config(Organisation("Toko Nada", None, ZONE, "id", "ID"), {}, fields={"points": "number"})
    town.machines = Machines(config.declared, fixed(config))
    return town


def journey(name: str, steps: str, rest: str = "trigger: {event: began}") -> str:
    return f"journey: {name}\ntopic: offers\n{rest}\nsteps:\n{steps}"


def traits(town: Town, person: int) -> Any:
    with town.engine.connect() as conn:
        return conn.scalar(select(contact.c.traits).where(contact.c.id == person))


def events(town: Town) -> list[tuple[str, str, Any]]:
    with town.engine.connect() as conn:
        rows = conn.execute(select(event).where(event.c.source != "test").order_by(event.c.id))
        return [(row.name, row.source, row.properties) for row in rows]


# --- update -----------------------------------------------------------------------------------------------------------


def test_an_update_sets_adds_and_tags_and_what_follows_in_the_same_decision_sees_it(town: Town) -> None:
    town.apply(
        journey(
            "j",
            """
  - update: {contact.tier: gold, contact.points: {add: 10}, contact.home.city: Solo, tags: {add: [vip], remove: new}}
  - update: {contact.points: {add: 0.5}}
  - branch:
      - when: {contact.points: {gte: 20}, contact.tier: gold, contact.tags: {contains: vip}}
        do: [{exit: seen}]
      - otherwise: [{exit: unseen}]
""",
        )
    )
    ani = town.person("ani", points="9.5", tags=["new", "old"])
    budi = town.person("budi")
    for person in (ani, budi):
        town.does(person, "began")
    town.settle()
    assert traits(town, ani) == {"tier": "gold", "points": 20, "home": {"city": "Solo"}, "tags": ["old", "vip"]}
    assert traits(town, budi) == {"tier": "gold", "points": 10.5, "home": {"city": "Solo"}, "tags": ["vip"]}
    assert sorted(town.enrollments("reason")) == [("seen",), ("unseen",)]


def test_an_update_is_a_change_of_profile_that_other_journeys_notice(town: Town) -> None:
    town.apply(
        journey(
            "other", "  - wait: 30d", "trigger: {event: joined}\nexit: [{when: {contact.tier: gold}, reason: gilt}]"
        ),
        journey("j", "  - update: {contact.tier: gold}"),
    )
    ani = town.person("ani")
    town.does(ani, "joined")
    town.settle()
    town.does(ani, "began")
    town.settle()
    assert town.enrollments("journey", "reason") == [("other", "gilt"), ("j", "completed")]


def test_a_zone_that_is_set_moves_the_waits_that_follow(town: Town) -> None:
    town.apply(journey("j", '  - update: {contact.timezone: Asia/Jayapura}\n  - wait: {until: "23:00"}'))
    town.does(town.person("ani"), "began")
    town.settle()
    assert town.enrollments("due_at") == [(NOON + timedelta(hours=2),)]  # 23:00 in Jayapura


def test_consent_is_taken_away_with_its_proof_once(town: Town) -> None:
    town.apply(
        journey("j", "  - update: {consent: {offers: out}}", "trigger: {event: began}\nentry: {reentry: always}")
    )
    ani = town.person("ani")
    with town.engine.begin() as conn:
        given = {"contact_id": ani, "topic": "offers", "channel": "email", "given": True, "at": NOON, "source": "test"}
        conn.execute(insert(consent).values(given))
    town.later(hours=1)
    for _ in range(2):
        town.does(ani, "began")
        town.settle()
    with town.engine.connect() as conn:
        rows = conn.execute(select(consent).order_by(consent.c.id)).all()
        first = conn.scalar(select(enrollment.c.id).order_by(enrollment.c.id))
    assert [(row.channel, row.given) for row in rows] == [
        ("email", True), ("email", False), ("sms", False), ("whatsapp", False),
    ]  # fmt: skip
    assert {(row.source, row.message_id, row.at) for row in rows[1:]} == {("journey:j", f"{first}/steps.0/1", town.now)}


def test_what_can_not_be_added_to_stays_and_is_told_of_and_the_rest_is_done(town: Town) -> None:
    town.apply(journey("j", "  - update: {contact.points: {add: 1}, contact.tier: gold, contact.name.first: A}"))
    ani = town.person("ani", points="many", name="Ani")
    town.does(ani, "began")
    town.settle()
    assert traits(town, ani) == {"points": "many", "name": "Ani", "tier": "gold"}
    assert town.enrollments("reason") == [("completed",)]
    with town.engine.connect() as conn:
        reasons = list(conn.scalars(select(dead_letter.c.reason).order_by(dead_letter.c.id)))
    assert [reason.partition(": contact.")[2] for reason in reasons] == [
        "points: is no number, so that nothing can be added to it", "name.first: 'name' holds a value, no fields",
    ]  # fmt: skip
    assert town.results().count("not done") == 2


def test_a_claim_needs_as_many_statements_for_twenty_people_as_for_two(town: Town) -> None:
    town.apply(journey("j", "  - update: {contact.tier: gold, consent: {offers: out}}\n  - emit: upgraded"))
    statements: list[str] = []
    listen(town.engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement))
    numbers = []
    for people in (1, 2, 20):  # the first claim reads the journey, too
        for number in range(people):
            town.does(town.person(f"p{people}.{number}"), "began")
        statements.clear()
        town.advance()
        numbers.append(len(statements))
        town.settle()
    assert numbers[1] == numbers[2]
    assert len(events(town)) == 23


# --- emit -------------------------------------------------------------------------------------------------------------


def test_an_emitted_event_is_rendered_and_starts_journeys_and_ends_waits(town: Town) -> None:
    town.apply(
        journey("waits", "  - {wait_for: {event: given_up, timeout: 30d}}", "trigger: {event: joined}"),
        journey("other", "  - wait: 1d", "trigger: {event: given_up, where: {event.first: {gte: 1}}}"),
        journey(
            "j",
            """
  - emit: given_up
    properties:
      cart: "{{ event.cart }} of {{ contact.first_name }} at {{ organisation.name }}"
      first: 1
      items: [{sku: "{{ event.cart }}"}, true]
""",
        ),
    )
    ani = town.person("ani", first_name="Ani")
    town.does(ani, "joined")
    town.settle()
    town.later(hours=1)
    town.does(ani, "began", cart="c1")
    town.settle()
    told = {"cart": "c1 of Ani at Toko Nada", "first": 1, "items": [{"sku": "c1"}, True]}
    assert events(town) == [("given_up", "journey:j", told)]
    assert town.enrollments("journey", "state", "entered_at") == [
        ("waits", "ended", NOON), ("j", "ended", town.now), ("other", "active", town.now),
    ]  # fmt: skip


def test_an_emit_after_an_update_tells_of_the_new_profile_and_one_before_of_the_old(town: Town) -> None:
    said = '\n    properties: {tier: "{{ contact.tier }}"}'
    town.apply(journey("j", f"  - emit: a{said}\n  - update: {{contact.tier: gold}}\n  - emit: b{said}"))
    town.does(town.person("ani", tier="silver"), "began")
    town.settle()
    assert [(name, properties["tier"]) for name, _, properties in events(town)] == [("a", "silver"), ("b", "gold")]


def test_a_decision_that_is_made_twice_stores_its_event_once(town: Town) -> None:
    """As after a crash between two copies of the database, or a restored backup of the enrollments alone."""
    town.apply(journey("j", "  - wait: 1h\n  - emit: given_up"))
    ani = town.person("ani")
    town.does(ani, "began")
    town.settle()
    with town.engine.connect() as conn:
        before = dict(conn.execute(select(enrollment)).one()._mapping)
    for _ in range(2):
        town.now = NOON + timedelta(hours=1)
        with town.engine.begin() as conn:
            conn.execute(
                enrollment.update().values({k: before[k] for k in ("state", "step", "due_at", "ended_at", "reason")})
            )
            conn.execute(enrollment.update().values(visit=before["visit"]))
            conn.execute(signal.delete())
            put(conn, [NewSignal(ani, "timer", town.now, before["id"], "j", before["visit"])])
        town.settle()
    assert [name for name, *_ in events(town)] == ["given_up"]
    assert town.enrollments("reason") == [("completed",)]


def test_an_event_that_can_not_be_rendered_is_told_of_and_holds_up_nobody(town: Town) -> None:
    town.apply(journey("j", '  - emit: given_up\n    properties: {cart: "{{ event.cart }}"}'))
    for name, cart in (("ani", {}), ("budi", {"cart": "c2"})):
        town.does(town.person(name), "began", **cart)
    town.settle()
    assert [properties for *_, properties in events(town)] == [{"cart": "c2"}]
    assert town.enrollments("reason") == [("completed",)] * 2
    with town.engine.connect() as conn:
        assert conn.scalar(select(dead_letter.c.reason)) == "emit given_up: 'event.cart' is missing"


# --- start and finished -----------------------------------------------------------------------------------------------


def test_a_start_obeys_the_other_journeys_entry_rules_and_hands_over_the_event(town: Town) -> None:
    town.apply(
        journey("j", "  - start: other", "trigger: {event: began}\nentry: {reentry: always}"),
        journey("other", "  - wait: 1d", "trigger: {manual: true}\nentry: {where: {contact.tier: gold}}"),
    )
    ani, budi = town.person("ani", tier="gold"), town.person("budi", tier="tin")
    for person in (ani, ani, budi):
        town.does(person, "began", cart="c1")
        town.settle()
    others = [row for row in town.enrollments("journey", "contact_id", "event") if row[0] == "other"]
    assert others == [("other", ani, {"cart": "c1"})]
    assert {"already_in", "not_admitted"} <= set(town.results())


def test_the_end_of_a_journey_starts_one_that_waits_for_it_with_its_reason(town: Town) -> None:
    town.apply(
        journey("j", "  - wait: 1h", "trigger: {event: began}\nexit: [{event: bought}]"),
        journey("after", "  - wait: 1d", "trigger: {finished: j, reason: bought}"),
        journey("any", "  - wait: 1d", "trigger: {finished: j}"),
    )
    ani, budi = town.person("ani"), town.person("budi")
    for person in (ani, budi):
        town.does(person, "began", cart=f"c{person}")
    town.settle()
    town.does(ani, "bought")
    town.later(hours=1)
    town.settle()
    found = [row for row in town.enrollments("journey", "contact_id", "event") if row[0] != "j"]
    assert sorted(found, key=lambda row: row[:2]) == [
        ("after", ani, {"cart": f"c{ani}"}), ("any", ani, {"cart": f"c{ani}"}), ("any", budi, {"cart": f"c{budi}"}),
    ]  # fmt: skip


def test_an_end_that_nobody_waits_for_leaves_no_signal(town: Town) -> None:
    town.apply(journey("j", "  - exit: done"))
    town.does(town.person("ani"), "began")
    town.advance()
    with town.engine.connect() as conn:
        assert conn.execute(select(signal)).all() == []
