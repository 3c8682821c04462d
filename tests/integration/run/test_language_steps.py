"""The steps that go round, wait for a date, or try several ways, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, text

from engine.run.winner import crown_winners
from engine.store.enrollments import open_for
from engine.tables import assignment, observation, send, winner
from tests.integration.run.town import NOON, Town

WEEKLY = """
    journey: tips
    topic: tips
    trigger: {event: signed_up}
    steps:
      - repeat:
          up_to: 3
          every: 7d
          while: {did_not: {event: order_completed, within: 7d}}
          do:
            - {send: tip, via: email}
      - {send: bye, via: email}
"""


def keys(town: Town) -> list[tuple[str, int]]:
    with town.engine.connect() as conn:
        return [(row.step, row.round) for row in conn.execute(select(send.c.step, send.c.round).order_by(send.c.id))]


def test_a_repeat_sends_every_week_until_its_condition_fails(town: Town) -> None:
    town.apply(WEEKLY)
    ani, budi = town.person("ani"), town.person("budi")
    town.does(ani, "signed_up")
    town.does(budi, "signed_up")
    town.settle()
    town.ends()
    assert town.enrollments("step", "due_at") == [("steps.0", NOON + timedelta(days=7))] * 2
    town.later(days=5)
    town.does(budi, "order_completed")
    town.later(days=2)
    town.settle()
    assert keys(town) == [("tip", 1), ("tip", 1), ("tip", 2), ("bye", 1)]
    town.ends()
    town.later(days=7)
    town.settle()
    town.ends()
    town.settle()
    assert keys(town)[4:] == [("tip", 3), ("bye", 1)]


RENEWAL = """
    journey: renewal
    topic: tips
    trigger: {event: signed_up}
    steps:
      - wait: {until: contact.renewal, offset: -3d, at: "09:00"}
      - {send: soon, via: email}
      - {send: after, via: email}
"""


def test_a_wait_until_a_field_follows_the_field_and_leaves_out_the_next_step_when_it_goes(town: Town) -> None:
    town.apply(RENEWAL)
    ani, budi, citra = (
        town.person("ani", renewal="2026-03-10"),
        town.person("budi", renewal="2026-03-10"),
        town.person("citra"),
    )
    for person in (ani, budi, citra):
        town.does(person, "signed_up")
    town.settle()
    due = datetime(2026, 3, 7, 2, tzinfo=UTC)
    assert town.enrollments("step", "due_at") == [("steps.0", due), ("steps.0", due), ("after", None)]
    town.change(ani, renewal="2026-03-20")
    town.change(budi, renewal=None)
    town.settle()
    assert town.enrollments("step", "due_at")[:2] == [("steps.0", due + timedelta(days=10)), ("after", None)]
    town.now = due + timedelta(days=10)
    town.settle()
    assert sorted(town.sends()) == [("after", "planned"), ("after", "planned"), ("soon", "planned")]


TWICE = """
    journey: twice
    topic: tips
    trigger: {event: signed_up}
    steps:
      - id: first
        wait_for: {event: viewed, timeout: 1d}
      - id: second
        wait_for: {event: viewed, timeout: 1d}
      - id: third
        wait_for: {event: viewed, since: entry, timeout: 1d}
