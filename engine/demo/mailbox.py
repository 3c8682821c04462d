"""The local mailbox of the demonstration: a real SMTP server in a process of its own, which keeps each mail as a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from engine.errors import AlurError
from engine.flows.screen import end_group, start_python

HOST: Final = "127.0.0.1"
_MESSAGE_ID: Final = re.compile(rb"^Message-ID:\s*<(\d{1,18})\.", re.IGNORECASE | re.MULTILINE)
_PATIENCE: Final = 5.0  # seconds to end in
_LARGEST: Final = 2**25  # bytes of a mail


class MailboxError(AlurError):
    """The local mailbox did not come up."""


class Mailbox:
    """The mailbox seen from outside: it listens on a free `port` of this machine and writes into `folder`."""

    def __init__(self, folder: Path, log_file: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._log_file = log_file
        self._process = start_python("engine.demo.mailbox", [str(folder)], os.environ, log_file, answers=True)
        self._port: int | None = None

    @property
    def port(self) -> int:
        """Where it listens; waits until it does. Raises `MailboxError` if it has ended instead."""
        if self._port is None:
            assert self._process.stdout is not None
            said = self._process.stdout.readline()
            if not said.strip().isdigit():
                raise MailboxError(f"the local mailbox did not start; see {self._log_file}")
            self._port = int(said)
        return self._port

    def stop(self) -> None:
        """Close the port and end the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()  # which is what it waits for
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            end_group(self._process)
        assert self._process.stdout is not None
        self._process.stdout.close()


def name_of(mail: bytes) -> str | None:
    """`00042` for a mail whose Message-ID begins with that number; None for one that has none.

    So the order in which parallel lines deliver shows nowhere.
    """
    found = _MESSAGE_ID.search(mail[:4096])
    return f"{int(found.group(1)):05d}" if found is not None else None


def keep(folder: Path, mail: bytes, number: int) -> str:
    """Write a mail into the folder; gives the name it is kept under. One that comes twice is kept twice."""
    name = first = name_of(mail) or f"unnumbered-{number:05d}"
    repeats = 1
    while (folder / f"{name}.eml").exists():
        repeats += 1
        name = f"{first}-{repeats}"
    (folder / f"{name}.eml").write_bytes(mail)
    return name


def main() -> None:
    """Serve until the standard input ends; the port is the first line of the standard output."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, Envelope, Session

    folder = Path(sys.argv[1])

    class Keeper:
        count = 0

        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
            """Keep the mail, then say so (RFC 5321 3.3); the name is what aiosmtpd calls."""
            assert isinstance(envelope.content, bytes)
            self.count += 1
            return f"250 OK kept as {keep(folder, envelope.content, self.count)}"

    server = Controller(Keeper(), hostname=HOST, port=_free_port(), data_size_limit=_LARGEST)
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    server.stop()


def _free_port() -> int:
    from socket import socket

    with socket() as probe:  # aiosmtpd can't tell which port the system gave it
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
