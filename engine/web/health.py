"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Response

from engine.errors import DatabaseUnavailableError, MigrationNeededError
from engine.store.database import check_schema
from engine.web.answers import json_answer
from engine.web.running import Running


def health_router(running: Running) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: the database answers too, with the schema we know; else 503."""
    router = APIRouter(tags=["Health"])

    @router.get("/healthz", summary="The process answers")
    def healthz() -> Response:
        return json_answer({"status": "ok"})

    @router.get(
        "/readyz", summary="The database answers, with our schema", responses={503: {"description": "Not ready"}}
    )
    def readyz() -> Response:
        try:
            check_schema(running.engine)
        except DatabaseUnavailableError:
            return json_answer({"status": "unavailable", "message": "the database can't be reached"}, 503)
        except MigrationNeededError:
            return json_answer({"status": "migration_needed", "message": "run `alur db upgrade`"}, 503)
        return json_answer({"status": "ready"})

    return router
