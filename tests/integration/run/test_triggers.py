"""Every trigger lets in whom it should, once, on a real database; whatever is killed, edited, moved or late meanwhile."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.config import Config, Delivery, Organisation
from engine.run import occurrences, schedule
from engine.run.machines import Machines
from engine.run.refresh import refresh
from engine.run.settings import fixed
from engine.store import scheduled
from engine.store.signals import NewSignal, put
from engine.tables import occurrence
from engine.tables import scheduled as table
from tests.integration.run.town import NOON, ZONE, Town


def segment(name: str, condition: str = "contact.color: {exists: true}") -> str:
    return f"segment: {name}\nwhere: {{{condition}}}\n"


def journey(name: str, trigger: str, entry: str = "{}", more: str = "") -> str:
    """One that sends at once and then waits, so that people are under way."""
    return (
        f"journey: {name}\ntopic: offers\ntrigger: {trigger}\nentry: {entry}\n{more}\n"
        "steps:\n  - {send: hello, via: email}\n  - {wait: 30d}\n"
    )


MORNING = datetime(2026, 3, 2, 2, tzinfo=UTC)  # Monday, 09:00 in Jakarta
AT = "2026-03-02T09:00:00+07:00"
ALL = segment("everybody")


def fire(town: Town, most: int = 5000) -> None:
    """What the heartbeat does for triggers, and what follows."""
    while occurrences.fire(town.engine, town.machines, ZONE, town.now):
        pass
    while schedule.fire(town.engine, town.machines, ZONE, town.now, most):
        pass
    town.settle()


_numbers = itertools.count()


def people(town: Town, count: int, **traits: Any) -> list[int]:
    return [town.person(f"p{next(_numbers)}", **{"color": "red", **traits}) for _ in range(count)]


def entered(town: Town) -> list[tuple[int, str]]:
    return sorted(town.enrollments("contact_id", "key"))


def firings(town: Town) -> list[tuple[str, bool, bool]]:
    """(occurrence, whether it has fired, whether it was missed)"""
    with town.engine.connect() as conn:
        rows = conn.execute(select(table).order_by(table.c.due_at))
        return [(row.occurrence, row.fired_at is not None, row.missed) for row in rows]


# --- leaves -----------------------------------------------------------------------------------------------------------


def test_who_leaves_a_segment_enters_at_the_refresh_that_finds_it(town: Town) -> None:
    ani, _ = people(town, 2)
    town.apply(journey("bye", "{leaves: everybody}"), segments=(ALL,))
    town.change(ani, color=None)
    town.settle()
    assert town.enrollments() == []
    refresh(town.engine, town.machines.declared, ZONE, town.now)
    refresh(town.engine, town.machines.declared, ZONE, town.now)
    town.settle()
    assert entered(town) == [(ani, "")]


def test_C22_who_leaves_and_comes_back_is_not_let_in_again_unless_the_journey_says_so(town: Town) -> None:
    (ani,) = people(town, 1, color=None)
    once, again = (
        journey("once", "{enters: everybody}"),
        journey("again", "{enters: everybody}", "{reentry: always, again: restart}"),
    )
    town.apply(once, again, segments=(ALL,))
    for color in ("red", None, "red"):
        town.change(ani, color=color)
        refresh(town.engine, town.machines.declared, ZONE, town.now)
        town.settle()
        town.later(days=1)
    assert sorted(town.enrollments("journey")) == [("again",), ("again",), ("once",)]
    assert "already_in" in town.results()


# --- broadcast --------------------------------------------------------------------------------------------------------


def test_C19_a_broadcast_to_three_overlapping_segments_reaches_everybody_once(town: Town) -> None:
    reds = people(town, 3, size="big")
    blues = people(town, 2, color="blue", size="big")
    people(town, 1, color="green")
    parts = (
        segment("red", "contact.color: red"),
        segment("big", "contact.size: big"),
        segment("warm", "contact.color: [red, orange]"),
    )
    town.apply(journey("news", f'{{at: "{AT}", segment: [red, big, warm]}}', "{reentry: always}"), segments=parts)
    town.now = MORNING - timedelta(seconds=1)
    fire(town)
    assert town.enrollments() == []
    town.now = MORNING
    fire(town)
    fire(town)
    assert entered(town) == [(n, "2026-03-02T02:00:00Z") for n in sorted(reds + blues)]
    assert town.enrollments("entered_at")[0] == (MORNING,)


def test_C21_five_heartbeats_at_once_signal_each_member_once(town: Town) -> None:
    people(town, 50)
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}', "{reentry: always}"), segments=(ALL,))
    town.now = MORNING

    def beat(_: int) -> None:
        while schedule.fire(town.engine, town.machines, ZONE, town.now, most=7):
            pass

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(beat, range(5)))
    while schedule.fire(town.engine, town.machines, ZONE, town.now):  # the last one may have passed over a locked row
        pass
    with town.engine.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM signal WHERE kind = 'schedule'")) == 50
    town.settle()
    assert len(town.sends()) == 50


def test_a_firing_that_is_killed_half_way_goes_on_where_it_was(town: Town) -> None:
    everybody = people(town, 5)
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}'), segments=(ALL,))
    town.now = MORNING
    assert schedule.fire(town.engine, town.machines, ZONE, town.now, most=2) == 1
    town.settle()
    assert len(town.enrollments()) == 2
    town.machines = Machines()  # another process
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}').replace("30d", "40d"), segments=(ALL,))
    town.later(hours=5)
    fire(town)
    assert [contact for contact, _ in entered(town)] == everybody
    assert firings(town) == [("2026-03-02T02:00:00Z", True, False)]


def test_applying_never_fires_an_instant_already_past_and_an_edit_sends_no_broadcast_twice(town: Town) -> None:
    people(town, 2)
    town.now = MORNING
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}'), segments=(ALL,))
    fire(town)
    assert (town.enrollments(), firings(town)) == ([], [])
    later = "2026-03-03T09:00:00+07:00"
    town.apply(journey("news", f'{{at: "{later}", segment: everybody}}'), segments=(ALL,))
    town.later(days=1)
    fire(town)
    assert len(town.enrollments()) == 2
    town.apply(journey("news", '{at: "2026-03-04T09:00:00+07:00", segment: everybody}'), segments=(ALL,))
    town.later(days=1)
    fire(town)
    assert len(town.enrollments()) == 2
    town.apply(
        journey("news", '{at: "2026-03-05T09:00:00+07:00", segment: everybody}', "{reentry: always}"), segments=(ALL,)
    )
    town.later(days=1)
    fire(town)
    assert len(town.enrollments()) == 4


def test_an_instant_that_is_moved_before_it_comes_fires_at_the_new_one_only(town: Town) -> None:
    people(town, 1)
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}'), segments=(ALL,))
    town.apply(journey("news", '{at: "2026-03-02T10:00:00+07:00", segment: everybody}'), segments=(ALL,))
    town.now = MORNING
    fire(town)
    assert town.enrollments() == []
    town.later(hours=1)
    fire(town)
    assert town.enrollments("key") == [("2026-03-02T03:00:00Z",)]


def test_a_removed_journey_fires_no_more(town: Town) -> None:
    people(town, 1)
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}'), segments=(ALL,))
    town.apply(segments=(ALL,))
    town.now = MORNING
    fire(town)
    assert town.enrollments() == []


def test_the_members_are_those_of_the_instant_even_if_no_refresh_has_seen_them(town: Town) -> None:
    lapsed = segment("lapsed", "did: {event: bought}, did_not: {event: bought, within: 1d}")
    ani = town.person("ani")
    town.does(ani, "bought", NOON - timedelta(hours=12), starts=False)
    town.apply(journey("news", f'{{at: "{AT}", segment: lapsed}}'), segments=(lapsed,))
    town.settle()
    town.now = MORNING
    fire(town)
    assert entered(town) == [(ani, "2026-03-02T02:00:00Z")]


# --- schedule ---------------------------------------------------------------------------------------------------------

WEEKLY = '{schedule: "0 9 * * mon", timezone: Asia/Jakarta, segment: everybody}'


def test_a_schedule_fires_each_time_it_comes_round_each_with_a_key_of_its_own(town: Town) -> None:
    (ani,) = people(town, 1)
    town.apply(journey("weekly", WEEKLY), segments=(ALL,))
    for week in range(3):
        town.now = MORNING + timedelta(weeks=week)
        fire(town)
    assert entered(town) == [(ani, f"2026-03-{day:02}T02:00:00Z") for day in (2, 9, 16)]
    assert firings(town)[-1] == ("2026-03-23T02:00:00Z", False, False)


def test_after_a_downtime_what_is_up_to_a_day_late_fires_and_the_rest_is_missed(town: Town) -> None:
    people(town, 1)
    town.apply(journey("daily", '{schedule: "0 9 * * *", timezone: Asia/Jakarta, segment: everybody}'), segments=(ALL,))
    town.now = MORNING + timedelta(days=4)
    fire(town)
    expected = [(f"2026-03-{day:02}T02:00:00Z", True, day < 5) for day in range(2, 7)]
    assert firings(town) == [*expected, ("2026-03-07T02:00:00Z", False, False)]
    assert [key for _, key in entered(town)] == ["2026-03-05T02:00:00Z", "2026-03-06T02:00:00Z"]
    with town.engine.connect() as conn:
        (row,) = scheduled.overview(conn)
    assert (row["missed"], row["people"], row["next"]) == (3, 1, MORNING + timedelta(days=5))


def test_a_broadcast_over_a_day_late_is_missed(town: Town) -> None:
    people(town, 1)
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}'), segments=(ALL,))
    town.now = MORNING + timedelta(hours=24, seconds=1)
    fire(town)
    assert (town.enrollments(), firings(town)) == ([], [("2026-03-02T02:00:00Z", True, True)])


def test_editing_a_schedule_arms_what_comes_next_and_nothing_that_has_been(town: Town) -> None:
    people(town, 1)
    town.apply(journey("weekly", WEEKLY), segments=(ALL,))
    town.now = MORNING
    fire(town)
    town.apply(journey("weekly", WEEKLY.replace("0 9", "30 8")), segments=(ALL,))
    town.apply(journey("weekly", WEEKLY.replace("0 9", "0 9")), segments=(ALL,))
    fire(town)
    assert len(town.enrollments()) == 1
    assert firings(town)[1:] == [("2026-03-09T02:00:00Z", False, False)]


def test_a_paused_journey_still_lets_people_in_at_its_time(town: Town) -> None:
    people(town, 1)
    town.apply(journey("weekly", WEEKLY), segments=(ALL,))
    with town.engine.begin() as conn:
        conn.execute(
            text("INSERT INTO hold (scope, name, reason, by, at) VALUES ('journey', 'weekly', 'r', 'b', :at)"),
            {"at": NOON},
        )
    town.now = MORNING
    fire(town)
    assert town.enrollments("state") == [("active",)]
    assert town.sends() == []


# --- dates ------------------------------------------------------------------------------------------------------------

HOLIDAYS = '{dates: [2026-03-05, 2026-12-25], offset: -3d, at: "09:00", segment: everybody}'


def test_a_holiday_comes_at_nine_of_each_persons_clock_for_who_is_in_the_segment(town: Town) -> None:
    east, west = (
        town.person("e", color="red", timezone="Asia/Jayapura"),
        town.person("w", color="red", timezone="America/New_York"),
    )
    town.person("x")
    town.apply(journey("feast", HOLIDAYS), segments=(ALL,))
    new = town.person("n", color="red")
    town.change(new)
    town.settle()
    seen = []
    for hour in (0, 2, 14):
        town.now = datetime(2026, 3, 2, hour, tzinfo=UTC)
        fire(town)
        seen.append([contact for contact, _ in entered(town)])
    assert seen == [[east], [east, new], [east, west, new]]
    assert {key for _, key in entered(town)} == {"2026-03-02"}
    with town.engine.connect() as conn:
        assert set(conn.scalars(select(occurrence.c.date))) == {date(2026, 12, 22)}


def test_adding_a_day_to_the_list_fires_it_and_no_past_one_again(town: Town) -> None:
    people(town, 1)
    days = "{dates: [2026-03-02], segment: everybody}"
    town.apply(journey("feast", days, "{reentry: always}"), segments=(ALL,))
    town.now = MORNING
    fire(town)
    for more in ("2026-03-02, 2026-03-03", "2026-03-01, 2026-03-02, 2026-03-03, 2026-03-04"):
        town.apply(journey("feast", days.replace("2026-03-02", more), "{reentry: always}"), segments=(ALL,))
        fire(town)
        town.later(days=1)
        fire(town)
    assert [key for _, key in entered(town)] == ["2026-03-02", "2026-03-03", "2026-03-04"]


BIRTHDAY = journey("birthday", "{date: contact.birthday}", "{reentry: always}")


@pytest.mark.parametrize("trigger", ["{date: contact.birthday}", "{dates: [2026-03-02], segment: everybody}"])
def test_who_moves_west_on_the_day_does_not_get_it_twice(town: Town, trigger: str) -> None:
    (ani,) = people(town, 1, birthday="1990-03-02", timezone="Asia/Jayapura")
    town.apply(journey("day", trigger, "{reentry: always, where: {contact.color: red}}"), segments=(ALL,))
    town.now = datetime(2026, 3, 2, 0, tzinfo=UTC)
    fire(town)
    town.change(ani, timezone="America/New_York")
    town.settle()
    for hours in (2, 14):
        town.now = datetime(2026, 3, 2, hours, tzinfo=UTC)
        fire(town)
    assert len(town.enrollments()) == 1


def test_one_whom_nobody_let_in_on_the_day_is_not_asked_again_after_moving_west(town: Town) -> None:
    (ani,) = people(town, 1, birthday="1990-03-02", timezone="Asia/Jayapura", color="blue")
    town.apply(journey("day", "{date: contact.birthday}", "{where: {contact.color: red}}"))
    town.now = datetime(2026, 3, 2, 0, tzinfo=UTC)
    fire(town)
    town.change(ani, timezone="America/New_York", color="red")
    town.settle()
    town.now = datetime(2026, 3, 2, 14, tzinfo=UTC)
    fire(town)
    assert town.enrollments() == []


def test_who_moves_east_beyond_the_hour_gets_it_at_once_and_once(town: Town) -> None:
    (ani,) = people(town, 1, birthday="1990-03-02")
    town.apply(BIRTHDAY)
    town.now = datetime(2026, 3, 2, 1, tzinfo=UTC)  # 08:00 in Jakarta, 10:00 in Jayapura
    town.change(ani, timezone="Asia/Jayapura")
    town.settle()
    fire(town)
    assert town.enrollments("key", "entered_at") == [("2026-03-02", town.now)]
    town.later(hours=1)
    fire(town)
    assert len(town.enrollments()) == 1


def test_an_earlier_hour_on_the_day_does_not_fire_it_again_and_setting_a_date_fires_nothing_past(town: Town) -> None:
    ani, budi = people(town, 1, birthday="1990-03-02")[0], town.person("budi")
    town.apply(BIRTHDAY)
    town.now = MORNING
    fire(town)
    town.apply(BIRTHDAY.replace("contact.birthday", 'contact.birthday, at: "11:00"'))
    town.change(budi, birthday="1990-03-02")
    town.settle()
    town.later(hours=1)
    fire(town)
    assert entered(town) == [(ani, "2026-03-02")]
    town.later(hours=1)
    fire(town)
    assert entered(town) == [(ani, "2026-03-02"), (budi, "2026-03-02")]
    town.change(budi, birthday="1990-03-01")
    town.settle()
    fire(town)
    assert len(town.enrollments()) == 2


def test_a_removed_journey_that_comes_back_on_the_day_fires_no_date_again(town: Town) -> None:
    people(town, 1, birthday="1990-03-02")
    town.apply(BIRTHDAY)
    town.now = MORNING
    fire(town)
    town.apply()
    town.apply(BIRTHDAY.replace("contact.birthday", 'contact.birthday, at: "10:00"'))
    town.later(hours=1)
    fire(town)
    assert len(town.enrollments()) == 1


# --- finished, start, manual ------------------------------------------------------------------------------------------


def test_who_finishes_a_journey_enters_the_next_with_what_started_the_first(town: Town) -> None:
    ani = town.person("ani")
    town.apply(
        "journey: first\ntopic: offers\ntrigger: {event: signed_up}\nsteps: [{branch: [{when: {event.plan: pro}, do: [{exit: pro}]}, {otherwise: []}]}]\n",
        journey("next", "{finished: first}", "{where: {event.plan: {exists: true}}, reentry: always}"),
        journey("pro", "{finished: first, reason: pro}"),
    )
    town.does(ani, "signed_up", plan="pro")
    town.settle()
    assert sorted(town.enrollments("journey", "event")) == [
        ("first", {"plan": "pro"}),
        ("next", {"plan": "pro"}),
        ("pro", {"plan": "pro"}),
    ]
    budi = town.person("budi")
    town.does(budi, "signed_up", plan="basic")
    town.settle()
    assert [row for row in town.enrollments("contact_id", "journey") if row[0] == budi] == [
        (budi, "first"),
        (budi, "next"),
    ]


def test_a_manual_enrollment_obeys_the_entry_rules_of_any_journey(town: Town) -> None:
    ani = town.person("ani")
    town.apply(
        journey("cart", "{event: cart_updated, key: event.cart_id}"),
        journey("vip", "{enters: everybody}", "{where: {contact.color: {exists: true}}}"),
        segments=(ALL,),
    )
    for name, properties in (("cart", {"cart_id": "c1"}), ("cart", {"cart_id": "c1"}), ("cart", {}), ("vip", {})):
        with town.engine.begin() as conn:
            put(
                conn,
                [NewSignal(ani, "manual", town.now, journey=name, data={"journey": name, "properties": properties})],
            )
        town.settle()
    assert town.enrollments("journey", "key", "event") == [("cart", "c1", {"cart_id": "c1"})]
    assert [result for result in town.results() if result in ("already_in", "no_key", "not_admitted")] == [
        "already_in",
        "no_key",
        "not_admitted",
    ]


# --- backfill ---------------------------------------------------------------------------------------------------------


def test_backfill_lets_in_the_members_of_the_first_apply_and_never_again(town: Town) -> None:
    members = people(town, 5)
    (late,) = people(town, 1, color=None)
    source = journey("back", "{enters: everybody}", "{backfill: true, reentry: always}")
    town.apply(source, segments=(ALL,))
    town.later(minutes=1)
    town.change(late, color="red")
    refresh(town.engine, town.machines.declared, ZONE, town.now)
    fire(town, most=2)
    assert entered(town) == [(n, "") for n in sorted([*members, late])]
    assert town.enrollments("entered_at").count((NOON,)) == 5
    town.apply(source.replace("30d", "40d"), segments=(ALL,))
    town.apply(segments=(ALL,))
    town.apply(source, segments=(ALL,))
    fire(town)
    assert len(town.enrollments()) == 6


def test_a_journey_that_says_backfill_only_in_a_later_version_enrolls_nobody_by_it(town: Town) -> None:
    people(town, 2)
    town.apply(journey("back", "{enters: everybody}"), segments=(ALL,))
    town.apply(journey("back", "{enters: everybody}", "{backfill: true}"), segments=(ALL,))
    fire(town)
    assert town.enrollments() == []


# --- holdout ----------------------------------------------------------------------------------------------------------


def test_held_out_people_get_nothing_and_their_goal_counts(town: Town) -> None:
    everybody = people(town, 40)
    more = "delivery: {holdout: 50%}\ngoal: {event: bought, within: 7d}"
    town.apply(journey("news", f'{{at: "{AT}", segment: everybody}}', more=more), segments=(ALL,))
    town.now = MORNING
    fire(town)
    held = [contact for contact, state in town.enrollments("contact_id", "state") if state == "held_out"]
    assert 8 <= len(held) <= 32
    assert len(town.sends()) == len(everybody) - len(held)
    town.later(days=1)
    town.does(held[0], "bought")
    town.settle()
    reached = [contact for contact, goal in town.enrollments("contact_id", "goal_at") if goal is not None]
    assert reached == [held[0]]


def test_the_global_holdout_of_config_keeps_the_same_people_out_of_every_journey(town: Town) -> None:
    people(town, 30)
    town.machines = Machines(settings=fixed(Config(Organisation(""), {}, delivery=Delivery(holdout=0.3))))
    sources = [journey(name, f'{{at: "{AT}", segment: everybody}}') for name in ("one", "two")]
    town.apply(
        *sources,
        sources[0].replace("journey: one\ntopic: offers", "journey: bill\nkind: transactional"),
        segments=(ALL,),
    )
    town.now = MORNING
    fire(town)
    held = {
        name: {c for c, j, s in town.enrollments("contact_id", "journey", "state") if (j, s) == (name, "held_out")}
        for name in ("one", "two", "bill")
    }
    assert held["one"] == held["two"] != set()
    assert held["bill"] == set()
