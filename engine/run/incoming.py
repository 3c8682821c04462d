"""Reads one message of the Segment protocol into what Alur takes from it, or says which field is wrong; pure.

The protocol: segment.com/docs/connections/spec. `track` is an event under its folded name; `page` and `screen` are events
named `page` and `screen`, `group` one named `group` with the group's traits and `group_id` as properties (a group is no
person). `identify` writes traits, `alias` joins `previousId` to `userId`; both leave no event. `context.traits` is not
applied: it repeats what an `identify` has said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

import orjson

from engine.run.profile import FieldRefusedError, Profile, Rules, fills, fold_name, read_profile

MessageType = Literal["track", "page", "screen", "group", "identify", "alias"]
MESSAGE_TYPES: Final[tuple[str, ...]] = get_args(MessageType)

LARGEST_MESSAGE = 256 * 1024  # bytes of JSON; Segment takes 32 kB
LONGEST_ID = 256  # characters; a btree key of PostgreSQL must stay under 2,704 bytes
_YEARS = range(1970, 2101)

# What a broken client sends in place of an id; taken as one, they would make one person out of many.
_NO_IDS: Final = frozenset({"undefined", "null", "nan", "[object object]"})

# Fields of a message that have a place of their own; `extra` keeps all others. The key is a secret, and kept nowhere.
_PLACED: Final = frozenset(
    {
        "type", "messageId", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "userId", "anonymousId", "event",
        "properties", "traits", "groupId", "previousId", "writeKey",
    }
)  # fmt: skip
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it; PostgreSQL's text can't hold it


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it arrived. `source` is the write key's name; `server`: the key is kept on a server, so that its word on
    consent counts; `starts` False: sent for the record only (`/v1/import`). `sent_at` and `context` are the batch's.
    """

    payload: Any
    source: str
    server: bool = True
    starts: bool = True
    sent_at: Any = None
    context: Any = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be stored; `properties` and `extra` are JSON text."""

    type: str
    name: str
    properties: str
    extra: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a message or an imported row says: who, when, and an event, a profile or an alias (`previous_id`).

    `message_id` None: none was given. `note` is something that was left out of it, to be shown among the dead letters.
    """

    source: str
    message_id: str | None
    user_id: str | None
    anonymous_id: str | None
    server: bool
    starts: bool
    occurred_at: datetime
    event: NewEvent | None = None
    profile: Profile | None = None
    previous_id: str | None = None
    note: str | None = None
    payload: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that can't be taken; `reason` names the field. `payload` is JSON text that PostgreSQL can hold."""

    source: str
    message_id: str | None
    reason: str
    payload: str


def read_message(incoming: Incoming, rules: Rules, now: datetime) -> Message | DeadLetter:
    """The message, or why it can't be taken; never raises for what a sender may write."""
    try:
        return _read(incoming, rules, now)
    except FieldRefusedError as error:
        return dead_letter(incoming, str(error))


def dead_letter(incoming: Incoming, reason: str) -> DeadLetter:
    """The record of a message that can't be taken, without the key that came with it."""
    payload = incoming.payload
    message_id = payload.get("messageId") if isinstance(payload, dict) else None
    usable = isinstance(message_id, str) and 0 < len(message_id) <= LONGEST_ID and "\0" not in message_id
    return DeadLetter(
        incoming.source, message_id if usable else None, reason.replace("\0", "\ufffd"), storable(payload)
    )


def _read(incoming: Incoming, rules: Rules, now: datetime) -> Message:
    message = incoming.payload
    if not isinstance(message, dict):
        raise FieldRefusedError("batch", "each message must be an object")
    _check_size(message)
    kind = message.get("type")
    if kind not in MESSAGE_TYPES:
        raise FieldRefusedError("type", f"expected one of {', '.join(MESSAGE_TYPES)}, found {_shown(kind)}")
    context = _mapping(message, "context") or (incoming.context if isinstance(incoming.context, dict) else {})
    user_id, anonymous_id = read_identifier(message, "userId"), read_identifier(message, "anonymousId")
    if user_id is None and (anonymous_id is None or kind == "alias"):
        wanted = "an alias needs the id to keep" if kind == "alias" else "either userId or anonymousId is required"
        raise FieldRefusedError("userId", wanted)
    occurred_at = _occurred_at(message, incoming.sent_at, now)
    profile, note = _profile(incoming, message, context, kind, rules, min(occurred_at, now))
    return Message(
        incoming.source,
        read_identifier(message, "messageId"),
        user_id,
        anonymous_id,
        incoming.server,
        incoming.starts,
        occurred_at,
        _event(message, kind, context),
        profile,
        _previous(message) if kind == "alias" else None,
        note,
        message,
    )


def _check_size(message: dict[str, Any]) -> None:
    try:
        text = orjson.dumps(message)
    except TypeError as error:  # orjson goes 254 levels deep
        raise FieldRefusedError("message", f"can't be kept as JSON ({error})") from error
    if len(text) > LARGEST_MESSAGE:
        raise FieldRefusedError(
            "message", f"{len(text):,} bytes are more than the {LARGEST_MESSAGE:,} a message may have"
        )
    if b"\\u0000" in text and _NUL.search(text.decode()):
        raise FieldRefusedError(_nul_field(message), "holds the character U+0000, which can't be stored")


