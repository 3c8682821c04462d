"""The clock alone changes a condition at instants that can be named beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent

from engine.audience.condition import Condition, read_condition
from engine.audience.turning import Turning, turning
from engine.document import read_document
from engine.grammar import Reader

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def condition(source: str) -> Condition:
    node, problems = read_document(dedent(source).encode(), "segments/s.yaml")
    assert node is not None, problems
    reader = Reader("segments/s.yaml")
    found = read_condition(node, reader)
    assert isinstance(found, Condition), reader.problems
    return found


def test_windows_are_found_however_deep_they_stand() -> None:
    found = turning(
        condition("""
        any:
          - not: {did_not: {event: a, within: 3d}}
          - all: [{did: {event: b, within: 90m, where: {event.total: 1}}}, {contact.city: Jakarta}]
    """)
    )
    assert found == Turning(frozenset({timedelta(days=3), timedelta(minutes=90)}), daily=False)


def test_a_window_holds_its_last_instant_and_turns_right_after() -> None:
    found = Turning(frozenset({timedelta(days=3)}))
    assert found.after(NOON, [NOON], ["UTC"]) == NOON + timedelta(days=3) + TICK
    assert found.after(NOON + timedelta(days=3) + TICK, [NOON], ["UTC"]) is None


def test_an_event_of_the_future_counts_from_its_own_instant_on() -> None:
    later = NOON + timedelta(hours=5)
    assert Turning().after(NOON, [later], ["UTC"]) == later


def test_what_hangs_on_the_date_turns_at_midnight_where_people_live() -> None:
    daily = Turning(daily=True)
    assert daily.after(NOON, [], ["UTC", "Asia/Jakarta"]) == datetime(2026, 3, 1, 17, tzinfo=UTC)
    assert turning(condition("contact.birthday: {anniversary: true}")).daily


def test_what_does_not_hang_on_the_clock_never_turns() -> None:
    assert turning(condition("contact.points: {gte: 100}")).after(NOON, [NOON], ["UTC"]) is None
