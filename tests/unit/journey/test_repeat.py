"""`repeat` goes round as often as it is written, and no step of two rounds is one send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.journey.values import Answer
from tests.unit.journey.passage import NOON, passage

WEEKLY = """
- repeat:
    up_to: 3
    every: 7d
    do:
      - {send: tip, via: email}
- exit: done
"""


def test_the_first_round_starts_at_once_and_the_others_each_a_week_after_the_first() -> None:
    ani = passage(WEEKLY)
    assert ani.sends == [("tip", 1)]
    ani.later(days=3)
    ani.sent()
    assert ani.standing.due_at == NOON + timedelta(days=7)
    ani.later(days=4)
    assert ani.sends == [("tip", 1), ("tip", 2)]
    ani.later(hours=5)
    ani.sent()
    assert ani.standing.due_at == NOON + timedelta(days=14)


def test_a_round_that_takes_longer_than_every_is_followed_by_the_next_at_once() -> None:
    ani = passage(WEEKLY)
    ani.later(days=9)
    ani.sent()
    assert ani.sends == [("tip", 1), ("tip", 2)]


def test_after_the_last_round_people_go_on_without_waiting_again() -> None:
    ani = passage(WEEKLY)
    for _ in range(2):
        ani.sent()
        ani.later(days=7)
    ani.sent()
    assert ani.sends == [("tip", 1), ("tip", 2), ("tip", 3)]
    assert ani.standing.reason == "done"


def test_while_is_tested_before_each_round_the_first_one_too() -> None:
    steps = WEEKLY.replace("every: 7d", "every: 7d\n    while: {contact.city: Bandung}")
    assert passage(steps).standing.reason == "done"
    ani = passage(steps, answers={"steps.0.repeat.while": Answer(True)})
    ani.sent()
    ani.answers.clear()
    ani.later(days=7)
    assert ani.sends == [("tip", 1)]
    assert ani.standing.reason == "done"


def test_every_is_calendar_time_counted_from_the_first_round() -> None:
    end_of_january = datetime(2026, 1, 31, 2, tzinfo=UTC)  # 09:00 in Jakarta
    ani = passage(WEEKLY.replace("7d", "1mo"), now=end_of_january)
    ani.sent()
    assert ani.standing.due_at == datetime(2026, 2, 28, 2, tzinfo=UTC)
    ani.later(days=28)
    ani.sent()
    assert ani.standing.due_at == datetime(2026, 3, 31, 2, tzinfo=UTC)


def test_somebody_who_moves_gets_the_next_round_at_the_same_clock_time_there() -> None:
    ani = passage(WEEKLY.replace("7d", "1d"), zone="Asia/Jakarta")
    ani.sent()
    assert ani.standing.due_at == NOON + timedelta(days=1)  # 19:00
    ani.now += timedelta(minutes=1)
    ani.moves_to("Asia/Jayapura")
    assert ani.standing.due_at == NOON + timedelta(hours=22)
    ani.now += timedelta(minutes=1)
    ani.moves_to("America/New_York")
    assert ani.standing.due_at == NOON + timedelta(days=1, hours=12)
    ani.later(days=1, hours=12)
    ani.sent()
    assert ani.standing.due_at == NOON + timedelta(days=2, hours=12)


def test_rounds_that_count_elapsed_time_stay_where_they_are_when_somebody_moves() -> None:
    ani = passage(WEEKLY.replace("7d", "24h"), zone="Asia/Jakarta")
    ani.sent()
    ani.now += timedelta(minutes=1)
    ani.moves_to("America/New_York")
    assert ani.standing.due_at == NOON + timedelta(days=1)


def test_who_moves_in_the_middle_of_a_round_has_the_next_one_at_the_same_clock_time_there() -> None:
    ani = passage(WEEKLY.replace("7d", "2d"), zone="Asia/Jakarta")
    ani.now += timedelta(minutes=1)
    ani.moves_to("Asia/Jayapura")  # while the message is on its way
    ani.sent()
    assert ani.standing.due_at == NOON + timedelta(days=2, hours=-2)


def test_rounds_within_rounds_are_told_apart_in_the_send_key() -> None:
    ani = passage("""
        - repeat:
            up_to: 2
            every: 7d
            do:
              - repeat:
                  up_to: 2
                  every: 1d
                  do:
                    - {send: inner, via: email}
              - {send: outer, via: email}
    """)
    for _ in range(60):
        if ani.standing.step in ("inner", "outer"):
            ani.sent()
        ani.later(days=1)
    assert ani.sends == [("inner", 1), ("inner", 2), ("outer", 1), ("inner", 3), ("inner", 4), ("outer", 2)]
    assert ani.standing.reason == "completed"


def test_a_send_behind_the_repeat_has_round_one_again() -> None:
    ani = passage(WEEKLY.replace("- exit: done", "- {send: bye, via: email}"))
    for _ in range(3):
        ani.sent()
        ani.later(days=7)
    assert ani.sends[-1] == ("bye", 1)


def test_rounds_that_all_come_in_one_decision_ask_anew_in_each() -> None:
    ani = passage(
        """
        - repeat:
            up_to: 3
            do:
              - wait_for: {when: {contact.city: Bandung}, timeout: 1d}
        """,
        answers={"steps.0.repeat.do.0.wait_for": Answer(True)},
    )
    assert ani.standing.reason == "completed"
    assert sum(question.path == "steps.0.repeat.do.0.wait_for" for question in ani.asked) == 3


def test_what_a_pause_has_kept_back_goes_on_with_the_same_round() -> None:
    ani = passage(WEEKLY)
    ani.sent()
    ani.paused = True
    ani.later(days=8)
    assert ani.sends == [("tip", 1)]
    ani.paused = False
    ani.signal("timer", at=ani.standing.due_at, visit=ani.standing.visit)
    assert ani.sends == [("tip", 1), ("tip", 2)]
