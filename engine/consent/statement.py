"""What the trait `consent` says: which topics a person allows or takes back, on which channels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from channels.base import Medium
from engine.errors import AlurError
from engine.grammar import suggestion

CHANNELS: Final[tuple[str, ...]] = get_args(Medium)


class ConsentUnreadableError(AlurError):
    """A consent trait that names an unknown topic or channel, or has another shape than the ones we know."""


@dataclass(frozen=True)
class Statement:
    """The person allows (`given`) or takes back one topic on one channel."""

    topic: str
    channel: str
    given: bool


@dataclass(frozen=True)
class Holding:
    """The newest consent row of a contact, topic and channel: what holds now."""

    id: int
    given: bool
    at: datetime
    wording: str | None


def read_statements(value: Any, topics: Collection[str]) -> tuple[Statement, ...]:
    """`[offers]` allows a topic on every channel, `{offers: [email]}` on these; `false` in place of the list, or of the
    whole, takes back; `{offers: {sms: false}}` says it per channel. What is not named stays as it is.

    Raises `ConsentUnreadableError`; then nothing of it may be used.
    """
    if value is None:
        return ()
    if isinstance(value, bool):
        if value:
            raise ConsentUnreadableError("'true' does not say to what; name the topics, e.g. [offers]")
        return tuple(Statement(topic, channel, False) for topic in sorted(topics) for channel in CHANNELS)
    if isinstance(value, list):
        return tuple(s for topic in value for s in _of_topic(topic, True, topics))
    if isinstance(value, dict):
        return tuple(s for topic, what in value.items() for s in _of_topic(topic, what, topics))
    raise ConsentUnreadableError("expected a list of topics, a mapping of topics to channels, or false")


def _of_topic(topic: Any, what: Any, topics: Collection[str]) -> list[Statement]:
    if not isinstance(topic, str) or topic not in topics:
        word = str(topic)[:60]
        raise ConsentUnreadableError(f"unknown topic '{word}'{suggestion(word, topics)}")
    if isinstance(what, bool):
        return [Statement(topic, channel, what) for channel in CHANNELS]
    if isinstance(what, list):
        return [Statement(topic, _channel(channel), True) for channel in what]
    if isinstance(what, dict) and all(isinstance(given, bool) for given in what.values()):
        return [Statement(topic, _channel(channel), given) for channel, given in what.items()]
    raise ConsentUnreadableError(f"topic '{topic}': expected a list of channels, true or false")


def _channel(name: Any) -> str:
    if name not in CHANNELS:
        raise ConsentUnreadableError(f"unknown channel '{str(name)[:60]}'{suggestion(str(name), CHANNELS)}")
    return str(name)


def must_record(said: bool, at: datetime | None, wording: str | None, holding: Holding | None, now: datetime) -> bool:
    """Whether a statement becomes a new row, given what holds.

    A statement older than what holds changes nothing: the person's last word counts, in whatever order words arrive.
    Consent without a time of its own (`at` None, a list that is imported) never overrules a withdrawal. Saying the same
    again is no new proof, unless under another wording.
    """
    if holding is None:
        return True
    if at is None and said and not holding.given:
        return False
    if (at or now) < holding.at:
        return False
    return said != holding.given or (said and wording is not None and wording != holding.wording)
