"""Write keys: how a request presents one, whose it is, and what happens to those who guess."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from engine.config import ApiKey, WriteKey
from engine.web.refusal import RequestRefusedError

_LONGEST_KEY = 512


def presented_key(authorization: str | None, body: Any) -> str | None:
    """The key in `Authorization: Basic base64("KEY:")` (also without the colon), in `Bearer KEY`, else `writeKey` in the
    body (older segment-analytics-python sends only that).
    """
    scheme, _, rest = (authorization or "").strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "basic":
        try:
            user, _, _ = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user or None
    if scheme.lower() == "bearer":
        return rest or None
    key = body.get("writeKey") if isinstance(body, dict) else None
    return key if isinstance(key, str) and key else None


Key = TypeVar("Key", bound=WriteKey | ApiKey)


class KeyRing(Generic[Key]):
    """The keys of `web.write_keys` or `web.api_keys`; looking one up takes the same time whether and where it is found."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple((_digest(key.key), key) for key in keys)

    def find(self, presented: str | None) -> Key | None:
        wanted = _digest((presented or "")[:_LONGEST_KEY])
        found: Key | None = None
        for digest, key in self._keys:
            if hmac.compare_digest(digest, wanted):
                found = key
        return found if presented else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


class WrongKeys:
    """Counts wrong keys by client address: after `allowed` in `window` seconds each further one gets 429 (S22).

    A right key always passes: behind a proxy all clients may have one address, and one who guesses must not lock out the
    shop. Guessing a random key of 20 characters is hopeless at any speed; this only keeps it cheap to refuse. Holds at
    most `addresses` of them, the longest quiet are forgotten first.
    """

    def __init__(
        self,
        allowed: int = 20,
        window: float = 60.0,
        which: Literal["write", "api"] = "write",
        addresses: int = 10_000,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._window = window
        self._most = addresses
        self._which = which
        self._seconds = seconds
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def refuse(self, address: str) -> RequestRefusedError:
        """Count one more wrong key of this address, and give the error to raise. Called from the event loop's thread only."""
        at = self._seconds()
        count, since = self._counts.pop(address, (0, at))
        if at - since >= self._window:
            count, since = 0, at
        self._counts[address] = (count + 1, since)
        if len(self._counts) > self._most:
            self._counts.popitem(last=False)
        if count >= self._allowed:
            wait = max(1, round(self._window - (at - since)))
            return RequestRefusedError(
                429, "too_many_requests", f"too many wrong {self._which} keys; try again in {wait} s", wait
            )
        return RequestRefusedError(
            401,
            "unauthorized",
            f"the {self._which} key is missing or wrong: see web.{self._which}_keys in config.yaml",
        )
