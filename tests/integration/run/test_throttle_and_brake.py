"""How fast a journey may send, over all workers; and the brake, which stops one that sends far more than ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from engine.run import outbox
from engine.run.drain import Drain
from engine.run.hold import resume
from engine.run.settle import next_due
from engine.store import holds, workers
from engine.store.holds import Hold
from engine.tables import send
from tests.integration.run.post_office import PostOffice
from tests.integration.run.town import NOON, Town
from tests.scripted_channel import Provider, ScriptedAdapter

SLOW = """
journey: slow
topic: offers
trigger: {event: slow_began}
delivery: {throttle: 500/h}
steps:
  - {send: hello, via: [sms]}
"""
FREE = SLOW.replace("slow", "free").replace("{throttle: 500/h}", "{}")


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def office(town: Town, provider: Provider, tmp_path: Path) -> PostOffice:
    return PostOffice(town, tmp_path, {"sms": ScriptedAdapter(provider)})


def due(office: PostOffice, journey: str, count: int, at: datetime | None = None, **columns: object) -> None:
    """So many messages of a journey, each of another person, planned at `at`; with `intent_at` they have gone already."""
    at = at or office.town.now
    with office.town.engine.begin() as conn:
        version = conn.scalar(text("SELECT version_id FROM journey WHERE name = :name"), {"name": journey})
        people = conn.scalars(
            text("""
                INSERT INTO contact (phone, traits, created_at, updated_at)
                SELECT '+62812' || lpad(n::text, 7, '0'), '{"first_name": "Ani"}', :at, :at
                FROM generate_series(1, :count) n RETURNING id
            """),
            {"count": count, "at": at},
        ).all()
        given = {"people": list(people), "at": at, "journey": journey, "version": version}
        conn.execute(
            text("""
                INSERT INTO consent (contact_id, topic, channel, given, at, source)
                SELECT id, 'offers', 'sms', true, :at, 'test' FROM unnest(CAST(:people AS bigint[])) id
            """),
            given,
        )
        enrollments = conn.scalars(
            text("""
                INSERT INTO enrollment (journey, version_id, contact_id, state, step, visit, entered_at, enrolled_at, arrived_at)
                SELECT :journey, :version, id, 'active', 'hello', 1, :at, :at, :at
                FROM unnest(CAST(:people AS bigint[])) id RETURNING id
            """),
            given,
        ).all()
        row = {
            "step": "hello", "round": 1, "visit": 1, "journey": journey, "version_id": version, "kind": "marketing",
            "topic": "offers", "template": "hello", "via": ["sms"], "priority": 50, "planned_at": at, "due_at": at, "next_at": at,
            "state": "planned", **columns,
        }  # fmt: skip
        rows = [row | {"contact_id": c, "enrollment_id": e} for c, e in zip(people, enrollments, strict=True)]
        conn.execute(insert(send), rows)


def began(office: PostOffice, journey: str) -> list[datetime]:
    with office.town.engine.connect() as conn:
        query = select(send.c.intent_at).where(send.c.journey == journey, send.c.intent_at >= NOON)
        return [at for at in conn.scalars(query.order_by(send.c.due_at, send.c.id)) if at is not None]


# --- throttle ---------------------------------------------------------------------------------------------------------


def test_C32_what_is_due_at_one_instant_goes_at_the_rate_in_order_of_its_time_and_none_is_lost(
    office: PostOffice,
) -> None:
    office.town.apply(SLOW)
    due(office, "slow", 30, NOON - timedelta(minutes=1))
    due(office, "slow", 30, NOON)
    drain = Drain(office.post, 4)
    with drain.opened() as run:
        while True:
            run.drain_now()
            with office.town.engine.begin() as conn:
                after = next_due(conn, office.town.now)
            if after is None:
                break
            office.town.now = after
    drain.close()
    times = began(office, "slow")
    assert [state for state, _ in office.states()] == ["accepted"] * 60
    assert {b - a for a, b in pairwise(times)} == {timedelta(seconds=7.2)}


def test_a_throttled_journey_keeps_no_other_from_going(office: PostOffice) -> None:
    office.town.apply(SLOW, FREE)
    due(office, "slow", 40, NOON - timedelta(hours=1))
    due(office, "free", 25)
    while group := office.claim():
        office.courier.deliver(group)
    assert (len(began(office, "slow")), len(began(office, "free"))) == (1, 25)
    with office.town.engine.begin() as conn:
        assert not outbox.any_due(conn, office.post)
        assert next_due(conn, office.town.now) == NOON + timedelta(seconds=7.2)


def test_a_journey_that_can_send_over_none_but_held_channels_is_passed_over_unread(office: PostOffice) -> None:
    mailed = FREE.replace("free", "mailed").replace("via: [sms]", "via: [email]")
    office.town.apply(FREE, mailed)
    due(office, "free", 1, NOON - timedelta(hours=1))
    due(office, "mailed", 3, via=["email"])
    with office.town.engine.begin() as conn:
        conn.execute(MANY_MORE, {"journey": "free"})
        conn.execute(text("ANALYZE send"))
        holds.place(conn, Hold("channel", "sms", "the provider is down", "ani", NOON))
    with office.town.engine.begin() as conn:
        claimed = outbox.claim(conn, office.post, None, 2)
        assert [one.journey for one in claimed.claimed] == ["mailed", "mailed"]
        assert outbox.any_due(conn, office.post)
        assert _read(conn) < 300
    with office.town.engine.begin() as conn:
        holds.place(conn, Hold("channel", "email", "the provider is down", "ani", NOON))
        assert outbox.claim(conn, office.post, None, 2).claimed == []
        assert not outbox.any_due(conn, office.post)
        assert _read(conn) < 300


MANY_MORE = text("""
    INSERT INTO send (enrollment_id, step, round, visit, contact_id, journey, version_id, kind, template, via, priority, state,
        planned_at, due_at, next_at)
    SELECT -n, step, 1, 1, contact_id, journey, version_id, kind, template, via, priority, state, planned_at, due_at, next_at
    FROM send, generate_series(1, 30000) AS n WHERE journey = :journey
