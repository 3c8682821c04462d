"""Given: the events of a file, one JSON object a line, as messages of the Segment protocol in the order of their time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from engine.errors import AlurError
from engine.run.incoming import Incoming

SOURCE: Final = "simulation"

# The short form: the keys of a test's `given` items, with the person's identities beside them.
_SHORT: Final = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "at": "timestamp",
    "message_id": "messageId",
    "properties": "properties",
    "event": "event",
}


class GivenRefusedError(AlurError):
    """The file can't be played; nothing of it was."""


@dataclass(frozen=True)
class Given:
    """One message, when it happened and when it arrives. `who`: the identity under which it is sent."""

    happened: datetime
    arrives: datetime
    who: str
    message: Incoming

    @property
    def plain(self) -> bool:
        """An event of somebody, which arrives as it happens: it changes nothing before its own time."""
        return self.message.payload.get("type") == "track" and self.arrives == self.happened


def read_given(lines: Iterable[str], file: str) -> list[Given]:
    """The messages of a JSON Lines file, by arrival. Empty lines are passed over.

    A line is a message of the Segment protocol (`type`, `userId` or `anonymousId`, `timestamp`, `event`, `properties`,
    `traits`), or in short `{user_id, at, event, properties}` or `{user_id, at, identify: {traits}}`; `received_at` says
    that it arrives later than it happened. Raises `GivenRefusedError`, naming file and line.
    """
    found: list[Given] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_read(_object(line), number))
            except ValueError as error:
                raise GivenRefusedError(f"{file}:{number}: {error}") from error
    return sorted(found, key=lambda given: given.arrives)  # stable: the file's order within an instant


def _object(line: str) -> Mapping[str, Any]:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(
            f"expected a JSON object, and this is no JSON: {error.msg} at character {error.pos + 1}"
        ) from error
    if not isinstance(said, Mapping):
        raise ValueError("expected a JSON object")  # as all that is wrong with a line
    return said


def _read(said: Mapping[str, Any], number: int) -> Given:
    payload = dict(said) if "type" in said else _long(said)
    payload.setdefault("messageId", f"{SOURCE}-{number}")
    who = payload.get("userId") or payload.get("anonymousId")
    if not who:
        raise ValueError("expected 'user_id' or 'anonymous_id': whose event is it?")
    happened = _instant(payload, "timestamp")
    arrives = _instant(said, "received_at") if "received_at" in said else happened
    if arrives < happened:
        raise ValueError("'received_at' is before the event's own time")
    return Given(happened, arrives, str(who), Incoming(payload, SOURCE))


def _long(said: Mapping[str, Any]) -> dict[str, Any]:
    payload = {_SHORT[key]: value for key, value in said.items() if key in _SHORT}
    if "identify" in said:
        return {**payload, "type": "identify", "traits": said["identify"]}
    if "event" not in said:
        raise ValueError("expected 'event', 'identify' or 'type'")
    return {**payload, "type": "track"}


def _instant(said: Mapping[str, Any], name: str) -> datetime:
    value = said.get(name)
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        short = "at" if name == "timestamp" else name
        found = "it is missing" if value is None else f"found '{value}'"
        raise ValueError(f"expected an instant with its offset as '{short}' (2026-03-01T20:00:00+07:00), {found}")
    return instant
