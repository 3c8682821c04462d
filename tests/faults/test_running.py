"""`alur run` and `alur work` as a whole: killed, stopped, cut off; nobody gets a mail twice and nothing is lost."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import psutil
import pytest
from sqlalchemy import Engine, text

from tests.faults.running import Running
from tests.integration.send_runs.test_drain import Outage
from tests.integration.send_runs.ui import eventually
from tests.receiver import receiving
from tests.smtp_servers import FaultyServer, Mail, RealServer

Start = Callable[..., Running]


@pytest.fixture
def start(database: Engine, tmp_path: Path) -> Iterator[Start]:
    made: list[Running] = []

    def make(smtp: int, **how: object) -> Running:
        made.append(Running(tmp_path / "shop", database, smtp, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for running in made:
        running.close()


def message_ids(mails: list[Mail]) -> list[str]:
    return [re.search(rb"^Message-ID: (\S+)", mail.data, re.MULTILINE).group(1).decode() for mail in mails]  # type: ignore[union-attr]


def test_killed_in_the_middle_of_two_thousand_mails_and_started_again_nobody_gets_one_twice(start: Start) -> None:
    with RealServer() as sink:
        running = start(sink.port, prefect=True)
        running.start()
        running.sign_up(0, 2000)
        children = running.children()
        eventually(lambda: len(sink.mails) >= 600, 60)
        running.tell(signal.SIGKILL)
        running.ended()
        at_the_kill = len(sink.mails)
        assert at_the_kill < 2000
        psutil.wait_procs(children, timeout=10)
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

        running.prefect = False
        running.configure()
        running.start()
        eventually(lambda: running.settled(2000), 90)
        ids, recipients = Counter(message_ids(sink.mails)), Counter(mail.recipient for mail in sink.mails)
    assert max(ids.values()) == 1
    assert max(recipients.values()) == 1
    states = running.states()
    assert sum(states.get(state, 0) for state in ("accepted", "unknown", "withheld", "failed")) == 2000
    assert states.get("unknown", 0) <= 4 * 10
    assert states["accepted"] <= len(recipients) <= states["accepted"] + states.get("unknown", 0)
    with running.database.connect() as conn:
        ended = conn.execute(text("SELECT state, count(*) FROM send_run GROUP BY 1")).all()
    assert ("interrupted", 1) in [tuple(row) for row in ended]
    told = json.loads(running.command("status", "--output", "json").stdout)
    (journey,) = told["journeys"]
    assert {state: count for state, count in journey["sends"].items() if count} == states


CRM = """
    journey: crm
    topic: offers
    trigger: {event: signed_up}
    steps:
      - id: tell
        webhook: {url: "URL/hooks", body: {who: "{{ contact.first_name }}"}}
      - exit: told
