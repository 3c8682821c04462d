from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.flows.server import PrefectServer, free_port
from tests.integration.run.town import Town
from tests.integration.send_runs.shop import Shop
from tests.integration.send_runs.ui import Ui, eventually


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A real Prefect server; it takes some ten seconds to start, so all tests of a worker share it."""
    folder = tmp_path_factory.mktemp("prefect")
    server = PrefectServer(folder, folder / "prefect.log", free_port(0))
    server.start()
    ui = Ui(server, folder)
    try:
        eventually(ui.api.answers, 90)
        yield ui
    finally:
        server.stop(2)


@pytest.fixture
def shop(database: Engine, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(Town(database), tmp_path)
    yield shop
    shop.close()
