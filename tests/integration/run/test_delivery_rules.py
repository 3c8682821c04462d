"""Caps, quiet hours, exits, expiry and live settings: looked at again in the transaction of the intent."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from engine.catalog import load_config
from engine.config import Cap, Delivery, Organisation, QuietHours
from engine.run.deliver import Courier
from engine.run.machines import Machines
from engine.run.settings import LiveSettings, Standing
from engine.run.why import why
from engine.store.sends import Claimed
from engine.tables import send
from engine.templates import Templates
from tests.integration.run.post_office import CONFIG, PostOffice
from tests.integration.run.town import NOON, Town
from tests.scripted_channel import Provider, ScriptedAdapter


def journey(name: str, delivery: str = "{}", template: str = "hello", kind: str = "marketing", more: str = "") -> str:
    topic = "topic: offers" if kind == "marketing" else "kind: transactional"
    return f"""
journey: {name}
{topic}
trigger: {{event: signed_up}}
delivery: {delivery}
{more}
steps:
  - {{send: {template}, via: [sms]}}
"""


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def office(town: Town, provider: Provider, tmp_path: Path) -> PostOffice:
    texts = {"low": "low", "high": "high"}
    return PostOffice(town, tmp_path, {"sms": ScriptedAdapter(provider)}, texts)


def sign_up(office: PostOffice, count: int = 1) -> list[int]:
    people = []
    for number in range(count):
        person = office.town.person(f"p{number}", phone=f"+628120000{number:04d}", first_name=f"Ani{number}")
        office.consents(person, "offers")
        office.town.does(person, "signed_up")
        people.append(person)
    office.town.settle()
    return people


def held(office: PostOffice) -> list[tuple[object, ...]]:
    with office.town.engine.connect() as conn:
        columns = (send.c.template, send.c.state, send.c.held, send.c.next_at)
        return [tuple(row) for row in conn.execute(select(*columns).order_by(send.c.template))]


def went(office: PostOffice) -> list[str]:
    """The templates of what was accepted."""
    return [row[0] for row in held(office) if row[1] == "accepted"]  # type: ignore[misc]


# --- caps -------------------------------------------------------------------------------------------------------------


def test_of_two_messages_due_together_the_cap_lets_the_one_of_higher_priority_through(
    office: PostOffice,
) -> None:
    cap = "{{cap: {{max: 1, per: 1d, then: {then}}}, priority: {priority}}}"
    office.town.apply(
        journey("a_low", cap.format(then="wait", priority=10), "low"),
        journey("z_high", cap.format(then="skip", priority=90), "high"),
    )
    sign_up(office)
    office.deliver()
    assert went(office) == ["high"]
    assert held(office) == [
        ("high", "accepted", None, NOON),
        ("low", "planned", "cap", NOON + timedelta(days=1)),
    ]
    office.town.later(days=1)
    office.deliver()
    assert went(office) == ["high", "low"]


def test_a_cap_of_config_yaml_counts_every_journey_and_withholds_with_its_reason(office: PostOffice) -> None:
    office.standing = replace(office.standing, config=replace(CONFIG, delivery=Delivery(cap=Cap(1, timedelta(days=7)))))
    office.town.apply(journey("first"), journey("second"), journey("receipt", kind="transactional"))
    (person,) = sign_up(office)
    office.deliver()
    assert sorted(office.states()) == [("accepted", None), ("accepted", None), ("withheld", "cap")]
    with office.town.engine.connect() as conn:
        told = [message["because"] for message in why(conn, person)["messages"]]
    assert told.count("the contact has had as many messages as the cap allows") == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_couriers_with_one_person_do_not_both_pass_a_cap_of_one(office: PostOffice, order: tuple[int, int]) -> None:
    """Whoever has the contact's row first: the message of lower priority makes way, or comes too late."""
    office.town.apply(
        journey("low", "{cap: {max: 1, per: 1d}, priority: 10}", "low"),
        journey("high", "{cap: {max: 1, per: 1d}, priority: 90}", "high"),
    )
    sign_up(office, 5)
    claims: list[list[Claimed]] = [[], []]
    for claimed in office.claim(10):
        claims[claimed.journey == "high"].append(claimed)
    gate = Barrier(2)

    def deliver(group: list[Claimed]) -> None:
        gate.wait()
        for one in group:
            Courier(office.post).deliver([one])

    threads = [Thread(target=deliver, args=(claims[which],)) for which in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert went(office) == ["high"] * 5
    office.town.later(seconds=1)
    office.deliver()
    assert office.states().count(("withheld", "cap")) == 5


# --- quiet hours ------------------------------------------------------------------------------------------------------


def test_what_falls_into_quiet_hours_waits_for_their_end_in_the_zone_of_the_contact(office: PostOffice) -> None:
    office.town.apply(journey("night", '{quiet_hours: {from: "21:00", to: "08:00"}}'))
    office.town.now = NOON.replace(hour=14)  # 21:00 in Jakarta, 23:00 in Jayapura
    here, there = (office.town.person(f"p{n}", phone=f"+62812000000{n}", first_name="Ani") for n in (1, 2))
    office.town.change(there, timezone="Asia/Jayapura")
    for person in (here, there):
        office.consents(person, "offers")
        office.town.does(person, "signed_up")
    office.town.settle()
    office.deliver()
    eight = NOON.replace(day=2, hour=1)
    assert [row[1:] for row in held(office)] == [
        ("planned", "quiet_hours", eight),
        ("planned", "quiet_hours", eight - timedelta(hours=2)),
    ]
    office.town.now = eight - timedelta(microseconds=1)
    office.deliver()
    assert [state for state, _ in office.states()] == ["planned", "accepted"]
    office.town.now = eight
    office.deliver()
    assert [state for state, _ in office.states()] == ["accepted", "accepted"]


def test_quiet_hours_of_config_yaml_hold_from_the_next_message_on(office: PostOffice) -> None:
    office.town.apply(journey("plain"))
    sign_up(office)
    quiet = QuietHours(time(18), time(20))  # noon in UTC is seven in the evening in Jakarta
    office.standing = replace(office.standing, config=replace(CONFIG, delivery=Delivery(quiet_hours=quiet)))
    office.deliver()
    assert [row[2] for row in held(office)] == ["quiet_hours"]


# --- exits and expiry -------------------------------------------------------------------------------------------------


def test_an_exit_that_came_while_the_message_was_held_withholds_it(office: PostOffice, provider: Provider) -> None:
    office.town.apply(
        journey("night", '{quiet_hours: {from: "18:00", to: "08:00"}}', more="exit: [{when: {contact.vip: true}}]")
    )
    (person,) = sign_up(office)
    office.deliver()
    with office.town.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE contact SET traits = traits || '{\"vip\": true}' WHERE id = %s", (person,))
    office.town.now = NOON.replace(day=2, hour=1)
    office.deliver()
    assert office.states() == [("withheld", "exited")]
    assert provider.requests() == []


def test_a_message_not_begun_in_time_is_withheld_at_that_very_instant(office: PostOffice) -> None:
    office.town.apply(journey("brief").replace("via: [sms]}", "via: [sms], expires: 2h}"))
    sign_up(office, 1)
    office.town.later(hours=2)
    office.deliver()
    assert office.states() == [("withheld", "expired")]


# --- what a message was made from -------------------------------------------------------------------------------------


def test_a_send_records_the_hashes_of_its_template_config_and_segments(office: PostOffice) -> None:
    office.town.apply(journey("plain"), segments=("segment: all\nwhere: {contact.first_name: {exists: true}}",))
    sign_up(office)
    office.deliver()
    with office.town.engine.connect() as conn:
        row = conn.execute(select(send.c.template_hash, send.c.config_hash, send.c.segments_hash)).one()
    assert row.config_hash == "the hash of config.yaml"
    assert all(row)


def test_an_edit_of_config_yaml_holds_at_once_and_a_broken_one_not_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "config.yaml"

    def write(delivery: str) -> None:
        path.write_text(f"organisation: {{name: Nada}}\nchannels: {{}}\ndelivery: {delivery}\n")
        os.utime(path, ns=(0, len(delivery)))
        settings.look()

    path.write_text("organisation: {name: Nada}\nchannels: {}\n")
    settings = LiveSettings(tmp_path, load_config(tmp_path))
    first = settings()
    write("{priority: 7}")
    second = settings()
    assert (second.config.delivery.priority, second.hash == first.hash) == (7, False)
    write("{priority: 700}")
    assert settings() == second
    assert "config.yaml:3:22" in caplog.text


def test_holdout_and_default_priority_follow_config_yaml_from_the_next_decision_on(town: Town) -> None:
    standing = Standing(CONFIG, "")
    town.machines = Machines(settings=lambda: standing)
    town.apply(journey("unranked"), journey("ranked", "{priority: 3}"))
    rows = []
    for number, rules in enumerate((Delivery(), Delivery(priority=7), Delivery(holdout=1.0))):
        standing = Standing(replace(CONFIG, delivery=rules), "")
        somebody = town.person(f"p{number}", phone=f"+628120000{number:04d}")
        town.does(somebody, "signed_up")
        town.settle()
        with town.engine.connect() as conn:
            planned = select(send.c.journey, send.c.priority).where(send.c.contact_id == somebody)
            rows.append({row.journey: row.priority for row in conn.execute(planned)})
    assert rows == [{"unranked": 50, "ranked": 3}, {"unranked": 7, "ranked": 3}, {}]
    assert [state for (state,) in town.enrollments("state")][-2:] == ["held_out", "held_out"]


def test_texts_and_templates_follow_the_organisation_of_config_yaml(office: PostOffice) -> None:
    standing = Standing(CONFIG, "")
    (office.root / "templates/sms/hello.en.txt").write_text("Hello")
    machines = Machines(settings=lambda: standing)
    templates = Templates(office.root, lambda: standing.config.organisation.locale)
    told = []
    for locale, name in (("id", "Toko Nada"), ("en", "Nada Store")):
        standing = Standing(replace(CONFIG, organisation=Organisation(name, locale=locale)), "")
        template = templates.get("sms", "hello", None)
        told.append((machines.texts.fill("{{ organisation.name }}", "", {}, {}, None), template and template.locale))
    assert told == [("Toko Nada", None), ("Nada Store", "en")]
