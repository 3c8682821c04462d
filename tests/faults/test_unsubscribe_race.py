"""Promise P4 under fire: once an unsubscribe has been answered, no intent is written for that contact and topic."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from sqlalchemy import Engine, insert, select, text

from engine.consent.token import UnsubscribeClaims
from engine.run.deliver import Courier
from engine.run.feedback import unsubscribe
from engine.tables import send
from tests.integration.run.post_office import PostOffice
from tests.integration.run.test_deliver import HELLO
from tests.integration.run.town import Town
from tests.scripted_channel import Provider, ScriptedAdapter

ROUNDS = 1000


def test_no_intent_is_written_after_an_unsubscribe_was_answered_in_a_thousand_races(
    database: Engine, tmp_path: Path
) -> None:
    town = Town(database)
    town.apply(HELLO)
    provider = Provider()
    office = PostOffice(town, tmp_path, {"sms": ScriptedAdapter(provider)})
    _people_with_a_message_each(office)
    claims = [office.claim(1) for _ in range(ROUNDS)]
    barrier = Barrier(2, timeout=30)

    def customer() -> list[str]:
        """The state of each send at the moment when its customer has been told 'you are unsubscribed'."""
        seen = []
        for (claimed,) in claims:
            barrier.wait()
            unsubscribe(database, UnsubscribeClaims(claimed.contact_id, "offers", "sms", claimed.id), town.now)
            with database.connect() as conn:
                seen.append(conn.scalar(select(send.c.state).where(send.c.id == claimed.id)) or "")
        return seen

    def courier() -> None:
        line = Courier(office.post)
        for group in claims:
            barrier.wait()
            line.deliver(group)

    with ThreadPoolExecutor(2) as pool:
        delivering = pool.submit(courier)
        when_told = pool.submit(customer).result()
        delivering.result()
    with database.connect() as conn:
        ends = dict(conn.execute(select(send.c.id, send.c.state)).all())
    final = [ends[claimed.id] for (claimed,) in claims]
    assert [end for told, end in zip(when_told, final, strict=True) if told == "planned" and end != "withheld"] == []
    assert {"accepted", "withheld"} == set(final), "both must win now and then, else nothing was tested"
    assert len(provider.requests()) == final.count("accepted")


def _people_with_a_message_each(office: PostOffice) -> None:
    people = [office.town.person(f"p{n}", phone=f"+62812{n:08d}", first_name="Ani") for n in range(ROUNDS)]
    with office.town.engine.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO consent (contact_id, topic, channel, given, at, source) SELECT id, 'offers', 'sms', true, :now, 'test' FROM contact"
            ),
            {"now": office.town.now},
        )
        version = conn.scalar(text("SELECT version_id FROM journey"))
        now = office.town.now
        for person in people:
            enrollment = conn.scalar(
                text("""INSERT INTO enrollment (journey, version_id, contact_id, state, step, visit, entered_at, enrolled_at, arrived_at)
                        VALUES ('hello', :v, :c, 'active', 'hello', 1, :now, :now, :now) RETURNING id"""),
                {"v": version, "c": person, "now": now},
            )
            row = {
                "enrollment_id": enrollment, "step": "hello", "round": 1, "visit": 1, "contact_id": person, "journey": "hello",
                "version_id": version, "kind": "marketing", "topic": "offers", "template": "hello", "via": ["sms"],
                "priority": 50, "planned_at": now, "due_at": now, "next_at": now, "state": "planned",
            }  # fmt: skip
            conn.execute(insert(send).values(row))
