"""The values of config.yaml, with their defaults."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal

from channels.base import Medium
from engine.document import Mapping, Plain
from engine.grammar import Declared, FieldType


@dataclass(frozen=True)
class Organisation:
    """Who sends: `locale` is the language of people whose own is not known, `country` the region of local phone numbers."""

    name: str
    postal_address: str | None = None
    timezone: str = "UTC"
    locale: str = "en"
    country: str | None = None


@dataclass(frozen=True)
class WriteKey:
    """A key by which an app posts events; `name` is the source of what it posts. Only `server` keys may give consent."""

    name: str
    key: str = field(repr=False)
    scope: Literal["server", "browser"]


ApiScope = Literal["enroll", "read"]


@dataclass(frozen=True)
class ApiKey:
    """A key by which an app enrolls people (`enroll`) or asks about them (`read`); it can post no events."""

    name: str
    key: str = field(repr=False)
    scopes: tuple[ApiScope, ...]

    @property
    def source(self) -> str:
        """The source under which its messages are known; never that of a write key."""
        return f"api:{self.name}"


@dataclass(frozen=True)
class Web:
    """`public_url` (without a slash at its end) is where customers reach us; `secret_keys` sign links, the newest first."""

    public_url: str = "http://127.0.0.1:8080"
    host: str = "127.0.0.1"
    port: int = 8080
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    write_keys: tuple[WriteKey, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()


@dataclass(frozen=True)
class Rate:
    """At most `count` messages in each span of `per`."""

    text: str
    count: int
    per: timedelta


@dataclass(frozen=True)
class QuietHours:
    """[start, end) of a person's day, in local time: at `start` a message is held, at `end` it goes."""

    start: time
    end: time
    channels: tuple[str, ...] = ("sms", "whatsapp", "push")
    then: Literal["wait", "skip"] = "wait"


@dataclass(frozen=True)
class Cap:
    """At most `most` marketing messages to one person in any span of `per`, over all journeys and channels."""

    most: int
    per: timedelta
    then: Literal["skip", "wait"] = "skip"


PRIORITY: Final = 50
"""Of a journey that names none."""


@dataclass(frozen=True)
class Delivery:
    """The rules of delivering, of one journey or (config.yaml) of all; None where nothing is said.

    `timezone`: 'contact' or a zone. `holdout`: a share from 0 to 1; a journey's own, or in config.yaml the global one, of
    people who get no marketing at all.
    """

    timezone: str | None = None
    quiet_hours: QuietHours | None = None
    cap: Cap | None = None
    holdout: float = 0.0
    throttle: Rate | None = None
    priority: int | None = None


@dataclass(frozen=True)
class ChannelConfig:
    """One medium's adapter. `options` are the adapter's own, for its own model to judge; `node` tells where they stand."""

    adapter: str
    options: dict[str, Plain] = field(repr=False)
    throttle: Rate | None
    node: Mapping = field(repr=False)


@dataclass(frozen=True)
class Topic:
    """What people subscribe to; titles and descriptions by language."""

    name: str
    title: abc.Mapping[str, str] = field(default_factory=dict)
    description: abc.Mapping[str, str] = field(default_factory=dict)

    def title_in(self, *languages: str | None) -> str:
        """The title in the first of these languages that has one, else any title, else the name in words."""
        found = next((self.title[language] for language in languages if language and language in self.title), None)
        return found or next(iter(self.title.values()), self.name.replace("_", " ").capitalize())


@dataclass(frozen=True)
class EventContract:
    """What the properties of an event are, by name."""

    name: str
    properties: abc.Mapping[str, FieldType] = field(default_factory=dict)
    description: str | None = None


@dataclass(frozen=True)
class PrefectConfig:
    """Whether send runs show up in Prefect; without `api_url`, `alur run` starts a server of its own."""

    enabled: bool = True
    api_url: str | None = None


@dataclass(frozen=True)
class Webhooks:
    """Where webhooks may go besides the open internet: `allow_internal` are networks behind the firewall."""

    allow_internal: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True)
class Config:
    """The whole of config.yaml, with its defaults."""

    organisation: Organisation
    channels: abc.Mapping[Medium, ChannelConfig]
    database_url: str | None = field(default=None, repr=False)
    web: Web = field(default_factory=Web)
    topics: abc.Mapping[str, Topic] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    fields: abc.Mapping[str, FieldType] = field(default_factory=dict)
    events: abc.Mapping[str, EventContract] = field(default_factory=dict)
    webhooks: Webhooks = field(default_factory=Webhooks)
    prefect: PrefectConfig = field(default_factory=PrefectConfig)
    refresh: timedelta = timedelta(seconds=60)

    @cached_property
    def declared(self) -> Declared:
        """The types of `contacts.fields` and `events`, which conditions compare by; always the same object."""
        return Declared(self.fields, {name: contract.properties for name, contract in self.events.items()})
