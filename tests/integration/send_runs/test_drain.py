"""A send run drains the outbox: slices for whoever watches, holds and stops obeyed, outages outlived."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine, make_url, text

from channels.base import Message
from engine.run.deliver import Counts
from engine.run.drain import Limits, Slice
from engine.store import holds, runs, workers
from engine.store.database import connect
from engine.store.holds import Hold
from engine.store.runs import RunEnd
from tests.integration.send_runs.shop import ONCE, Shop
from tests.scripted_channel import Point


def never() -> bool:
    return False


@dataclass
class Diary:
    """A window that writes down what it is told."""

    slices: list[Slice] = field(default_factory=list)
    ends: list[tuple[int, RunEnd, Counts]] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)

    def opened(self, run_id: int) -> None:
        self.begun.append(run_id)

    def sliced(self, slice_: Slice) -> None:
        self.slices.append(slice_)

    def closed(self, run_id: int, state: RunEnd, counts: Counts) -> None:
        self.ends.append((run_id, state, counts))


def test_a_run_ends_when_the_outbox_is_empty_and_its_counts_are_stored(shop: Shop) -> None:
    diary = Diary()
    shop.sign_up(25)
    counts = shop.drain(diary).run(ONCE, never, time.sleep)
    assert counts.by_state == {"accepted": 25}
    (run,) = shop.runs()
    assert (run.state, run.counts) == ("finished", {"accepted": 25})
    assert diary.begun == [run.id]
    assert diary.ends == [(run.id, "finished", counts)]
    assert [(s.number, s.counts.by_state) for s in diary.slices] == [(1, {"accepted": 25})]


def test_a_run_that_is_held_open_drains_as_often_as_it_is_told_and_shows_one_slice_for_all_of_it(shop: Shop) -> None:
    diary = Diary()
    with shop.drain(diary).opened() as run:
        for more in (3, 2, 0, 4):
            shop.sign_up(more)
            assert run.drain_now().total == more
        assert shop.runs()[0].state == "running"
    assert run.counts.by_state == {"accepted": 9}
    assert [s.counts.by_state for s in diary.slices] == [{"accepted": 9}]
    assert [r.state for r in shop.runs()] == ["finished"]


def test_a_slice_is_shown_after_its_seconds_although_there_is_more_to_send(shop: Shop) -> None:
    shop.adapter.hook = lambda _point, _message: time.sleep(0.01)
    shop.sign_up(100)
    diary = Diary()
    shop.drain(diary, slice_seconds=0.2).run(ONCE, never, time.sleep)
    assert len(diary.slices) > 2
    assert sum(s.counts.total for s in diary.slices) == 100
    assert [s.number for s in diary.slices] == list(range(1, len(diary.slices) + 1))


def test_a_run_ends_after_its_most_slices_and_the_next_one_takes_the_rest(shop: Shop) -> None:
    shop.adapter.hook = lambda _point, _message: time.sleep(0.01)
    shop.sign_up(60)
    drain = shop.drain(slice_seconds=0.1)
    first = drain.run(Limits(idle_seconds=0, slices=1), never, time.sleep)
    assert 0 < first.total < 60
    second = drain.run(ONCE, never, time.sleep)
    assert first.total + second.total == 60
    assert shop.everybody_once()


def test_what_becomes_due_while_a_run_idles_belongs_to_it(shop: Shop) -> None:
    drain = shop.drain()
    pauses = itertools.count()

    def pause(_seconds: float) -> None:
        if next(pauses) == 0:
            shop.sign_up(7)

    assert drain.run(Limits(idle_seconds=0.5), never, pause).total == 7
    assert len(shop.runs()) == 1


def test_a_hold_on_the_run_ends_it_and_keeps_the_rest(shop: Shop) -> None:
    def cancel(point: Point, message: Message) -> None:
        if point == "after_post" and message.send_id == 5:
            with shop.town.engine.begin() as conn:
                holds.place(conn, Hold("run", "1", "enough", "ani", shop.town.now))

    shop.adapter.hook = cancel
    shop.sign_up(100)
    drain = shop.drain()
    counts = drain.run(ONCE, never, time.sleep)
    assert counts.total < 50
    assert shop.runs()[0].state == "cancelled"
    with shop.town.engine.begin() as conn:
        runs.take_in_outbox(conn, 1, shop.town.now)
    assert not drain.any_due()
    with shop.town.engine.begin() as conn:
        holds.lift(conn, "run", "1", shop.town.now)
    drain.run(ONCE, never, time.sleep)
    assert shop.everybody_once()


def test_a_stop_lets_the_message_on_the_wire_end_and_gives_back_all_others(shop: Shop) -> None:
    on_the_wire, go_on = threading.Semaphore(0), threading.Event()

    def wait(point: Point, message: Message) -> None:
        if point == "before_post":
            on_the_wire.release()
            go_on.wait(20)

    shop.adapter.hook = wait
    shop.sign_up(100)
    drain = shop.drain()
    sending = threading.Thread(target=drain.run, args=(Limits(), never, time.sleep))
    sending.start()
    for _ in range(2):
        assert on_the_wire.acquire(timeout=10)
    drain.stop()
    go_on.set()
    sending.join(10)
    drain.close()
    assert len(shop.provider.taken()) == 2
    with shop.town.engine.connect() as conn:
        states = dict(conn.execute(text("SELECT state, count(*) FROM send GROUP BY 1")).all())
        leased = conn.scalar(text("SELECT count(*) FROM send WHERE lease_until IS NOT NULL"))
    assert states == {"accepted": 2, "planned": 98}
    assert leased == 0


def test_a_group_that_can_not_be_delivered_does_not_stop_the_others(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.sign_up(30)
    with shop.town.engine.begin() as conn:
        conn.execute(text("UPDATE send SET version_id = 99 WHERE id = 14"))
    with caplog.at_level(logging.ERROR):
        shop.drain().run(ONCE, never, time.sleep)
    assert len(shop.provider.taken()) == 29
    assert "send 14 can't be delivered" in caplog.text


class Outage:
    """As if the database were away: everybody is thrown out and nobody gets in."""

    def __init__(self, engine: Engine) -> None:
        self._name = engine.url.database
        self._server = make_url(engine.url).set(database="postgres")

    def begin(self) -> None:
        self._tell(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false')
        self._tell(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'")

    def end(self) -> None:
        self._tell(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true')

    def _tell(self, statement: str) -> None:
        engine = connect(self._server)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text(statement))
        engine.dispose()


def test_a_run_outlives_an_outage_of_the_database(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    outage, pauses = Outage(shop.town.engine), itertools.count(1)

    def pause(_seconds: float) -> None:
        match next(pauses):
            case 1:
                outage.begin()
            case 5:
                outage.end()
                shop.sign_up(7)

    shop.sign_up(3)
    drain = shop.drain()
    with caplog.at_level(logging.WARNING):
        assert drain.run(Limits(idle_seconds=0.2), never, pause).total == 10
    assert [run.state for run in shop.runs()] == ["finished"]
    assert shop.everybody_once()
    assert caplog.text.count("is not available") == 1
    assert "works again after 4 failed attempts" in caplog.text


def test_receipts_that_come_during_an_outage_are_recorded_after_it(shop: Shop) -> None:
    outage = Outage(shop.town.engine)
    end = threading.Timer(0.6, outage.end)

    def cut(point: Point, message: Message) -> None:
        if (point, message.send_id) == ("after_post", 5):
            outage.begin()
            end.start()

    shop.adapter.hook = cut
    shop.sign_up(10)
    shop.drain().run(ONCE, never, time.sleep)
    end.join()
    assert shop.office.states() == [("accepted", None)] * 10
    assert shop.everybody_once()


def test_runs_that_nobody_will_close_are_found(shop: Shop) -> None:
    with shop.town.engine.begin() as conn:
        gone = workers.register(conn, shop.town.now)
        conn.execute(text("UPDATE worker SET pid = 4194304 WHERE id = :id"), {"id": gone})  # no such process
        alive = workers.register(conn, shop.town.now)
        lost = runs.open_run(conn, gone, shop.town.now)
        older = runs.open_run(conn, alive, shop.town.now)
        current = runs.open_run(conn, alive, shop.town.now)
        assert runs.interrupt_lost(conn, shop.town.now) == 2
        assert runs.interrupt_lost(conn, shop.town.now) == 0
    assert {run.id: run.state for run in shop.runs()} == {lost: "interrupted", older: "interrupted", current: "running"}