"""


def test_one_event_passes_one_wait_for_only(town: Town) -> None:
    town.apply(TWICE)
    ani = town.person("ani")
    town.does(ani, "signed_up")
    town.settle()
    for step in ("second", "third", None):
        town.does(ani, "viewed")
        town.settle()
        assert town.enrollments("step") == [(step,)]


def test_two_events_of_one_instant_pass_two(town: Town) -> None:
    town.apply(TWICE)
    ani = town.person("ani")
    town.does(ani, "signed_up")
    town.settle()
    town.does(ani, "viewed")
    town.does(ani, "viewed")
    town.settle()
    assert town.enrollments("step") == [("third",)]


def test_since_entry_an_event_counts_that_happened_before_the_step(town: Town) -> None:
    town.apply("""
        journey: entry
        topic: tips
        trigger: {event: signed_up}
        steps:
          - wait: 1d
          - wait_for: {event: viewed, since: entry, timeout: 1d}
            then: [{exit: came}]
    """)
    ani, budi = town.person("ani"), town.person("budi")
    town.does(budi, "viewed", at=NOON - timedelta(seconds=1))
    for person in (ani, budi):
        town.does(person, "signed_up")
    town.later(hours=1)
    town.does(ani, "viewed")
    town.settle()
    town.later(days=1)
    town.settle()
    assert town.enrollments("state", "reason") == [("ended", "came"), ("active", None)]


# --- experiments ------------------------------------------------------------------------------------------------------

SUBJECT = """
    journey: subject
    topic: tips
    trigger: {event: signed_up}
    entry: {reentry: always}
    goal: {event: order_completed, within: 2d}
    steps:
      - experiment:
          name: line
          variants:
            a: {weight: 50, do: [{send: first, via: email}]}
            b: {weight: 50, do: [{send: second, via: email}]}
          winner: {by: goal, after: 20, confidence: 95%}
