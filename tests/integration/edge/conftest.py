from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests
import uvicorn
from sqlalchemy import Engine

from engine.web import create_web
from tests.integration.edge.shop import Shop


@pytest.fixture
def shop(database: Engine) -> Shop:
    return Shop(database)


@pytest.fixture
def site(shop: Shop) -> Iterator[str]:
    """The address of a live server over the shop."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # who asks before the server is up waits for it
        config = uvicorn.Config(create_web(shop), log_level="warning", access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert requests.get(f"{address}/healthz", timeout=20).status_code == 200
            yield address
        finally:
            server.should_exit = True
            thread.join()
