"""The adapter `file`: one file per message in the workspace's mailbox, for new workspaces and for tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from channels.address import refused_address
from channels.base import Accepted, AdapterKind, Capabilities, EmailMessage, Medium, Message, Receipt, Unreachable


class FileOptions(BaseModel):
    """The keys under `channels.<medium>` for `adapter: file`; none is needed. The engine reads `sender` (`from`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str | None = Field(default=None, alias="from")


class FileAdapter:
    """Writes `SEND_ID-ATTEMPT.eml` (mail, its bytes as they are) or `.txt` (sms, whatsapp) into one folder.

    A file is there whole or not at all. A message that comes twice under one send id and attempt gets a second file
    with another number at its end: a repeat is to be seen, not to be covered.
    """

    def __init__(self, mailbox: Path, medium: Medium) -> None:
        self._mailbox = mailbox
        self._medium = medium
        self.capabilities = Capabilities(media=frozenset({medium}), searchable=True)

    def connect(self) -> FileConnection:
        return FileConnection(self._mailbox, self._medium)

    def search(self, send_ids: Sequence[int]) -> Mapping[int, Accepted | None]:
        """What the mailbox holds. Nothing is left out, unless the folder can't be read: then everything is."""
        found: dict[int, Accepted | None] = dict.fromkeys(send_ids)
        try:
            names = sorted(path.name for path in self._mailbox.iterdir())
        except FileNotFoundError:  # nothing has been sent yet
            return found
        except OSError:  # can't tell
            return {}
        for name in names:
            send_id = name.partition("-")[0]
            if send_id.isdecimal() and found.get(int(send_id), self) is None:
                found[int(send_id)] = Accepted(name)
        return found


class FileConnection:
    """Any number of threads may have one each; nothing is held open."""

    def __init__(self, mailbox: Path, medium: Medium) -> None:
        self._mailbox = mailbox
        self._medium = medium

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        for message in messages:
            if isinstance(message, EmailMessage) != (self._medium == "email"):
                raise TypeError(f"this file adapter carries {self._medium}, not {type(message).__name__}")
            yield refused_address(message) or self._deliver(message)

    def close(self) -> None:
        """Nothing is open."""

    def _deliver(self, message: Message) -> Receipt:
        part = self._mailbox / f".{message.send_id}-{message.attempt}-{os.getpid()}-{threading.get_ident()}.part"
        try:
            self._mailbox.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_content(message, self._medium))
            return Accepted(self._publish(part, message))
        except OSError as error:  # no space, no permission: the file's name was never given
            return Unreachable(f"{self._mailbox}: {error.strerror or error}")
        finally:
            # The message is known by its other name, or not at all; a left-over part is never taken for one.
            with suppress(OSError):
                part.unlink()

    def _publish(self, part: Path, message: Message) -> str:
        """Give the finished file its name, which `link` refuses to take from another file."""
        stem = f"{message.send_id:08d}-{message.attempt}"
        suffix = ".eml" if self._medium == "email" else ".txt"
        repeat = 1
        while True:
            name = f"{stem}{suffix}" if repeat == 1 else f"{stem}-{repeat}{suffix}"
            try:
                os.link(part, self._mailbox / name)
                return name
            except FileExistsError:
                repeat += 1


def _content(message: Message, medium: Medium) -> bytes:
    if isinstance(message, EmailMessage):
        return message.data
    lines = [f"To: {message.recipient}", f"Medium: {medium}", f"Send: {message.send_id}, attempt {message.attempt}"]
    if message.content_sid is not None:
        lines.append(f"Template: {message.content_sid}")
        lines += [f"Variable {name}: {value}" for name, value in message.variables.items()]
    return "\n".join([*lines, "", message.text, ""]).encode()


def build(_options: FileOptions, medium: Medium, folder: Path) -> FileAdapter:
    """The adapter that writes into `mailbox` in the workspace's folder, which the first message makes."""
    return FileAdapter(folder / "mailbox", medium)


kind = AdapterKind(name="file", media=frozenset({"email", "sms", "whatsapp"}), options=FileOptions, build=build)