"""


def variants(town: Town) -> dict[int, str]:
    with town.engine.connect() as conn:
        return {row.contact_id: row.variant for row in conn.execute(select(assignment))}


def winners(town: Town) -> list[str]:
    with town.engine.connect() as conn:
        return list(conn.scalars(select(winner.c.variant)))


def people(town: Town, number: int, at: int = 0) -> list[int]:
    crowd = [town.person(f"p{at + place}") for place in range(number)]
    for person in crowd:
        town.does(person, "signed_up")
    town.settle()
    return crowd


def test_a_winner_by_goal_leads_newcomers_once_enough_windows_have_closed(town: Town) -> None:
    town.apply(SUBJECT)
    people(town, 60)
    before = variants(town)
    assert set(before.values()) == {"a", "b"}
    assert town.enrollments("variants")[0][0] in ({"line": "a"}, {"line": "b"})
    for person, variant in before.items():
        if variant == "b":
            town.does(person, "order_completed")
    town.settle()
    town.later(days=2)
    assert crown_winners(town.engine, town.machines, town.now) == 0
    town.later(seconds=1)
    assert crown_winners(town.engine, town.machines, town.now) == 1
    assert crown_winners(town.engine, town.machines, town.now) == 0
    assert winners(town) == ["b"]
    town.ends()
    newcomers = people(town, 10, at=60)
    assert {variants(town)[person] for person in newcomers} == {"b"}
    old = next(person for person, variant in before.items() if variant == "a")
    town.does(old, "signed_up")
    town.settle()
    assert variants(town)[old] == "a"
    assert town.sends()[-1] == ("first", "planned")


def test_without_enough_people_or_enough_difference_nobody_wins(town: Town) -> None:
    town.apply(SUBJECT)
    people(town, 30)
    town.later(days=3)
    assert crown_winners(town.engine, town.machines, town.now) == 0
    people(town, 30, at=30)
    town.later(days=3)
    assert crown_winners(town.engine, town.machines, town.now) == 0


def test_a_winner_by_clicks_does_not_count_machines_nor_clicks_after_a_week(town: Town) -> None:
    town.apply(SUBJECT.replace("by: goal", "by: clicked"))
    people(town, 60)
    late = town.now + timedelta(days=7, seconds=1)
    with town.engine.begin() as conn:
        for row in conn.execute(select(send)).all():
            click = {"send_id": row.id, "contact_id": row.contact_id, "kind": "clicked", "at": town.now}
            if row.template == "first":
                conn.execute(insert(observation).values(click))
            else:
                conn.execute(insert(observation).values(click | {"machine": True}))
                conn.execute(insert(observation).values(click | {"at": late}))
    town.now = late
    assert crown_winners(town.engine, town.machines, town.now) == 1
    assert winners(town) == ["a"]


# --- what is looked at ------------------------------------------------------------------------------------------------


def test_a_goal_is_still_found_by_an_event_that_comes_late_after_the_end(town: Town) -> None:
    town.apply("""
        journey: bought
        topic: tips
        trigger: {event: signed_up}
        goal: {event: order_completed, within: 2d}
        steps: [{exit: done}]
    """)
    ani = town.person("ani")
    town.does(ani, "signed_up")
    town.settle()
    town.later(days=30)
    town.does(ani, "order_completed", at=NOON + timedelta(days=3))
    town.settle()
    assert town.enrollments("goal_at") == [(None,)]
    town.does(ani, "order_completed", at=NOON + timedelta(days=2))
    town.settle()
    assert town.enrollments("goal_at") == [(NOON + timedelta(days=2),)]


def test_loops_and_what_was_matched_survive_from_one_claim_to_the_next(town: Town) -> None:
    town.apply("""
        journey: round
        topic: tips
        trigger: {event: signed_up}
        steps:
          - id: laps
            repeat:
              up_to: 2
              every: 1d
              do: [{wait_for: {event: viewed, timeout: 1d}}]
    """)
    ani = town.person("ani")
    town.does(ani, "signed_up")
    town.settle()
    town.does(ani, "viewed")
    town.settle()
    (loops, matched, round_, step) = town.enrollments("loops", "matched_ids", "round", "step")[0]
    assert (loops["laps"]["round"], loops["laps"]["total"], len(matched), round_, step) == (1, 1, 1, 1, "laps")
    town.later(days=1)
    town.settle()
    with town.engine.connect() as conn:
        assert conn.scalar(text("SELECT round FROM enrollment")) == 2


def test_a_branch_after_an_update_sees_what_was_written_round_by_round(town: Town) -> None:
    town.apply("""
        journey: points
        topic: tips
        trigger: {event: signed_up}
        exit:
          - {when: {contact.points: {gte: 30}}, reason: rich}
        steps:
          - repeat:
              up_to: 5
              every: 1d
              do:
                - update: {contact.points: {add: 10}}
                - branch:
                    - when: {contact.points: {gte: 20}}
                      do: [{send: half, via: email}]
                    - otherwise: []
    """)
    ani = town.person("ani")
    town.does(ani, "signed_up")
    town.settle()
    assert town.sends() == []
    town.later(days=1)
    town.settle()
    assert town.sends() == [("half", "planned")]
    town.ends()
    town.later(days=1)
    town.settle()
    assert town.enrollments("state", "reason") == [("ended", "rich")]
    assert len(town.sends()) == 1


def test_held_out_people_run_no_step_and_their_goal_counts_from_the_trigger_on(town: Town) -> None:
    town.apply("""
        journey: control
        topic: tips
        trigger: {event: cart_updated}
        goal: {event: order_completed, within: 2d}
        exit: [{event: order_completed, reason: bought}]
        delivery: {holdout: 100%}
        steps: [{send: hello, via: email}]
    """)
    ani, budi = town.person("ani"), town.person("budi")
    town.later(hours=1)
    town.does(budi, "order_completed", at=NOON + timedelta(minutes=30))
    for person in (ani, budi):
        town.does(person, "cart_updated", at=NOON)
    town.settle()
    town.does(ani, "order_completed")
    town.settle()
    assert town.sends() == []
    assert town.enrollments("state", "goal_at") == [
        ("held_out", NOON + timedelta(hours=1)),
        ("held_out", NOON + timedelta(minutes=30)),
    ]


def test_past_enrollments_are_loaded_only_for_events_that_can_still_be_their_goal(town: Town) -> None:
    town.apply("""
        journey: often
        topic: tips
        trigger: {event: signed_up}
        entry: {reentry: always}
        goal: {event: order_completed, within: 2d}
        steps: [{exit: done}]
    """)
    ani = town.person("ani")
    for _ in range(3):
        town.does(ani, "signed_up")
        town.settle()
        town.later(days=3)
    with town.engine.connect() as conn:
        assert open_for(conn, [ani], None) == {}
        assert open_for(conn, [ani], town.now) == {}
        assert len(open_for(conn, [ani], NOON + timedelta(days=3))[ani]) == 2