""")


def _read(conn: Connection) -> int:
    """How many rows of the outbox this connection has read of late, one after the other or by an index."""
    query = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'send'")
    return int(conn.execute(query).scalar_one())


def test_what_an_older_version_sends_over_an_open_channel_still_goes(office: PostOffice) -> None:
    office.town.apply(FREE.replace("via: [sms]", "via: [email]"))
    due(office, "free", 2, via=["email"])
    office.town.apply(FREE)
    due(office, "free", 2)
    with office.town.engine.begin() as conn:
        holds.place(conn, Hold("channel", "sms", "the provider is down", "ani", NOON))
        assert outbox.any_due(conn, office.post)
        assert len(outbox.claim(conn, office.post, None, 500).claimed) == 2


def test_workers_share_one_bucket(office: PostOffice) -> None:
    office.town.apply(SLOW.replace("500/h", "20/s"))
    due(office, "slow", 60)
    with office.town.engine.begin() as conn:
        first = outbox.claim(conn, office.post, None, 15)
    with office.town.engine.begin() as conn:
        other = replace(office.post, worker=workers.register(conn, office.town.now))
        second = outbox.claim(conn, other, None, 15)
    assert (len(first.claimed), len(second.claimed), first.all, second.all) == (15, 5, False, False)


def test_what_is_held_back_gives_its_token_to_the_next(office: PostOffice) -> None:
    office.town.apply(SLOW)
    due(office, "slow", 3, expires_at=NOON)
    due(office, "slow", 3)
    while group := office.claim():
        office.courier.deliver(group)
    assert office.states() == [*[("withheld", "expired")] * 3, ("accepted", None), *[("planned", None)] * 2]


# --- brake ------------------------------------------------------------------------------------------------------------


def past(office: PostOffice, count: int, ago: timedelta) -> None:
    at = NOON - ago
    due(office, "free", count, at, state="accepted", intent_at=at, ended_at=at)


def reasons(office: PostOffice) -> list[str]:
    with office.town.engine.connect() as conn:
        return [hold.reason for hold in holds.standing(conn)]


def claimed(office: PostOffice) -> int:
    with office.town.engine.begin() as conn:
        return len(outbox.claim(conn, office.post, None, 500).claimed)


def claim_all(office: PostOffice) -> int:
    total = 0
    while count := claimed(office):
        total += count
        with office.town.engine.begin() as conn:
            conn.execute(
                text(
                    "UPDATE send SET state = 'accepted', intent_at = :now, lease_until = NULL WHERE lease_until IS NOT NULL"
                ),
                {"now": office.town.now},
            )
    return total


def test_a_journey_is_paused_before_it_sends_over_five_times_its_highest_hour(office: PostOffice) -> None:
    office.town.apply(FREE, SLOW)
    past(office, 240, timedelta(days=3))
    past(office, 100, timedelta(days=2))
    past(office, 900, timedelta(days=15))  # too long ago to count
    due(office, "free", 1300)
    assert claim_all(office) == 1200
    told = "it was about to send more than 1,200 messages in an hour; the highest hour of its last 14 days had 240"
    assert reasons(office) == [f"{told}; if that is meant: alur resume free"]
    office.town.later(hours=1)
    assert claimed(office) == 0  # until a person lets it go on
    with office.town.engine.begin() as conn:
        assert resume(conn, "journey", "free", office.town.now)
    assert claim_all(office) == 100


def test_a_thousand_in_an_hour_are_no_rush_and_a_journey_that_has_just_begun_has_no_measure(office: PostOffice) -> None:
    office.town.apply(FREE)
    due(office, "free", 1100)
    assert claim_all(office) == 1100
    office.town.later(days=2)
    due(office, "free", 1000)
    assert claim_all(office) == 1000
    assert reasons(office) == []


def test_a_resumed_journey_goes_on_whatever_the_hour(office: PostOffice) -> None:
    office.town.apply(FREE)
    past(office, 1, timedelta(days=3))
    due(office, "free", 1600)
    assert claim_all(office) == 1000
    with office.town.engine.begin() as conn:
        resume(conn, "journey", "free", office.town.now)
    assert claim_all(office) == 600


def test_nobody_gets_one_message_more_than_the_steps_allow(office: PostOffice, provider: Provider) -> None:
    office.town.apply(FREE)
    due(office, "free", 2)
    with office.town.engine.begin() as conn:  # as a fault of the engine would do
        conn.execute(
            text("""
                INSERT INTO send (enrollment_id, step, round, visit, contact_id, journey, version_id, kind, topic, template, via,
                    priority, planned_at, due_at, next_at, state, intent_at)
                SELECT enrollment_id, step, 2, visit, contact_id, journey, version_id, kind, topic, template, via,
                    priority, planned_at, due_at, next_at, 'accepted', :now
                FROM send ORDER BY id LIMIT 1
            """),
            {"now": NOON},
        )
    office.deliver()
    assert provider.requests() == []
    (reason,) = reasons(office)
    assert reason.startswith("it was about to send somebody one message more than its steps allow")
    with office.town.engine.connect() as conn:
        assert [*conn.scalars(select(send.c.held).where(send.c.state == "planned"))] == ["paused", "paused"]
