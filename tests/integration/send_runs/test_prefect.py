"""Prefect is the window on send runs: it shows what happens and takes the wish to cancel; nothing waits for it."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

from channels.base import Message
from engine.flows.environment import own_api
from engine.flows.screen import Screen
from engine.flows.server import free_port
from engine.run.hold import resume
from engine.store import holds
from tests.integration.send_runs.shop import ONCE, Shop
from tests.integration.send_runs.ui import Ui, eventually
from tests.scripted_channel import Point


def never() -> bool:
    return False


def test_a_send_run_is_a_flow_run_with_tasks_progress_and_a_table_of_results(ui: Ui, shop: Shop) -> None:
    window = shop.window(ui.api)
    shop.sign_up(30)
    with shop.drain(window).opened() as run:
        run.drain_now()
        run.cut()
        shop.sign_up(10)
        run.drain_now()
    assert window.close(60)
    flow_run_id = shop.flow_run_id(run.id)
    assert flow_run_id is not None
    flow_run = ui.flow_run(flow_run_id)
    assert (flow_run["name"], flow_run["state_name"]) == (f"send-run-{run.id}", "Completed")
    assert flow_run["state"]["message"] == "40 accepted"
    assert ui.tasks(flow_run_id) == {"groups-0001": "Completed", "groups-0002": "Completed"}
    shown = ui.artifacts(flow_run_id)
    assert shown["send-run-progress"] == 100
    assert json.loads(shown["send-run-result"]) == [
        {"journey": "hello", "channel": "sms", "state": "accepted", "reason": None, "sends": 40}
    ]
    said = eventually(lambda: [line for line in ui.logs(flow_run_id) if line.startswith("slice 1")])
    assert re.fullmatch(r"slice 1: 30 accepted in \d\.\d s", said[0])


def test_nothing_about_a_person_gets_into_prefect(ui: Ui, shop: Shop, tmp_path: Path) -> None:
    window = shop.window(ui.api)
    shop.sign_up(3)
    shop.drain(window).run(ONCE, never, time.sleep)
    assert window.close(60)
    files = [path for path in ui.home.rglob("*") if path.is_file()]
    assert any(b"send-run-result" in path.read_bytes() for path in files)
    for path in [*files, shop.folder / "window.log"]:
        content = path.read_bytes()
        assert b"62812000" not in content
        assert b"Ani0" not in content


def test_without_prefect_everybody_gets_their_message_at_once(shop: Shop, tmp_path: Path) -> None:
    window = shop.window(own_api(tmp_path, f"http://127.0.0.1:{free_port(0)}/api"))
    shop.sign_up(50)
    began = time.monotonic()
    shop.drain(window).run(ONCE, never, time.sleep)
    assert time.monotonic() - began < 2
    assert shop.everybody_once()
    assert [run.state for run in shop.runs()] == ["finished"]
    assert not window.close(0.2)


def test_a_run_that_ended_before_prefect_was_there_is_shown_when_it_comes(ui: Ui, shop: Shop) -> None:
    window = shop.window(None)
    shop.sign_up(5)
    shop.drain(window).run(ONCE, never, time.sleep)
    shop.api = ui.api
    assert window.close(60)
    flow_run_id = shop.flow_run_id(1)
    assert flow_run_id is not None
    assert ui.state(flow_run_id) == "Completed"


def test_a_prefect_that_hangs_delays_neither_the_start_nor_the_end_of_a_run(ui: Ui, shop: Shop) -> None:
    os.killpg(ui.process_id, signal.SIGSTOP)
    try:
        window = shop.window(ui.api)
        shop.sign_up(50)
        began = time.monotonic()
        shop.drain(window).run(ONCE, never, time.sleep)
        assert time.monotonic() - began < 2
        assert shop.everybody_once()
        assert not window.close(0.5)
    finally:
        os.killpg(ui.process_id, signal.SIGCONT)


def test_a_prefect_that_hangs_in_the_middle_of_a_run_does_not_stop_it(ui: Ui, shop: Shop) -> None:
    window = shop.window(ui.api)
    shop.sign_up(20)
    began = 0.0
    try:
        with shop.drain(window).opened() as run:
            run.drain_now()
            eventually(lambda: shop.flow_run_id(run.id))
            os.killpg(ui.process_id, signal.SIGSTOP)
            shop.sign_up(20)
            began = time.monotonic()
            run.drain_now()
        assert time.monotonic() - began < 2
        assert shop.everybody_once()
        assert [run.state for run in shop.runs()] == ["finished"]
        began = time.monotonic()
        assert not window.close(0.5)
        assert time.monotonic() - began < 3
    finally:
        os.killpg(ui.process_id, signal.SIGCONT)


def test_a_run_cancelled_in_prefect_is_held_within_five_seconds_and_goes_on_after_resume(ui: Ui, shop: Shop) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def slow(point: Point, message: Message) -> None:
        if point == "before_post" and message.send_id > 30:
            reached.set()
            go_on.wait(30)

    shop.adapter.hook = slow
    shop.sign_up(200)
    window = shop.window(ui.api)
    drain = shop.drain(window)
    sending = threading.Thread(target=drain.run, args=(ONCE, never, time.sleep))
    sending.start()
    assert reached.wait(10)
    flow_run_id = eventually(lambda: shop.flow_run_id(1))
    assert flow_run_id is not None
    ui.set_state(flow_run_id, "CANCELLING")
    asked = time.monotonic()
    eventually(shop.held, 5)
    assert time.monotonic() - asked < 5
    go_on.set()
    sending.join()
    assert window.close(60)
    (run,) = shop.runs()
    sent = run.counts["accepted"]
    assert (run.state, ui.state(flow_run_id)) == ("cancelled", "Cancelled")
    assert 0 < sent < 200
    assert shop.held() == ["1"]
    assert not drain.any_due()

    with shop.town.engine.begin() as conn:
        assert resume(conn, "run", "1", shop.town.now)
        assert holds.standing(conn) == []
    rest = drain.run(ONCE, never, time.sleep)
    assert rest.by_state == {"accepted": 200 - sent}
    assert shop.everybody_once()


def test_a_flow_run_whose_process_was_killed_does_not_stay_running(ui: Ui, shop: Shop, tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    screen = Screen(ui.api, tmp_path / "window.log", told.append)
    screen.show(77, {"open": 77})
    eventually(lambda: told)
    flow_run_id = str(told[0]["flow_run"])
    assert ui.state(flow_run_id) == "Running"
    screen.close(30)  # its pipe closes, as it does when the process on the other end is killed
    assert ui.state(flow_run_id) == "Crashed"


def test_prefect_killed_in_the_middle_of_a_run_is_started_again_and_shows_the_rest(ui: Ui, shop: Shop) -> None:
    window = shop.window(ui.api)
    shop.sign_up(20)
    with shop.drain(window).opened() as run:
        run.drain_now()
        first = eventually(lambda: shop.flow_run_id(run.id))
        killed = ui.process_id
        os.killpg(killed, signal.SIGKILL)
        shop.sign_up(20)
        began = time.monotonic()
        run.drain_now()
        assert time.monotonic() - began < 2
    assert shop.everybody_once()
    eventually(lambda: ui.process_id != killed and ui.api.answers(), 90)
    assert window.close(90)
    shown = shop.flow_run_id(run.id)
    assert shown is not None
    assert ui.state(shown) == "Completed"
    assert first is not None
    assert ui.state(first) != "Running"
