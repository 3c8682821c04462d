"""How the edge says no: the one place where errors become HTTP answers, JSON for apps and pages for people."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from engine.errors import AlurError, DatabaseUnavailableError
from engine.run.group import EdgeBusyError
from engine.web.answers import json_answer
from engine.web.pages import page

_CODES = {404: "not_found", 405: "method_not_allowed"}


class RequestRefusedError(AlurError):
    """This request is not served; `code` is a stable word for programs, the message a sentence for people."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        super().__init__(message)


def install(web: FastAPI) -> None:
    """Answer every error in the form that its path's callers read."""
    web.add_exception_handler(RequestRefusedError, _refused)
    web.add_exception_handler(DatabaseUnavailableError, _unavailable)
    web.add_exception_handler(EdgeBusyError, _unavailable)
    web.add_exception_handler(HTTPException, _http)
    web.add_exception_handler(Exception, _failed)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefusedError)
    return _answer(request, error.status, error.code, error.message, error.retry_after)


async def _unavailable(request: Request, _: Exception) -> Response:
    # The reason is for our log: it can name hosts. Clients need to know that the same request may be sent again.
    return _answer(request, 503, "unavailable", "nothing was stored; send it again", 1)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, _CODES.get(error.status_code, "refused"), str(error.detail))


async def _failed(request: Request, _: Exception) -> Response:
    return _answer(request, 500, "internal_error", "Alur has failed inside; its log tells more")


def _answer(request: Request, status: int, code: str, message: str, retry_after: int | None = None) -> Response:
    if request.url.path.startswith("/u/"):
        answer = page("trouble.html" if status < 500 else "later.html", status)
    else:
        answer = json_answer({"success": False, "code": code, "message": message}, status)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer
