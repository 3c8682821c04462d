"""Serves the HTTP edge from a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from engine.errors import AlurError

_GRACE = 3  # seconds for requests under way when it stops


class PortTakenError(AlurError):
    """Another program listens where the edge should."""


class WebServer:
    """The edge on a port. `posted` is called after each POST that was answered, on the server's own thread."""

    def __init__(self, web: FastAPI, host: str, port: int, posted: Callable[[], None] = lambda: None) -> None:
        """Take the port; whoever connects waits until `start`. Raises `PortTakenError`."""
        try:
            self._listening = socket.create_server((host, port), backlog=2048)
        except OSError as error:
            raise PortTakenError(
                f"port {port} of {host} can't be listened on ({error.strerror}): is another Alur running? "
                "If not, change web.port in config.yaml."
            ) from error
        self.port: int = self._listening.getsockname()[1]
        config = uvicorn.Config(
            _telling(web, posted),
            log_config=None,
            access_log=False,  # paths hold unsubscribe tokens
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listening]}, name="web", daemon=True
        )

    def start(self) -> None:
        """Serve; returns at once."""
        self._thread.start()

    @property
    def lives(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more requests; returns at once."""
        self._server.should_exit = True

    def join(self, seconds: float) -> bool:
        """Wait until what was posted is stored; False when that has not happened in time."""
        self._thread.join(seconds)
        self._listening.close()
        return not self._thread.is_alive()


def _telling(web: FastAPI, posted: Callable[[], None]) -> Callable[..., Any]:
    async def ask(scope: Any, receive: Any, send: Any) -> None:
        await web(scope, receive, send)
        if scope["type"] == "http" and scope["method"] == "POST":
            posted()

    return ask
