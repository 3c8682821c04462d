"""`POST /v1/enroll`: an app lets a person knock at the door of a journey."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from engine.config import ApiKey
from engine.errors import UnknownNameError
from engine.run.enroll import NobodyEntersError, PropertiesError, enroll, open_journey, read_properties
from engine.run.incoming import LONGEST_ID
from engine.store import contacts
from engine.web.answers import json_answer
from engine.web.body import read_body, read_json
from engine.web.keys import KeyRing, WrongKeys, presented_key
from engine.web.refusal import RequestRefusedError
from engine.web.running import Running

_LARGEST_BODY: Final = 512 * 1024
_KNOWN: Final = ("journey", "contact", "userId", "properties", "messageId")
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "Not JSON, too large, or a field is wrong"},
    401: {"description": "The API key is missing or wrong"},
    403: {"description": "The API key's scope does not allow this"},
    404: {"description": "There is no such journey or contact"},
    409: {"description": "The journey was removed"},
    429: {"description": "Too many wrong keys; see Retry-After"},
    503: {"description": "Nothing was stored; send it again"},
}
_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["journey", "contact"],
    "properties": {
        "journey": {"type": "string"},
        "contact": {"type": "string", "description": "a user id, else an e-mail address, else a phone number"},
        "properties": {"type": "object", "description": "is `event` in the journey"},
        "messageId": {"type": "string", "description": "the same id from the same key counts once"},
    },
}


def enroll_router(running: Running) -> APIRouter:
    """Needs a key of `web.api_keys` with the scope `enroll`. Answers after the commit; who is let in is decided by the
    journey's entry rules a moment later. A `messageId` that has been taken before is answered 200 and changes nothing.
    """
    router = APIRouter(tags=["Enroll"])
    ring, wrong = KeyRing(running.config.web.api_keys), WrongKeys(which="api")

    async def post(request: Request) -> Response:
        key = ring.find(presented_key(request.headers.get("authorization"), None))
        if key is None:
            raise wrong.refuse(request.client.host if request.client else "")
        if "enroll" not in key.scopes:
            raise RequestRefusedError(403, "forbidden", f"the API key '{key.name}' has not the scope 'enroll'")
        body = read_json(await read_body(request, _LARGEST_BODY))
        fresh = await run_in_threadpool(_enroll, running, key, body)
        return json_answer({"success": True, "duplicate": not fresh})

    for path in ("/v1/enroll", "/v1/enroll/"):
        router.add_api_route(
            path,
            post,
            methods=["POST"],
            name="enroll",
            summary="Enroll a person in a journey, under its entry rules.",
            responses=_REFUSALS,
            openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}}},
            include_in_schema=not path.endswith("/"),
        )
    return router


def _enroll(running: Running, key: ApiKey, body: Any) -> bool:
    if not isinstance(body, dict):
        raise RequestRefusedError(400, "invalid_json", "the body must be a JSON object")
    for name in body:
        if name not in _KNOWN:
            raise _bad(f"unknown field '{name[:60]}' (there are {', '.join(_KNOWN)})")
    journey, word = _text(body, "journey"), _text(body, "contact" if "contact" in body else "userId")
    message_id = _text(body, "messageId") if body.get("messageId") is not None else None
    try:
        properties = read_properties(body.get("properties") or {})
    except PropertiesError as error:
        raise _bad(str(error)) from error
    try:
        with running.engine.begin() as conn:
            open_journey(conn, journey)
            person = contacts.find(conn, word, running.settings().config.organisation.country)
            message = (key.source, message_id) if message_id is not None else None
            return enroll(conn, journey, person.id, properties, key.source, running.clock(), message)
    except UnknownNameError as error:
        raise RequestRefusedError(404, "not_found", str(error)) from error
    except NobodyEntersError as error:
        raise RequestRefusedError(409, "removed", str(error)) from error


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID or "\0" in value:
        raise _bad(f"'{name}' must be text of 1 to {LONGEST_ID} characters")
    return value


def _bad(message: str) -> RequestRefusedError:
    return RequestRefusedError(400, "bad_request", message)
