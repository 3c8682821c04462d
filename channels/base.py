"""The seam between the engine and a provider: messages go in, one receipt per message comes out.

An adapter is a module with a `kind` (`AdapterKind`) that the entry-point group `alur.channels` names.
Nothing here imports the engine, so that an adapter is written, tested and read alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

Medium = Literal["email", "sms", "whatsapp"]


class AdapterError(Exception):
    """Root of what goes wrong with an adapter before any message: its name, its settings. Its text is for a person."""


@dataclass(frozen=True)
class EmailMessage:
    """One mail, ready for the wire.

    `data` is the whole message, CRLF line ends, 7-bit or 8-bit clean, not dot-stuffed. `sender` is the
    envelope sender (RFC 5321 MAIL FROM), `recipient` the one envelope recipient.
    """

    send_id: int
    attempt: int
    recipient: str
    sender: str
    data: bytes


@dataclass(frozen=True)
class TextMessage:
    """One SMS or free WhatsApp text; `recipient` is E.164. `content_sid` and `variables` name an approved template."""

    send_id: int
    attempt: int
    recipient: str
    text: str
    content_sid: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


Message = EmailMessage | TextMessage


@dataclass(frozen=True)
class Accepted:
    """The provider has taken responsibility for the message."""

    provider_id: str
    detail: str = ""


@dataclass(frozen=True)
class Rejected:
    """The provider refused this message for good; repeating it would be refused again.

    `reason` is a short stable word for reports (`address`, `content`, `policy`, `other`), `detail` the provider's
    own text.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Throttled:
    """A definite 'not now': nothing was accepted. Try again after `retry_after` seconds.

    `whole_channel`: the provider asks us to slow down as a sender (429, SMTP 421), not for this recipient only.
    """

    retry_after: float
    detail: str = ""
    whole_channel: bool = False


@dataclass(frozen=True)
class Unreachable:
    """No request that could have been accepted left this machine (connect, TLS, log-in, or a cut before the last byte).

    `closed`: our credentials or account are refused, so that the channel must be paused until a person acts.
    """

    detail: str = ""
    closed: bool = False


@dataclass(frozen=True)
class Ambiguous:
    """The last byte went out and no word came back: the message may or may not have been accepted."""

    detail: str = ""


Receipt = Accepted | Rejected | Throttled | Unreachable | Ambiguous


@dataclass(frozen=True)
class Capabilities:
    """What an adapter can do; the engine asks here and nowhere else.

    `media`: the channels it can carry. `batch`: most messages per call of `send`. `connections`: how many
    connections are worth opening at once. `searchable`: `search` can tell by our send id whether a message was
    accepted. `idempotent`: the provider drops a repeated send id by itself.
    """

    media: frozenset[Medium]
    batch: int = 10
    connections: int = 4
    searchable: bool = False
    idempotent: bool = False


class Connection(Protocol):
    """One open line to the provider, used by one thread; it reconnects by itself."""

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        """Yield exactly one receipt per message, in order, each as soon as it is known. Never raises for a
        provider's or the network's fault: every end is one of the five receipts. No message after the one whose
        receipt has not been taken from the iterator has touched the wire.
        """
        ...

    def close(self) -> None:
        """Hang up; safe to call twice."""
        ...


class Adapter(Protocol):
    """A configured provider; safe to share between threads."""

    @property
    def capabilities(self) -> Capabilities: ...

    def connect(self) -> Connection:
        """A line for one thread. Does not touch the network until the first `send`."""
        ...


@runtime_checkable
class SearchableAdapter(Protocol):
    """An adapter whose provider can be asked what became of a send."""

    def search(self, send_ids: Sequence[int]) -> Mapping[int, Accepted | None]:
        """For each id: the acceptance, or None when the provider surely holds none. What can't be told is left out."""
        ...


@dataclass(frozen=True)
class AdapterKind:
    """What the registry holds: the adapter's name, the media it may serve, its options, and how to build one.

    `options` is a strict pydantic model (extra keys forbidden) of the keys under `channels.<medium>` besides
    `adapter` and `throttle`. `build(options, medium, folder)`: `folder` is the workspace's `.alur` directory, for
    adapters that write files; raises `AdapterError` for settings that can't work.
    """

    name: str
    media: frozenset[Medium]
    options: type[BaseModel]
    build: Callable[[Any, Medium, Path], Adapter]  # called by position; Any: an instance of `options`