"""


def test_killed_in_the_middle_of_webhooks_each_is_repeated_under_its_key_and_none_is_lost(start: Start) -> None:
    with RealServer() as sink, receiving() as crm:
        killed = Event()
        crm.linger = killed.wait
        running = start(sink.port)
        running.apply("crm", CRM.replace("URL", crm.url))
        running.start()
        running.sign_up(0, 40)
        eventually(lambda: len(crm.asked) >= 5)
        running.tell(signal.SIGKILL)
        running.ended()
        before = {one.headers["idempotency-key"] for one in crm.asked}
        killed.set()
        with running.database.begin() as conn:
            assert conn.scalar(text("SELECT count(*) FROM call WHERE state = 'calling'")) >= len(before)
            # as if a minute of the database's clock had passed
            conn.execute(text("UPDATE call SET lease_until = clock_timestamp() - interval '1 second'"))
        running.start()
        eventually(lambda: told(running) == 40, 40)
        running.tell(signal.SIGTERM)
        assert running.ended() == 0, running.said()
    with running.database.connect() as conn:
        ended = conn.execute(text("SELECT DISTINCT state, status FROM call")).all()
    assert [tuple(row) for row in ended] == [("answered", 200)]
    times = Counter(one.headers["idempotency-key"] for one in crm.asked)
    assert len(times) == 40
    assert max(times.values()) == 2
    assert {times[key] for key in before} == {2}
    said = {(one.headers["idempotency-key"], one.body) for one in crm.asked if one.body}  # the kill may cut one short
    assert len(said) == len({body for _, body in said}) == 40


def told(running: Running) -> int:
    """How many people have gone on behind the webhook."""
    with running.database.connect() as conn:
        query = text("SELECT count(*) FROM enrollment WHERE journey = 'crm' AND reason = 'told'")
        return int(conn.scalar(query) or 0)


def test_told_to_stop_it_ends_what_is_on_the_wire_gives_back_the_rest_and_another_goes_on(start: Start) -> None:
    with RealServer() as sink:
        running = start(sink.port, more="throttle: 40/s")
        running.start()
        running.sign_up(0, 200)
        eventually(lambda: len(sink.mails) >= 20)
        began = time.monotonic()
        running.tell(signal.SIGTERM)
        assert running.ended() == 0, running.said()
        assert time.monotonic() - began < 10
        states = running.states()
        assert states == {"accepted": len(sink.mails), "planned": 200 - len(sink.mails)}
        with running.database.connect() as conn:
            assert conn.scalar(text("SELECT count(*) FROM send WHERE lease_until IS NOT NULL")) == 0
            assert conn.scalar(text("SELECT count(*) FROM worker WHERE ended_at IS NULL")) == 0
            assert conn.scalars(text("SELECT state FROM send_run")).all() == ["finished"]

        running.more = ""
        running.configure()
        running.start("work")
        eventually(lambda: running.settled(200), 40)
        running.tell(signal.SIGINT)
        assert running.ended() == 0, running.said()
        assert sorted(Counter(message_ids(sink.mails)).values()) == [1] * 200
    assert running.states() == {"accepted": 200}
    # S28: the log names nobody, and holds no keys.
    logged = "".join(path.read_text() for path in (running.root / ".alur" / "logs").iterdir()) + running.said()
    assert "a send run has ended" in logged
    assert "@example.com" not in logged.replace("***@example.com", "")
    assert "shop-key" not in logged


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    with FaultyServer({"dot": ["silence"] * 8}) as sink:
        running = start(sink.port)
        running.start()
        running.sign_up(0, 4)
        eventually(lambda: sink.visits("dot") >= 1)
        running.tell(signal.SIGTERM)
        eventually(lambda: "Stopping" in running.said())
        running.tell(signal.SIGTERM)
        assert running.ended(3) == 128 + signal.SIGTERM
        assert "Ended at once" in running.said()


def test_it_outlives_an_outage_of_the_database_and_says_so_in_one_line_for_each_kind_of_work(start: Start) -> None:
    with RealServer() as sink:
        running = start(sink.port)
        running.start()
        running.sign_up(0, 5)
        eventually(lambda: len(sink.mails) == 5)
        outage = Outage(running.database)
        outage.begin()
        try:
            eventually(lambda: not running.ready())
            eventually(lambda: running.said().count("is not available") >= 3)
        finally:
            outage.end()
        eventually(running.ready)
        running.sign_up(5, 5)
        eventually(lambda: running.settled(10))
        assert len(sink.mails) == 10
        assert running.said().count("is not available") <= 6
        assert "Traceback" not in running.said()
        running.tell(signal.SIGTERM)
        assert running.ended() == 0


def test_a_port_that_is_taken_is_one_clear_line(start: Start) -> None:
    with RealServer() as sink:
        running = start(sink.port)
        running.port = sink.port
        running.configure()
        done = running.command("run")
    assert done.returncode == 1
    assert f"port {sink.port} of 127.0.0.1 can't be listened on" in done.stderr
    assert "Traceback" not in done.stderr
