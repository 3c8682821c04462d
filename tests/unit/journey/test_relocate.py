"""Whoever moves to another time zone takes along what waits for a time of their clock, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.unit.journey.passage import NOON, Passage, passage

SEND = "- {send: soon, via: email}"


def waiting(wait: str, zone: str = "Asia/Jakarta") -> Passage:
    """Somebody who has come to this wait on Monday at noon UTC: 19:00 in Jakarta."""
    return passage(f"- wait: {wait}\n{SEND}", zone=zone)


def due(ani: Passage) -> str:
    assert ani.standing.due_at is not None
    return f"{ani.standing.due_at:%d %H:%M}"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}:00+00:00")


@pytest.mark.parametrize(
    ("wait", "zone", "when"),
    [
        ("1d", "Asia/Jayapura", "03 10:00"),  # 19:00 there, two hours sooner
        ("1d", "Europe/Berlin", "03 18:00"),
        ("2w", "Asia/Makassar", "16 11:00"),
        ("24h", "Asia/Jayapura", "03 12:00"),  # elapsed time has no clock
        ('{until: "09:00"}', "Asia/Jayapura", "03 00:00"),
        ('{until: "09:00"}', "America/New_York", "03 14:00"),
        ('{until: "09:00", days: [fri]}', "Europe/Berlin", "06 08:00"),
    ],
)
def test_a_wait_by_the_calendar_or_clock_goes_on_to_the_same_time_of_the_new_clock(
    wait: str, zone: str, when: str
) -> None:
    ani = waiting(wait)
    ani.now += timedelta(hours=1)
    ani.moves_to(zone)
    assert due(ani) == when
    ani.later(days=20)
    assert ani.sends == [("soon", 1)]


@pytest.mark.parametrize("wait", ["1d", '{until: "19:00"}', '{until: "08:00"}'])
def test_what_is_over_by_the_new_clock_is_due_now_and_once(wait: str) -> None:
    ani = waiting(wait)
    assert ani.standing.due_at is not None
    ani.now = ani.standing.due_at - timedelta(minutes=1)
    ani.moves_to("Asia/Jayapura")
    assert ani.standing.due_at == ani.now
    ani.later(days=3)
    assert ani.sends == [("soon", 1)]


def test_moving_there_and_back_changes_nothing() -> None:
    ani = waiting("1d")
    for zone in ("America/New_York", "Asia/Jayapura", "Asia/Jakarta"):
        ani.now += timedelta(minutes=1)
        ani.moves_to(zone)
    assert due(ani) == "03 12:00"


def test_several_moves_that_are_told_late_are_made_one_after_the_other() -> None:
    ani = waiting("1d")
    ani.zone = "Europe/Berlin"
    ani.now += timedelta(hours=1)
    first = {"from": "Asia/Jakarta", "to": "Asia/Jayapura", "at": at("02T12:10").isoformat()}
    second = {"from": "Asia/Jayapura", "to": "Europe/Berlin", "at": at("02T12:20").isoformat()}
    ani.signal("profile", data={"changed": ["timezone"], "zones": [first]})
    ani.signal("profile", data={"changed": ["timezone"], "zones": [second]})
    assert due(ani) == "03 18:00"


def test_a_wait_that_begins_with_the_move_or_after_it_goes_by_the_new_clock_alone() -> None:
    ani = waiting("1d", zone="Asia/Jayapura")
    move = {"from": "Asia/Jakarta", "to": "Asia/Jayapura", "at": NOON.isoformat()}
    ani.signal("profile", data={"changed": ["timezone"], "zones": [move]})
    assert due(ani) == "03 12:00"
