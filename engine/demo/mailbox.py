"""The local mailbox of the demonstration: a real SMTP server that keeps each mail as a file."""

from __future__ import annotations

import re
from pathlib import Path
from socket import socket
from typing import Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST: Final = "127.0.0.1"
_MESSAGE_ID: Final = re.compile(rb"^Message-ID:\s*<(\d{1,18})\.", re.IGNORECASE | re.MULTILINE)


class Mailbox:
    """An SMTP server on a free port of this machine, in a thread of its own.

    Writes each mail into the folder, as `00042.eml` after the number that its Message-ID begins with, so that the order in
    which parallel lines deliver shows nowhere. One that comes twice is kept twice.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.count = 0
        self.port = free_port()  # aiosmtpd can't tell which one the system gave it
        self._controller = Controller(self, hostname=HOST, port=self.port, data_size_limit=2**25)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Keep the mail, then say so (RFC 5321 3.3)."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.count += 1
        path = self._free_path(content)
        path.write_bytes(content)
        return f"250 OK kept as {path.stem}"

    def _free_path(self, content: bytes) -> Path:
        found = _MESSAGE_ID.search(content[:4096])
        name = f"{int(found.group(1)):05d}" if found is not None else f"unnumbered-{self.count:05d}"
        path = self.folder / f"{name}.eml"
        repeats = 1
        while path.exists():
            repeats += 1
            path = self.folder / f"{name}-{repeats}.eml"
        return path

    def start(self) -> None:
        """Listen on `port`."""
        self._controller.start()

    def stop(self) -> None:
        """Hang up and close the port."""
        self._controller.stop()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
