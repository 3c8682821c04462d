"""Group commit: who waits together is committed together, and each is told its own end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from engine.run.group import EdgeBusyError, GroupCommit
from engine.run.incoming import Incoming


def _post(*payloads: Any) -> list[Incoming]:
    return [Incoming(payload, "shop") for payload in payloads]


class Taker:
    """Notes each group it is given; the first waits until it may go on."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.started = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, messages: Sequence[Incoming]) -> None:
        self.groups.append([message.payload for message in messages])
        self.started.set()
        assert self.go_on.wait(20)
        if "bad" in self.groups[-1]:
            raise ValueError("bad")


def test_a_post_alone_is_committed_alone_and_at_once() -> None:
    taker = Taker()
    taker.go_on.set()
    group = GroupCommit(taker)
    group.submit(_post(1, 2)).result(20)
    group.close()
    assert taker.groups == [[1, 2]]


def test_what_arrives_during_a_commit_is_the_next_group() -> None:
    taker = Taker()
    group = GroupCommit(taker, threads=1)
    first = group.submit(_post("first"))
    assert taker.started.wait(20)
    others = [group.submit(_post(number)) for number in range(5)]
    assert not first.done()
    taker.go_on.set()
    for future in [first, *others]:
        future.result(20)
    group.close()
    assert taker.groups == [["first"], [0, 1, 2, 3, 4]]


def test_one_posts_fault_fails_only_that_post() -> None:
    taker = Taker()
    group = GroupCommit(taker, threads=1)
    first = group.submit(_post("first"))
    assert taker.started.wait(20)
    good, bad = group.submit(_post("good")), group.submit(_post("bad"))
    taker.go_on.set()
    first.result(20)
    good.result(20)
    with pytest.raises(ValueError, match="bad"):
        bad.result(20)
    group.close()


def test_closing_takes_in_what_waits_and_refuses_what_comes_later() -> None:
    taker = Taker()
    group = GroupCommit(taker, threads=1)
    waiting = [group.submit(_post(number)) for number in range(3)]
    taker.go_on.set()
    group.close()
    assert all(future.done() for future in waiting)
    with pytest.raises(EdgeBusyError):
        group.submit(_post("late"))


def test_more_than_can_wait_is_refused() -> None:
    taker = Taker()
    group = GroupCommit(taker, threads=1)
    group.submit(_post("first"))
    assert taker.started.wait(20)
    group.submit(_post(*range(49_999)))
    with pytest.raises(EdgeBusyError):
        group.submit(_post(1, 2))
    taker.go_on.set()
    group.close()


def test_a_client_that_hangs_up_does_not_stop_the_others() -> None:
    taker = Taker()
    group = GroupCommit(taker, threads=1)
    left = group.submit(_post("left"))
    assert not left.cancel()
    taker.go_on.set()
    group.submit(_post("stays")).result(20)
    group.close()
