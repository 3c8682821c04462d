"""Birthdays come once a year at nine in the person's morning; segments let people in and out as their membership changes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.run.occurrences import fire
from engine.run.refresh import refresh
from engine.store import occurrences
from engine.store.occurrences import Occurrence
from engine.tables import occurrence
from tests.integration.run.town import NOON, ZONE, Town

BIRTHDAY = """
    journey: birthday
    topic: offers
    trigger: {date: contact.birthday, at: "09:00"}
    steps:
      - {send: voucher, via: email}
"""
LAPSED = """
    segment: lapsed
    where:
      all:
        - did: {event: order_completed}
        - did_not: {event: order_completed, within: 90d}
"""
WIN_BACK = """
    journey: win_back
    topic: offers
    trigger: {enters: lapsed}
    entry: {reentry: {after: 30d}}
    exit: [{leaves: lapsed, reason: back}]
    steps:
      - wait: 7d
      - {send: miss_you, via: email}
"""


def fire_and_settle(town: Town) -> None:
    while fire(town.engine, town.machines, ZONE, town.now):
        pass
    town.settle()


def armed(town: Town) -> list[datetime]:
    with town.engine.connect() as conn:
        due = select(occurrence.c.due_at).where(occurrence.c.due_at.is_not(None)).order_by(occurrence.c.due_at)
        return list(conn.scalars(due))


def test_a_birthday_fires_at_nine_in_the_persons_own_zone_and_again_next_year(town: Town) -> None:
    town.person("ani", birthday="1990-03-05", timezone="Asia/Jayapura")
    town.apply(BIRTHDAY)
    assert armed(town) == [datetime(2026, 3, 5, 0, tzinfo=UTC)]
    town.now = datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC)
    fire_and_settle(town)
    assert town.sends() == []
    town.later(seconds=1)
    fire_and_settle(town)
    fire_and_settle(town)
    assert town.sends() == [("voucher", "planned")]
    assert armed(town) == [datetime(2027, 3, 5, 0, tzinfo=UTC)]
    assert town.enrollments("key", "entered_at") == [("2026-03-05", town.now)]


def test_applying_on_the_day_itself_after_nine_fires_nothing_this_year(town: Town) -> None:
    town.person("ani", birthday="1990-03-01")
    town.apply(BIRTHDAY)
    assert armed(town) == [datetime(2027, 3, 1, 2, tzinfo=UTC)]


def test_five_heartbeats_at_once_enroll_everybody_once(town: Town) -> None:
    for number in range(40):
        town.person(f"p{number}", birthday="1990-03-05")
    town.apply(BIRTHDAY)
    town.now = datetime(2026, 3, 5, 2, tzinfo=UTC)
    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(lambda _: fire(town.engine, town.machines, ZONE, town.now), range(5))) == 40
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: town.settle(), range(5)))
    assert len(town.sends()) == 40


@pytest.mark.parametrize(
    ("late", "expected"), [(timedelta(hours=24), "entered"), (timedelta(hours=24, seconds=1), "missed")]
)
def test_after_a_downtime_a_day_still_counts_and_more_is_missed(town: Town, late: timedelta, expected: str) -> None:
    town.person("ani", birthday="1990-03-05")
    town.apply(BIRTHDAY)
    town.now = datetime(2026, 3, 5, 2, tzinfo=UTC) + late
    fire_and_settle(town)
    assert town.results()[0] == expected


def test_a_leap_day_is_kept_on_28_february(town: Town) -> None:
    town.person("ani", birthday="1992-02-29")
    town.apply(BIRTHDAY)
    assert armed(town) == [datetime(2027, 2, 28, 2, tzinfo=UTC)]


def test_a_birthday_that_is_changed_or_nonsense_moves_or_disarms_the_date(town: Town) -> None:
    ani = town.person("ani", birthday="1990-03-05")
    town.apply(BIRTHDAY)
    town.change(ani, birthday="1990-04-06")
    town.settle()
    assert armed(town) == [datetime(2026, 4, 6, 2, tzinfo=UTC)]
    town.change(ani, birthday="soon")
    town.settle()
    assert armed(town) == []


def test_a_profile_change_in_the_second_before_the_heartbeat_does_not_swallow_the_birthday(town: Town) -> None:
    ani = town.person("ani", birthday="1990-03-05")
    town.apply(BIRTHDAY)
    town.now = datetime(2026, 3, 5, 2, tzinfo=UTC)
    town.change(ani, first_name="Ani")
    town.settle()
    fire_and_settle(town)
    assert len(town.sends()) == 1


def _buy(town: Town, person: int, at: datetime | None = None, **properties: Any) -> None:
    town.does(person, "order_completed", at, starts=at is None, **properties)


def test_people_enter_when_the_clock_makes_them_lapse_and_leave_when_they_buy(town: Town) -> None:
    ani, budi = town.person("ani"), town.person("budi")
    _buy(town, ani, NOON - timedelta(days=100))
    _buy(town, budi, NOON - timedelta(days=60))
    town.apply(WIN_BACK, segments=(LAPSED,))
    town.settle()
    assert town.enrollments() == [], "those who are in already are filled in silently"
    town.later(days=31)
    assert refresh(town.engine, town.machines.declared, ZONE, town.now)["lapsed"].entered == 1
    refresh(town.engine, town.machines.declared, ZONE, town.now)
    town.settle()
    assert town.enrollments("contact_id", "state") == [(budi, "active")]
    town.later(days=1)
    _buy(town, budi)
    refresh(town.engine, town.machines.declared, ZONE, town.now)
    town.settle()
    assert town.enrollments("state", "reason") == [("ended", "back")]
    town.later(days=8)
    town.settle()
    assert town.sends() == []


def test_one_who_lapses_again_comes_back_only_after_the_time_that_reentry_says(town: Town) -> None:
    budi = town.person("budi")
    town.apply(WIN_BACK.replace("30d", "92d"), segments=(LAPSED,))
    _buy(town, budi)
    entered = 0
    for _ in range(2):
        town.later(days=91)
        refresh(town.engine, town.machines.declared, ZONE, town.now)
        town.settle()
        entered = len(town.enrollments())
        _buy(town, budi)
        refresh(town.engine, town.machines.declared, ZONE, town.now)
        town.settle()
    assert entered == 1
    assert "no_reentry" in town.results()


def test_a_date_that_is_no_date_at_all_disturbs_nobody_elses(town: Town) -> None:
    town.person("net", renewal="0001-01-01")
    town.person("end", renewal="9999-12-31")
    town.person("ani", renewal="2026-03-08")
    for name, offset in (("before", "-3d"), ("after", "3d")):
        town.apply(f"""
            journey: {name}
            topic: offers
            trigger: {{date: contact.renewal, repeat: never, offset: {offset}}}
            steps: [{{send: voucher, via: email}}]
        """)
        day = 5 if offset == "-3d" else 11
        assert armed(town)[0] == datetime(2026, 3, day, 2, tzinfo=UTC)


def test_a_profile_change_while_the_date_fires_does_not_arm_it_again(town: Town) -> None:
    ani = town.person("ani", birthday="1990-03-05")
    town.apply(BIRTHDAY)
    town.now = datetime(2026, 3, 5, 2, tzinfo=UTC)
    town.change(ani, first_name="Ani")
    with ThreadPoolExecutor(1) as pool, town.engine.begin() as conn:
        (due,) = occurrences.due(conn, town.now, 10)
        advancing = pool.submit(town.settle)
        deadline = time.monotonic() + 10
        while not _somebody_waits(town) and not advancing.done() and time.monotonic() < deadline:
            time.sleep(0.01)
        occurrences.disarm(conn, "birthday", [due.contact_id])
        occurrences.arm(conn, [Occurrence("birthday", ani, date(2027, 3, 5), datetime(2027, 3, 5, 2, tzinfo=UTC))])
        conn.commit()
        advancing.result(10)
    assert armed(town) == [datetime(2027, 3, 5, 2, tzinfo=UTC)]


def _somebody_waits(town: Town) -> bool:
    with town.engine.connect() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_a_segment_that_can_not_be_read_any_more_leaves_the_others_alone(town: Town) -> None:
    _buy(town, town.person("ani"), NOON - timedelta(days=60))
    town.apply(WIN_BACK, segments=(LAPSED, LAPSED.replace("segment: lapsed", "segment: a_broken_one")))
    with town.engine.begin() as conn:
        conn.execute(text("UPDATE segment SET source = 'segment: a_broken_one' WHERE name = 'a_broken_one'"))
    town.later(days=31)
    assert refresh(town.engine, town.machines.declared, ZONE, town.now)["lapsed"].entered == 1
