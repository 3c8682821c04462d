"""A loop goes on whatever happens to its work, and says so once."""

from __future__ import annotations

import itertools
import logging
from threading import Event

import pytest

from engine.errors import DatabaseUnavailableError
from engine.run.loop import Loop, Outage


def test_an_outage_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("sending")
    with caplog.at_level(logging.INFO):
        waits = [outage.note(DatabaseUnavailableError("the database is away")) for _ in range(8)]
        outage.over()
        outage.over()
    assert [record.getMessage() for record in caplog.records] == [
        "sending: the database is away; trying again",
        "sending: works again after 8 failed attempts",
    ]
    assert caplog.records[0].exc_info is None
    assert waits == sorted(waits)
    assert max(waits) <= 5


def test_a_fault_of_our_own_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Outage("sending").note(ValueError("what is this?"))
    assert caplog.records[0].exc_info


def test_a_loop_works_on_after_its_work_has_failed_and_ends_when_told() -> None:
    times, done = itertools.count(1), Event()

    def work() -> bool:
        number = next(times)
        if number == 2:
            raise ValueError("once")
        if number == 4:
            done.set()
        return number < 4

    loop = Loop("test", work, rest=60)
    loop.start()
    assert done.wait(10)
    loop.stop()
    assert loop.join(5)


def test_a_loop_that_rests_is_woken() -> None:
    times, rested, woken = itertools.count(1), Event(), Event()

    def work() -> bool:
        (rested if next(times) == 1 else woken).set()
        return False

    loop = Loop("test", work, rest=60)
    loop.start()
    assert rested.wait(5)
    loop.wake()
    assert woken.wait(5)
    loop.stop()
    assert loop.join(5)
