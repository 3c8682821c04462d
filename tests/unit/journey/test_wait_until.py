"""`wait: {until: FIELD}` waits for a date or instant that a field holds; what is past or missing leaves out the next step."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.journey.values import Answer
from tests.unit.journey.passage import NOON, Passage, passage

RENEWAL = """
- wait: {until: contact.renewal, offset: -3d, at: "09:00"}
- {send: soon, via: email}
- {send: later, via: email}
"""
PATH = "steps.0.wait.until"


def waiting(value: object, steps: str = RENEWAL, **more: str) -> Passage:
    return passage(steps, answers={PATH: Answer(value is not None, value)}, **more)  # type: ignore[arg-type]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("wait", "value", "due"),
    [
        ("{until: contact.renewal}", "2026-03-10", at(2026, 3, 10, 2)),  # 09:00 in Jakarta
        ('{until: contact.renewal, at: "18:30"}', "2026-03-10", at(2026, 3, 10, 11, 30)),
        ("{until: contact.renewal, offset: -3d}", "2026-03-10", at(2026, 3, 7, 2)),
        ("{until: contact.renewal, offset: 1mo}", "2026-03-31", at(2026, 4, 30, 2)),
        ("{until: contact.renewal, offset: -2h}", "2026-03-10", at(2026, 3, 10, 0)),
        ("{until: contact.renewal}", "2026-03-10T08:00:00+09:00", at(2026, 3, 9, 23)),
        ("{until: contact.renewal}", "2026-03-10T08:00:00", at(2026, 3, 10, 1)),
        ("{until: contact.renewal, offset: -90m}", "2026-03-10T08:00:00Z", at(2026, 3, 10, 6, 30)),
        ("{until: contact.renewal, offset: -1d}", "2026-03-10T08:00:00Z", at(2026, 3, 9, 8)),
        ('{until: contact.renewal, offset: -1d, at: "09:00"}', "2026-03-10T20:00:00Z", at(2026, 3, 10, 2)),
    ],
)
def test_a_date_or_instant_its_offset_and_its_clock_time_make_one_instant(wait: str, value: str, due: datetime) -> None:
    assert (
        waiting(value, RENEWAL.replace('{until: contact.renewal, offset: -3d, at: "09:00"}', wait)).standing.due_at
        == due
    )


def test_when_the_time_has_come_the_next_step_is_taken() -> None:
    ani = waiting("2026-03-10")
    ani.later(days=6)
    assert ani.sends == [("soon", 1)]


@pytest.mark.parametrize(
    "value", ["2026-03-05", None, "", "soon", 20260310, "0001-01-01", "2026-13-40", ["2026-03-10"]]
)
def test_what_is_past_or_missing_or_no_date_leaves_out_the_next_step(value: object) -> None:
    assert waiting(value).sends == [("later", 1)]


def test_if_past_now_goes_on_to_the_next_step() -> None:
    assert waiting("2026-03-04", RENEWAL.replace('"09:00"}', '"09:00", if_past: now}')).sends == [("soon", 1)]


def test_an_instant_that_is_this_very_one_is_not_past() -> None:
    ani = waiting("2026-03-02T12:00:00Z", RENEWAL.replace(', offset: -3d, at: "09:00"', ""))
    assert ani.standing.due_at == NOON
    ani.later(seconds=0)
    assert ani.sends == [("soon", 1)]


def test_the_next_step_is_left_out_whole_with_all_that_is_nested_in_it() -> None:
    steps = """
        - wait: {until: contact.renewal}
        - branch:
            - when: {contact.city: Bandung}
              do: [{send: a, via: email}]
            - otherwise: [{send: b, via: email}, {send: c, via: email}]
        - {send: after, via: email}
    """
    assert waiting(None, steps).sends == [("after", 1)]


def test_a_wait_that_is_the_last_of_its_arm_leaves_out_what_follows_the_fork() -> None:
    steps = """
        - wait_for: {event: paid, timeout: 1d}
          otherwise:
            - wait: {until: contact.renewal}
        - {send: soon, via: email}
        - {send: after, via: email}
    """
    ani = passage(steps)
    ani.later(days=1)
    assert ani.sends == [("after", 1)]


def test_at_the_end_of_a_round_there_is_nothing_to_leave_out() -> None:
    steps = """
        - repeat:
            up_to: 2
            every: 1d
            do:
              - {send: tip, via: email}
              - wait: {until: contact.renewal}
        - {send: after, via: email}
    """
    ani = passage(steps)
    ani.sent()
    assert ani.standing.step == "steps.0"
    ani.later(days=1)
    ani.sent()
    assert ani.sends == [("tip", 1), ("tip", 2), ("after", 1)]


def test_the_event_that_started_may_hold_the_time() -> None:
    ani = passage(
        RENEWAL.replace("contact.renewal", "event.departs"), answers={PATH: Answer(True, "2026-03-10T08:00:00+07:00")}
    )
    assert ani.standing.due_at == at(2026, 3, 7, 2)


def test_a_changed_field_moves_the_wait() -> None:
    ani = waiting("2026-03-10")
    ani.answers[PATH] = Answer(True, "2026-03-20")
    ani.signal("profile", data={"changed": ["renewal"]})
    assert ani.standing.due_at == at(2026, 3, 17, 2)


@pytest.mark.parametrize("value", ["2026-03-04", None])
def test_a_field_that_changes_to_something_past_or_missing_leaves_out_the_next_step(value: str | None) -> None:
    ani = waiting("2026-03-10")
    ani.answers[PATH] = Answer(value is not None, value)
    ani.signal("profile", data={"changed": ["renewal"]})
    assert ani.sends == [("later", 1)]


def test_another_trait_changes_nothing() -> None:
    ani = waiting("2026-03-10")
    before = ani.standing
    ani.signal("profile", data={"changed": ["city"]})
    assert ani.standing == before


def test_a_move_to_a_zone_where_the_time_is_over_means_now_once() -> None:
    ani = waiting("2026-03-05", zone="America/Los_Angeles", steps=RENEWAL.replace(', offset: -3d, at: "09:00"', ""))
    assert ani.standing.due_at == at(2026, 3, 5, 17)
    ani.now = at(2026, 3, 5, 10)
    ani.moves_to("Asia/Jakarta")  # where it was 09:00 eight hours ago
    assert ani.standing.due_at == at(2026, 3, 5, 10)
    ani.later(seconds=1)
    assert ani.sends == [("soon", 1)]
