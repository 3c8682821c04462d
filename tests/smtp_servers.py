"""SMTP servers for tests: a real one that keeps what it takes, and one that fails wherever it is told to."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

# Hang up in order, with RST, listen without a word until the client leaves, or not even listen.
Fault = Literal["close", "reset", "silence", "stall"]
Answer = str | Fault | tuple[str, Fault]  # a reply, a fault, or a reply and then a fault


@dataclass(frozen=True)
class Mail:
    """One mail that a server has taken."""

    sender: str
    recipient: str
    data: bytes
    secure: bool = False
    user: str | None = None

    @property
    def number(self) -> int:
        """What stands in its header `X-Send`; -1 without it."""
        found = re.search(rb"^X-Send: (\d+)", self.data, re.MULTILINE)
        return int(found.group(1)) if found else -1


def letter(number: int, *, size: int = 0) -> bytes:
    """A mail that `Mail.number` recognises, at least `size` bytes long."""
    head = f"X-Send: {number}\r\nSubject: message {number}\r\n\r\n".encode()
    line = b"Halo, keranjangmu masih menunggu di toko.\r\n"
    return head + line * max(1, -(-(size - len(head)) // len(line)))


class RealServer:
    """aiosmtpd in a thread of its own, on a free port; `mails` holds what it took, in order.

    `refuse(address)` may answer a recipient with a line of its own. With `users` it asks for a log-in.
    """

    def __init__(
        self,
        *,
        refuse: Callable[[str], str | None] | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
        smtputf8: bool = False,
    ) -> None:
        self.mails: list[Mail] = []
        self.connections = 0
        self._refuse = refuse
        self._tls = tls
        self._implicit = implicit_tls
        self._users = users
        self._smtputf8 = smtputf8
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="RealServer")

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(
            self._loop.create_server(self._session, "127.0.0.1", 0, ssl=self._tls if self._implicit else None)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def _session(self) -> SMTP:
        self.connections += 1
        asks = self._users is not None
        return SMTP(
            self,
            hostname="mail.example",
            loop=self._loop,
            enable_SMTPUTF8=self._smtputf8,
            tls_context=None if self._implicit else self._tls,
            require_starttls=self._tls is not None and not self._implicit,
            auth_required=asks and self._tls is not None,
            auth_require_tls=self._tls is not None,
            authenticator=self._authenticate if asks else None,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        return AuthResult(success=(self._users or {}).get(user) == password, handled=False, auth_data=data)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: list[str]
    ) -> str:
        answer = self._refuse(to) if self._refuse is not None else None
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        secure = session.ssl is not None or self._implicit
        login: Any = session.auth_data  # what `_authenticate` was given
        user = login.login.decode() if login is not None else None
        for to in envelope.rcpt_tos:
            self.mails.append(Mail(envelope.mail_from, to, envelope.content, secure, user))
        return f"250 2.0.0 Ok: queued as Q{len(self.mails)}"


@dataclass
class _Dialogue:
    """One client of `FaultyServer`: bytes in, bytes out, and the ways to leave."""

    socket: socket.socket
    over: threading.Event  # the test is
    unread: bytes = b""

    def say(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\r\n")

    def hear(self, end: bytes = b"\r\n") -> bytes:
        while end not in self.unread:
            more = self.socket.recv(65_536)
            if not more:
                raise ConnectionResetError
            self.unread += more
        heard, _, self.unread = self.unread.partition(end)
        return heard

    def fail(self, fault: Fault) -> None:
        """Leave in the given way; the end of the dialogue is a `ConnectionResetError`."""
        if fault == "silence":
            while self.socket.recv(65_536):
                pass
        if fault == "stall":
            self.over.wait()
        if fault == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError


@dataclass
class FaultyServer:
    """A small SMTP server that answers as told: `answers[stage]` lists what the first, second, .. visit to a stage gets.

    Stages: `connect`, a command's verb (`EHLO`, `MAIL`, ..), `body` (after the first bytes of the mail) and `dot`. What is
    not listed goes well. Visits count over all connections. `mails` holds what was answered with 2xx after the dot, `taken`
    all that came in whole, `heard` every command. It does not turn TLS on; `tls` speaks it from the first byte.
    """

    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    extensions: Sequence[str] = ()
    tls: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    taken: list[Mail] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._visits: dict[str, int] = defaultdict(int)
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="FaultyServer")
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for client in self._open:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:  # has gone already
                continue
        for thread in self._threads:
            thread.join()

    def visits(self, stage: str) -> int:
        """How often this stage was reached."""
        return self._visits[stage]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # the listener was shut
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.tls is not None:
                client = self.tls.wrap_socket(client, server_side=True)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # replies to pipelined commands go out singly
            self._open.append(client)
            self._converse(_Dialogue(client, self._over))
        except OSError:  # the client left, or we did
            pass
        finally:
            client.close()

    def _answer(self, dialogue: _Dialogue, stage: str, good: str) -> str:
        """Give this visit its answer and say it; returns the words."""
        listed = self.answers.get(stage, ())
        at = self._visits[stage]
        self._visits[stage] += 1
        answer = listed[at] if at < len(listed) else good
        words, fault = answer if isinstance(answer, tuple) else (answer, None)
        if words in ("close", "reset", "silence", "stall"):
            dialogue.fail(words)  # type: ignore[arg-type]
        if words:
            dialogue.say(words)
        if fault is not None:
            dialogue.fail(fault)
        return words

    def _converse(self, dialogue: _Dialogue) -> None:
        self._answer(dialogue, "connect", "220 mail.example ready")
        sender = recipient = ""
        while True:
            command = dialogue.hear().decode()
            self.heard.append(command)
            verb = command.partition(" ")[0].upper()
            if verb == "EHLO":
                lines = ["mail.example", *self.extensions]
                self._answer(dialogue, verb, "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))
            elif verb == "DATA":
                if self._answer(dialogue, verb, "354 go on" if recipient else "554 no valid recipients").startswith(
                    "354"
                ):
                    self._take(dialogue, sender, recipient)
                    sender = recipient = ""
            elif verb == "QUIT":
                self._answer(dialogue, verb, "221 bye")
                return
            else:
                good = self._answer(dialogue, verb, "250 OK").startswith("2")
                address = command.partition("<")[2].partition(">")[0]
                if verb == "MAIL" and good:
                    sender, recipient = address, ""
                elif verb == "RCPT" and good:
                    recipient = address

    def _take(self, dialogue: _Dialogue, sender: str, recipient: str) -> None:
        if "body" in self.answers:
            dialogue.unread += dialogue.socket.recv(1_000)
            self._answer(dialogue, "body", "")
        first = dialogue.hear()
        data = b"" if first == b"." else first + b"\r\n" + dialogue.hear(b"\r\n.\r\n") + b"\r\n"
        mail = Mail(sender, recipient, data.replace(b"\n..", b"\n."))
        self.taken.append(mail)
        # Before the words go out: whoever has read them may look at once.
        listed = self.answers.get("dot", ())
        at = self._visits["dot"]
        if at >= len(listed) or str(listed[at][0] if isinstance(listed[at], tuple) else listed[at]).startswith("2"):
            self.mails.append(mail)
        self._answer(dialogue, "dot", f"250 2.0.0 Ok: queued as F{len(self.mails)}")