def _nul_field(message: dict[str, Any]) -> str:
    return next(
        (name for name, value in message.items() if _NUL.search(orjson.dumps([name, value]).decode())), "message"
    ).replace("\0", "\ufffd")


def read_identifier(message: Mapping[str, Any], name: str) -> str | None:
    """An id as text; whole numbers are taken as their digits, blank text as none. Raises `FieldRefusedError`."""
    value = message.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise FieldRefusedError(name, f"expected text or a whole number, found {_shown(value)}")
    if not value.strip():
        return None
    if len(value) > LONGEST_ID:
        raise FieldRefusedError(name, f"{len(value)} characters are more than the {LONGEST_ID} an id may have")
    if value.lower() in _NO_IDS:
        raise FieldRefusedError(name, f"'{value}' is no id (the client has sent a variable that was not set)")
    return value


def _previous(message: Mapping[str, Any]) -> str:
    previous = read_identifier(message, "previousId")
    if previous is None:
        raise FieldRefusedError("previousId", "an alias needs the id to give up")
    return previous


def _mapping(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FieldRefusedError(name, f"expected an object, found {_shown(value)}")
    return value


def _occurred_at(message: Mapping[str, Any], batch_sent_at: Any, now: datetime) -> datetime:
    """When it happened by our clock: receivedAt - (sentAt - timestamp), so that a device's wrong clock cancels out; without
    `sentAt` the timestamp as given, without both the arrival. RudderStack's clients say `originalTimestamp`.
    """
    name = "timestamp" if message.get("timestamp") is not None else "originalTimestamp"
    timestamp = read_instant(message.get(name), name)
    own = message.get("sentAt")
    sent_at = read_instant(batch_sent_at if own is None else own, "sentAt")
    if timestamp is None:
        return now
    if sent_at is None:
        return timestamp
    at = now - (sent_at - timestamp)
    if at.year not in _YEARS:
        raise FieldRefusedError(name, f"together with sentAt it means {at:%Y-%m-%d}, which can't be")
    return at


def read_instant(value: Any, name: str) -> datetime | None:
    """An ISO 8601 text with an offset, in UTC; None stays None. Raises `FieldRefusedError`, naming the field."""
    if value is None:
        return None
    example = "write it like 2026-03-01T09:00:00+07:00"
    if not isinstance(value, str):
        raise FieldRefusedError(name, f"expected an ISO 8601 text, found {_shown(value)}; {example}")
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise FieldRefusedError(name, f"{_shown(value)} is no instant ({error}); {example}") from error
    if at.tzinfo is None:
        raise FieldRefusedError(name, f"{_shown(value)} has no time zone; {example}")
    if at.year not in _YEARS:
        raise FieldRefusedError(name, f"{_shown(value)} lies outside the years {_YEARS[0]} to {_YEARS[-1]}")
    return at.astimezone(UTC)


def _event(message: dict[str, Any], kind: str, context: dict[str, Any]) -> NewEvent | None:
    if kind in {"identify", "alias"}:
        return None
    extra = {name: value for name, value in message.items() if name not in _PLACED and value not in (None, {}, [])}
    if context:
        extra["context"] = context
    properties = _mapping(message, "traits" if kind == "group" else "properties")
    name = kind
    if kind == "track":
        original = message.get("event")
        if not isinstance(original, str) or not original.strip():
            raise FieldRefusedError("event", f"a track needs the event's name, found {_shown(original)}")
        name = fold_name(original)
        if not name or len(name) > LONGEST_ID:
            raise FieldRefusedError("event", f"{_shown(original)} is no name for an event")
        if name != original:
            extra["event"] = original
    elif kind == "group":
        group_id = read_identifier(message, "groupId")
        if group_id is None:
            raise FieldRefusedError("groupId", "a group call needs the group's id")
        properties = {**properties, "group_id": group_id}
    else:
        named = {key: message[key] for key in ("name", "category") if isinstance(message.get(key), str)}
        properties = {**named, **properties}
    return NewEvent(kind, name, orjson.dumps(properties).decode(), orjson.dumps(extra).decode())


def _profile(
    incoming: Incoming, message: dict[str, Any], context: dict[str, Any], kind: str, rules: Rules, at: datetime
) -> tuple[Profile | None, str | None]:
    found = fills(context) if context else {}
    if kind != "identify":
        return (Profile(fills=found) if found else None), None
    traits = _mapping(message, "traits")
    profile = read_profile(traits, rules, at, may_consent=incoming.server)
    note = None
    if not incoming.server and any(fold_name(name) == "consent" for name in traits):
        note = "traits.consent: left out, the rest was stored; a key of scope browser can be read by anybody and may not give consent"
    return Profile(profile.columns, profile.traits, found, profile.consent), note


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return f"'{value[:60]}'"
        case bool() | int() | float():
            return str(value)[:60].lower()
        case list():
            return "a list"
        case _:
            return "an object"


def storable(payload: Any) -> str:
    """The payload as JSON text that a jsonb column takes, without the key that came with it; one that is too large is cut."""
    if isinstance(payload, dict):
        payload = {name: value for name, value in payload.items() if name != "writeKey"}
    try:
        text = orjson.dumps(payload).decode()
    except TypeError:
        return json.dumps({"unreadable": "this message can't be kept as JSON"})
    if len(text) > LARGEST_MESSAGE:
        return json.dumps({"start": text[:2000].replace("\\u0000", "\\ufffd")})
    return text.replace("\\u0000", "\\ufffd")
