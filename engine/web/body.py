"""Reads request bodies: never more than their cap, whatever the headers say, and packed or not."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import orjson
from fastapi import Request
from starlette.formparsers import MultiPartException, MultiPartParser

from engine.web.refusal import RequestRefusedError

_MODES = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


async def read_body(request: Request, most: int) -> bytes:
    """The body, unpacked. Over `most` bytes, packed or unpacked, or packed in an unknown or broken way: refused with 400."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            _too_large(most)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    return bytes(data) if encoding in {"", "identity"} else _unpack(bytes(data), encoding, most)


def _unpack(data: bytes, encoding: str, most: int) -> bytes:
    if encoding not in _MODES:
        raise RequestRefusedError(400, "bad_encoding", f"Content-Encoding '{encoding[:40]}' is not read here; use gzip")
    unpacker = zlib.decompressobj(_MODES[encoding])
    try:
        unpacked = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise RequestRefusedError(400, "bad_encoding", f"the body is not {encoding} ({error})") from error
    if len(unpacked) > most:
        _too_large(most)
    if not unpacker.eof:
        raise RequestRefusedError(400, "bad_encoding", f"the {encoding} body is cut off")
    return unpacked


def _too_large(most: int) -> NoReturn:
    raise RequestRefusedError(400, "too_large", f"a body may have {most:,} bytes, unpacked; send smaller batches")


def read_json(data: bytes) -> Any:
    """The JSON value. Half a surrogate pair (an emoji that was cut) becomes U+FFFD, as it does wherever UTF-16 becomes
    UTF-8: it is no reason to lose a whole batch. Anything else that is broken is refused with 400.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if b"\\ud" not in data.lower():
            raise RequestRefusedError(400, "invalid_json", f"the body is not JSON: {error}") from error
    try:
        return _whole(json.loads(data, parse_constant=_no_number, parse_float=_number))
    except (ValueError, RecursionError) as error:
        raise RequestRefusedError(400, "invalid_json", f"the body is not JSON: {error}") from error


def _whole(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {_whole(name): _whole(item) for name, item in value.items()}
        case _:
            return value


def _number(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"'{text[:40]}' is no number that JSON knows")


async def read_form(request: Request, most: int) -> Mapping[str, str]:
    """The fields of a form, urlencoded or multipart/form-data; files and unreadable bodies count as none."""
    data = await read_body(request, most)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        try:
            return dict(parse_qsl(data.decode("utf-8", "replace"), max_num_fields=20))
        except ValueError:  # more fields than any form of ours has
            return {}

    async def stream() -> AsyncGenerator[bytes, None]:
        yield data

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=0, max_fields=20).parse()
    except (MultiPartException, KeyError, ValueError):
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}
