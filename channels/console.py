"""The adapter `console`: each message as one short line on standard output, for new workspaces and demonstrations."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from channels.address import refused_address
from channels.base import Accepted, AdapterKind, Capabilities, EmailMessage, Medium, Message, Receipt, Unreachable

_SHOWN: Final = 160  # characters of a text: one SMS
_one_at_a_time = threading.Lock()  # standard output is shared by all adapters of the process


class ConsoleOptions(BaseModel):
    """The keys under `channels.<medium>` for `adapter: console`; none is needed. The engine reads `sender` (`from`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str | None = Field(default=None, alias="from")


class ConsoleAdapter:
    """Prints; what was printed can't be searched."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self.capabilities = Capabilities(media=frozenset({medium}), connections=1)

    def connect(self) -> ConsoleConnection:
        return ConsoleConnection(self._medium)


class ConsoleConnection:
    """Lines of several connections never mix: each message is one write."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        for message in messages:
            if isinstance(message, EmailMessage) != (self._medium == "email"):
                raise TypeError(f"this console adapter carries {self._medium}, not {type(message).__name__}")
            yield refused_address(message) or self._print(message)

    def close(self) -> None:
        """Standard output stays open."""

    def _print(self, message: Message) -> Receipt:
        line = f"{self._medium} to {message.recipient}: {_shown(message)}\n"
        try:
            with _one_at_a_time:
                sys.stdout.write(_encodable(line, sys.stdout.encoding))
                sys.stdout.flush()
        except (OSError, ValueError) as error:  # closed, or its reader has gone
            return Unreachable(f"standard output: {error}")
        return Accepted(f"console-{message.send_id}-{message.attempt}")


def _shown(message: Message) -> str:
    """Subject or text on one line; control characters, with which a name could steer the terminal, become spaces."""
    words = _subject(message.data) if isinstance(message, EmailMessage) else message.text or message.content_sid or ""
    plain = "".join(letter if letter.isprintable() else " " for letter in words).strip()
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"


def _subject(data: bytes) -> str:
    try:
        return str(BytesHeaderParser(policy=default).parsebytes(data)["subject"] or "(no subject)")
    except (MessageError, ValueError, LookupError):  # a mail that only a person could still read
        return "(unreadable subject)"


def _encodable(line: str, encoding: str | None) -> str:
    """The line as a terminal without UTF-8 can show it."""
    encoding = encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def build(_options: ConsoleOptions, medium: Medium, _folder: Path) -> ConsoleAdapter:
    """The adapter; needs no setting and no folder."""
    return ConsoleAdapter(medium)


kind = AdapterKind(name="console", media=frozenset({"email", "sms", "whatsapp"}), options=ConsoleOptions, build=build)
