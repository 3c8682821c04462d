"""Puts the HTTP edge together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from engine.run.group import GroupCommit
from engine.run.ingest import ingest
from engine.web import refusal
from engine.web.enroll import enroll_router
from engine.web.health import health_router
from engine.web.running import Running
from engine.web.segment import segment_router
from engine.web.unsubscribe import unsubscribe_router


def create_web(running: Running) -> FastAPI:
    """The ASGI application over a running engine. When the server stops, what has been posted is still stored."""
    group = GroupCommit(lambda messages: ingest(running.engine, running.settings().config, messages, running.clock()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        group.close()

    web = FastAPI(
        title="Alur",
        version=version("alur"),
        description="Events come in by the Segment protocol; customers unsubscribe.",
        lifespan=lifespan,
        redirect_slashes=False,  # a redirected POST loses its body in half of the clients
    )
    refusal.install(web)
    web.include_router(segment_router(running, group))
    web.include_router(enroll_router(running))
    web.include_router(unsubscribe_router(running))
    web.include_router(health_router(running))
    return web
