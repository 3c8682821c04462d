"""The rules of delivering as they are written, and how many messages a journey can send at most."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from textwrap import dedent

import pytest

from engine.config import DELIVERY, Cap, Delivery, QuietHours, Rate
from engine.document import read_document
from engine.grammar import Declared, Reader
from engine.journey.machine import compile_journey
from engine.run.brake import allowance
from engine.run.machines import read_source
from engine.store.pace import Past


def read(source: str) -> tuple[object, list[str]]:
    node, problems = read_document(source.encode(), "f")
    assert node is not None, problems
    reader = Reader("f")
    return DELIVERY.read(node, reader), [f"{p.line}:{p.column}: {p.message}" for p in reader.problems]


def test_every_rule_is_read() -> None:
    source = """
        timezone: Asia/Makassar
        quiet_hours: {from: "21:00", to: "08:00", channels: email, then: skip}
        cap: {max: 3, per: 7d, then: wait}
        holdout: 2.5%
        throttle: 500/h
        priority: 80
    """
    assert read(dedent(source))[0] == Delivery(
        timezone="Asia/Makassar",
        quiet_hours=QuietHours(time(21), time(8), ("email",), "skip"),
        cap=Cap(3, timedelta(days=7), "wait"),
        holdout=0.025,
        throttle=Rate("500/h", 500, timedelta(hours=1)),
        priority=80,
    )


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("cap: {max: 0, per: 1d}", "1:12: a cap of '0' lets nothing through; write at least 1, or remove the journey"),
        ("cap: {max: 1, per: 1mo}", "1:20: '1mo': months have no fixed length here; write days, e.g. 30d"),
        ("holdout: 101%", "1:10: expected a percentage such as 10%, found '101%'"),
        ("priority: 101", "1:11: expected a whole number from 0 to 100, found '101'"),
        ("throttle: fast", "1:11: expected a rate such as 50/s, 500/m or 10000/h, found 'fast'"),
        ("timezone: WIB", "1:11: unknown time zone 'WIB' (did you mean 'Asia/Jakarta'?)"),
        ("quite_hours: {}", "1:1: unknown key 'quite_hours' in delivery (did you mean 'quiet_hours'?)"),
    ],
)
def test_what_can_not_be_meant_is_refused_where_it_stands(source: str, problem: str) -> None:
    assert read(source)[1] == [problem]


def test_quiet_hours_of_a_whole_day_are_refused() -> None:
    (problem,) = read('quiet_hours: {from: "09:00", to: "09:00"}')[1]
    assert problem.startswith("1:34: quiet hours from '09:00' to '09:00' are a whole day")


def test_a_journey_sends_at_most_what_its_longest_way_holds() -> None:
    source = """
        journey: j
        topic: offers
        trigger: {event: e}
        steps:
          - {send: a, via: email}
          - branch:
              - when: {contact.x: 1}
                do: [{send: b, via: email}, {send: c, via: email}]
              - otherwise: [{send: d, via: email}]
          - repeat:
              up_to: 3
              every: 1d
              do: [{send: e, via: email}]
    """
    assert compile_journey(read_source("j", dedent(source), Declared())).most_sends == 1 + 2 + 3


HOUR = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        (Past(0, None), None),
        (Past(9000, HOUR - timedelta(hours=1)), None),
        (Past(9000, HOUR - timedelta(hours=2)), 45_000),
        (Past(3, HOUR - timedelta(days=9)), 1000),
    ],
)
def test_an_hour_may_see_five_times_the_highest_once_there_is_a_past(past: Past, expected: int | None) -> None:
    assert allowance(past, HOUR) == expected
