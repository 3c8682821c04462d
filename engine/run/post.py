"""Post: what delivering needs, and the words in which its parts talk to each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine

from channels.base import Adapter, Message
from engine.run.machines import Machines
from engine.run.settings import Settings
from engine.run.throttle import Gate
from engine.store.intents import Intent, LockedSend


@dataclass(frozen=True)
class Composed:
    """A message as it goes over the wire, and what it was made from."""

    message: Message
    template_hash: str
    message_id: str | None = None
    config_hash: str = ""


class Composer(Protocol):
    """Makes the message of a send."""

    def has_template(self, channel: str, template: str) -> bool: ...

    def compose(self, send: LockedSend, channel: str, address: str, now: datetime) -> Composed:
        """Raises `RenderError` when this one can't be made."""
        ...


@dataclass(frozen=True)
class Counts:
    """What became of sends, by state; `planned` went back into the outbox."""

    by_state: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: Counts) -> Counts:
        return Counts(dict(Counter(self.by_state) + Counter(other.by_state)))

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


@dataclass(frozen=True)
class Ready:
    """A send whose intent is committed."""

    send: LockedSend
    intent: Intent
    message: Message


@dataclass(frozen=True)
class Post:
    """What delivering needs, shared by all threads of a process."""

    engine: Engine
    adapters: Mapping[str, Adapter]
    gates: Mapping[str, Gate]
    composer: Composer
    machines: Machines
    clock: Callable[[], datetime]
    worker: int
    settings: Settings

    @property
    def zone(self) -> str:
        """The time zone of people who have none of their own."""
        return self.settings().config.organisation.timezone
