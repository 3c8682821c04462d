"""Answers for programs: JSON that a browser of any origin may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

# Browser SDKs post from the shop's own pages; the key in the request, not the origin, says whether they may.
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


def json_answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON answer without cache, readable from every origin."""
    headers = {**ANY_ORIGIN, "Cache-Control": "no-store"}
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
