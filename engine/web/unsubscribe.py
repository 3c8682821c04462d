"""The unsubscribe link of a message: a page with one button, and the one-click POST of RFC 8058."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from engine.consent.token import UnsubscribeClaims, read
from engine.errors import TokenError
from engine.run.feedback import How, subscription, unsubscribe
from engine.web.body import read_form
from engine.web.pages import page
from engine.web.refusal import RequestRefusedError
from engine.web.running import Running

_LARGEST_FORM: Final = 16 * 1024
_PATHS: Final = ("/u/{token}", "/u/{token}/")


def unsubscribe_router(running: Running) -> APIRouter:
    """`GET` and `HEAD /u/{token}` change nothing, however often a scanner follows them (P5, E1). `POST` acts: with
    `List-Unsubscribe=One-Click` for the mail's topic, with the page's button for that or everything; any other body gets
    400 (E4). Never a cookie, never a redirect. A token that is not ours gets 404 and no reason.
    """
    router = APIRouter(tags=["Unsubscribe"])

    def claims_of(token: str) -> UnsubscribeClaims:
        try:
            return read(token, running.config.web.secret_keys)
        except TokenError as error:
            raise RequestRefusedError(404, "not_found", "no such page") from error

    def show(token: str) -> Response:
        found = subscription(running.engine, claims_of(token))
        if found is None:
            return page("nobody.html", config=running.settings().config)
        return page("ask.html", config=running.settings().config, subscription=found)

    async def act(token: str, request: Request) -> Response:
        claims = claims_of(token)
        form = await read_form(request, _LARGEST_FORM)
        how: How = "one_click" if form.get("List-Unsubscribe") == "One-Click" else "unsubscribe_link"
        action = form.get("action")
        if how == "unsubscribe_link" and action not in {"unsubscribe", "unsubscribe_all"}:
            raise RequestRefusedError(400, "bad_request", "nothing was changed")
        everything = how != "one_click" and (action == "unsubscribe_all" or form.get("everything") == "yes")
        done = await run_in_threadpool(
            unsubscribe, running.engine, claims, running.clock(), everything=everything, how=how
        )
        if how == "one_click":
            return Response("You are unsubscribed.\n", headers={"Cache-Control": "no-store"}, media_type="text/plain")
        found = None if done == "nobody" else await run_in_threadpool(subscription, running.engine, claims)
        if found is None:
            return page("nobody.html", config=running.settings().config)
        return page("done.html", config=running.settings().config, subscription=found)

    for path in _PATHS:
        in_schema = not path.endswith("/")
        router.add_api_route(path, show, methods=["GET"], summary="A page with one button", include_in_schema=in_schema)
        router.add_api_route(path, show, methods=["HEAD"], include_in_schema=False)
        router.add_api_route(path, act, methods=["POST"], summary="Unsubscribe", include_in_schema=in_schema)
    return router
