from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.flows.server import PrefectServer
from tests.integration.run.town import Town
from tests.integration.send_runs.shop import Shop
from tests.integration.send_runs.ui import Ui, eventually


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A real Prefect server; it takes some ten seconds to start, so all tests of a worker share it."""
    folder = tmp_path_factory.mktemp("prefect")
    server = PrefectServer(folder, folder / "prefect.log")
    api = server.start()
    assert api is not None
    try:
        eventually(api.answers, 90)
        yield Ui(server, api, folder)
    finally:
        server.stop(2)


@pytest.fixture
def shop(database: Engine, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(Town(database), tmp_path)
    yield shop
    shop.close()
