"""A channel's throttle holds over all threads, and nobody waits longer than they can."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.config import Rate
from engine.run.throttle import Bucket, Gate


def test_messages_are_spaced_by_the_rate_after_the_first_second() -> None:
    waits: list[float] = []
    gate = Gate(Rate("2/s", 2, timedelta(seconds=1)))
    for _ in range(6):
        assert gate.wait(60, waits.append)
    assert len(waits) >= 3
    assert waits == sorted(waits)
    assert 1.4 < waits[-1] <= 2.6


def test_who_can_not_wait_so_long_takes_no_token() -> None:
    waits: list[float] = []
    gate = Gate(Rate("1/m", 1, timedelta(minutes=1)))
    assert gate.wait(50, waits.append)
    assert not gate.wait(50, waits.append)
    assert gate.wait(61, waits.append)
    assert waits[-1] <= 60


def test_without_a_rate_nobody_waits() -> None:
    assert Gate(None).wait(0)


def test_a_channel_that_its_provider_shut_opens_at_the_latest_instant_named() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    gate = Gate(None)
    gate.close(noon + timedelta(minutes=2))
    gate.close(noon + timedelta(minutes=1))
    assert gate.closed_until(noon) == noon + timedelta(minutes=2)
    assert gate.closed_until(noon + timedelta(minutes=2)) is None


def test_a_bucket_gives_one_token_each_spacing_and_keeps_those_of_one_second() -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    slow = Bucket(Rate("500/h", 500, timedelta(hours=1)), now - timedelta(days=1))
    assert (slow.tokens(now), slow.take(1, now).tokens(now)) == (1, 0)
    assert slow.take(1, now).free_at == now + timedelta(seconds=7.2)
    fast = Bucket(Rate("50/s", 50, timedelta(seconds=1)), now - timedelta(days=1))
    assert fast.tokens(now) == 50
    rest = fast.take(30, now)
    assert (rest.tokens(now), rest.tokens(now + timedelta(milliseconds=100))) == (20, 25)
