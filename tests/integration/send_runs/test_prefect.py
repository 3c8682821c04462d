"""Prefect is the window on send runs: it shows what happens and takes the wish to cancel; nothing waits for it."""

from __future__ import annotations

import time

from tests.integration.send_runs.shop import Shop
from tests.integration.send_runs.ui import Ui


def test_a_send_run_is_a_flow_run_with_tasks_progress_and_a_table_of_results(ui: Ui, shop: Shop) -> None:
    window = shop.window(ui.api)
    shop.sign_up(30)
    with shop.drain(window).opened() as run:
        run.drain_now()
        run.cut()
        shop.sign_up(10)
        run.drain_now()
    t = time.monotonic()
    assert window.close(60)
    print("closed", time.monotonic() - t)
    (stored,) = shop.runs()
    (flow_run,) = ui.flow_runs(run.id)
    print(flow_run["state"])
    assert flow_run["id"] == stored.flow_run_id
    print(ui.tasks(flow_run["id"]), ui.artifacts(flow_run["id"]))
