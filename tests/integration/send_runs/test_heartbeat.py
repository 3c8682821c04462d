"""The heartbeat's duties: each done in time, and by one of all the processes that keep it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from channels.base import Adapter
from engine.config import Config
from engine.run.heartbeat import Duty, duties
from engine.run.machines import Machines
from engine.store import ticks
from tests.integration.run.post_office import CONFIG
from tests.integration.run.town import ZONE, Town

BIRTHDAY = """
    journey: birthday
    topic: offers
    trigger: {date: contact.birthday, repeat: yearly, at: "09:00"}
    steps:
      - {send: hello, via: sms}
"""


@dataclass
class Process:
    """What one process of several has for itself."""

    town: Town
    config: Config = CONFIG
    machines: Machines = field(default_factory=Machines)
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    zone: str = ZONE

    @property
    def engine(self) -> Engine:
        return self.town.engine

    def clock(self) -> datetime:
        return self.town.now


@pytest.fixture
def town(database: Engine) -> Town:
    return Town(database)


def test_C21_five_heartbeats_that_start_in_the_same_second_fire_one_date_once(town: Town) -> None:
    town.apply(BIRTHDAY)
    person = town.person("ani", birthday="1990-03-02")
    town.change(person)
    town.settle()
    town.now = datetime(2026, 3, 2, 2, tzinfo=UTC)
    beats = [duty.beat for _ in range(5) for duty in duties(Process(town))]
    with ThreadPoolExecutor(len(beats)) as pool:
        done = [future.result() for future in [pool.submit(beat) for beat in beats]]
    assert sum(done) == len(duties(Process(town)))  # one of the five processes for each duty
    with town.engine.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM signal WHERE kind = 'date'")) == 1
    town.settle()
    assert town.enrollments("state", "key") == [("active", "2026-03-02")]
    assert len(town.sends()) == 1


def test_a_duty_is_done_again_when_its_time_comes_round(town: Town) -> None:
    done: list[datetime] = []
    duty = Duty(Process(town), "test", timedelta(seconds=10), lambda _, now: done.append(now))
    for _ in range(25):
        duty.beat()
        town.later(seconds=1)
    assert [(at - done[0]).total_seconds() for at in done] == [0, 9, 18]


def test_a_duty_that_fails_is_told_and_done_again(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    done: list[datetime] = []

    def act(_process: object, now: datetime) -> None:
        done.append(now)
        if len(done) == 1:
            raise ValueError("a bad segment")

    duty = Duty(Process(town), "test", timedelta(seconds=10), act)
    assert not duty.beat()
    assert "test: a bad segment" in caplog.text
    assert duty.rests(0)
    town.later(seconds=10)
    assert duty.beat()


def test_a_clock_that_was_set_back_does_not_stop_a_duty(town: Town) -> None:
    every = timedelta(seconds=10)
    with town.engine.begin() as conn:
        assert ticks.take(conn, "test", every, town.now)
        assert not ticks.take(conn, "test", every, town.now - timedelta(seconds=5))
        assert ticks.take(conn, "test", every, town.now - timedelta(hours=1))
