"""The Segment HTTP tracking protocol, so that every Segment SDK works unchanged: segment.com/docs/connections/sources/catalog/libraries/server/http-api."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from engine.config import WriteKey
from engine.run.group import GroupCommit
from engine.run.incoming import Incoming
from engine.web.answers import ANY_ORIGIN, json_answer
from engine.web.body import read_body, read_json
from engine.web.keys import KeyRing, WrongKeys, presented_key
from engine.web.refusal import RequestRefusedError
from engine.web.running import Running

LARGEST_BODY: Final = 8 * 1024 * 1024  # bytes, unpacked; Segment takes 4 MB a batch
MOST_MESSAGES: Final = 10_000

_SINGLE: Final = {
    "identify": "identify", "track": "track", "page": "page", "screen": "screen", "group": "group", "alias": "alias",
    "i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias",
}  # fmt: skip
_BATCHES: Final = ("batch", "b", "import")
_ABOUT: Final = {
    "identify": "Traits of a person; with a server key also consent.",
    "track": "An event of a person.",
    "page": "A page was seen.",
    "screen": "A screen was seen.",
    "group": "A person belongs to a group.",
    "alias": "Two ids are one person.",
    "batch": "Many messages in one post.",
    "import": "Many messages of the past: for the record and for conditions, they start no journey. Server keys only.",
}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "Not JSON, or too large"},
    401: {"description": "The write key is missing or wrong"},
    403: {"description": "The write key's scope does not allow this"},
    429: {"description": "Too many wrong keys; see Retry-After"},
    503: {"description": "Nothing was stored; send it again"},
}


def segment_router(running: Running, group: GroupCommit) -> APIRouter:
    """`POST /v1/{identify,track,page,screen,group,alias,batch,import}` and their one-letter forms, with or without a
    trailing slash. Answers after the commit; a wrong message inside a good post is kept as a dead letter and answered 200.
    """
    router = APIRouter(tags=["Events"])
    ring, wrong = KeyRing(running.config.web.write_keys), WrongKeys()

    def endpoint(call: str) -> Callable[[Request], Awaitable[Response]]:
        async def post(request: Request) -> Response:
            body = read_json(await read_body(request, LARGEST_BODY))
            key = ring.find(presented_key(request.headers.get("authorization"), body))
            if key is None:
                raise wrong.refuse(request.client.host if request.client else "")
            await asyncio.wrap_future(group.submit(_messages(call, body, key)))
            return json_answer({"success": True})

        return post

    for call in (*_SINGLE, *_BATCHES):
        meaning = _SINGLE.get(call, "batch" if call == "b" else call)
        for path in (f"/v1/{call}", f"/v1/{call}/"):
            router.add_api_route(
                path,
                endpoint(call),
                methods=["POST"],
                name=meaning,
                summary=_ABOUT[meaning],
                responses=_REFUSALS,
                openapi_extra=_described(meaning),
                include_in_schema=len(call) > 1 and not path.endswith("/"),
            )
    router.add_api_route("/v1/{call:path}", _preflight, methods=["OPTIONS"], include_in_schema=False)
    return router


def _messages(call: str, body: Any, key: WriteKey) -> list[Incoming]:
    if not isinstance(body, dict):
        raise RequestRefusedError(400, "invalid_json", "the body must be a JSON object")
    server = key.scope == "server"
    if call in _SINGLE:
        return [Incoming({**body, "type": _SINGLE[call]}, key.name, server)]
    if call == "import" and not server:
        raise RequestRefusedError(403, "forbidden", "/v1/import needs a write key of scope server")
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise RequestRefusedError(400, "invalid_json", "'batch' must be a list of messages")
    if len(batch) > MOST_MESSAGES:
        raise RequestRefusedError(
            400, "too_large", f"a batch may have {MOST_MESSAGES:,} messages, this has {len(batch):,}"
        )
    sent_at, context, starts = body.get("sentAt"), body.get("context"), call != "import"
    return [Incoming(message, key.name, server, starts, sent_at, context) for message in batch]


async def _preflight(request: Request) -> Response:
    """CORS: any page may post here; what it may do hangs on its key."""
    wanted = request.headers.get("access-control-request-headers", "content-type, authorization")
    headers = {
        **ANY_ORIGIN,
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": wanted[:1000],
        "Access-Control-Max-Age": "86400",
    }
    return Response(headers=headers)


def _described(meaning: str) -> dict[str, Any]:
    """The request body for the OpenAPI page; the endpoint itself reads bytes, for most messages are not worth a model."""
    message = {
        "type": "object",
        "properties": {
            "userId": {"type": "string"},
            "anonymousId": {"type": "string"},
            "messageId": {"type": "string", "description": "stored once per key and id; given one when it is missing"},
            "timestamp": {"type": "string", "format": "date-time"},
            "context": {"type": "object"},
            **_FIELDS.get(meaning, {}),
        },
    }
    if meaning in {"batch", "import"}:
        typed = {**message["properties"], "type": {"type": "string", "enum": sorted(set(_SINGLE.values()))}}  # type: ignore[dict-item]
        message = {
            "type": "object",
            "required": ["batch"],
            "properties": {
                "batch": {"type": "array", "items": {"type": "object", "properties": typed}},
                "sentAt": {"type": "string", "format": "date-time"},
                "writeKey": {"type": "string"},
            },
        }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": message}}}}


_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "identify": {"traits": {"type": "object"}},
    "track": {"event": {"type": "string"}, "properties": {"type": "object"}},
    "page": {"name": {"type": "string"}, "properties": {"type": "object"}},
    "screen": {"name": {"type": "string"}, "properties": {"type": "object"}},
    "group": {"groupId": {"type": "string"}, "traits": {"type": "object"}},
    "alias": {"previousId": {"type": "string"}},
}
