"""One SMTP line: opening it, saying commands, writing a mail and reading replies, with every end told apart."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from channels.base import Receipt, Unreachable
from channels.smtp_replies import Reply, opening_refusal

_REPLY_LINE: Final = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r?\n")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_LONGEST_REPLY: Final = 65_536
_DETAIL: Final = 500  # characters of a provider's text worth keeping

Security = Literal["none", "starttls", "tls"]


class SmtpError(Exception):
    """Root of what can end a dialogue; none of it leaves this adapter."""


class NotOpenedError(SmtpError):
    """No line: name, connection, TLS, greeting or log-in failed. `receipt` is what every mail of now gets."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__(str(receipt))


class CutError(SmtpError):
    """The line ended, stayed silent for too long, or spoke something that is not SMTP.

    `last_byte`: whether the final byte of a mail may have gone out, so that its fate can't be told.
    """

    def __init__(self, detail: str, *, last_byte: bool = False) -> None:
        self.last_byte = last_byte
        super().__init__(detail)


@dataclass(frozen=True)
class Server:
    """Where a line goes and how; `timeout` in seconds holds for connecting and for each reply."""

    host: str
    port: int
    security: Security
    username: str | None
    password: str | None
    local_hostname: str | None
    timeout: float
    tls: ssl.SSLContext


def stuffed(data: bytes) -> bytes:
    """The mail with each line that starts with a dot escaped (RFC 5321 section 4.5.2); the terminator is not included.

    A line is counted from a bare CR or LF too, since some servers do, and would end the mail where an attacker likes.
    Most mails need nothing, and come back without a copy.
    """
    if b"\r." in data:  # a bare CR: no mail of ours has one
        data = _LINE_END.sub(b"\r\n", data)
    if data.startswith(b"."):
        data = b"." + data
    return data.replace(b"\n.", b"\n..")


class Line:
    """A line that is open, greeted, encrypted and logged in as asked. One thread at a time."""

    def __init__(self, smtp: smtplib.SMTP, timeout: float) -> None:
        assert smtp.sock is not None
        self._smtp = smtp
        self._socket = smtp.sock
        self._timeout = timeout
        self._unread = b""
        self._broken = False
        self.extensions: Mapping[str, str] = dict(smtp.esmtp_features)  # keyword in lower case -> parameters
        self.pipelining = "pipelining" in self.extensions
        self.local_hostname: str = smtp.local_hostname
        self.carried = 0  # mails begun on this line
        # Each write is a whole command or mail: waiting for a fuller packet only delays it.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def usable(self) -> bool:
        """False after a cut or a 421, and when the server has said more than it was asked: its next words would be
        taken for other replies.
        """
        return not self._broken and not self._unread

    def abandon(self) -> None:
        """Make the line unusable: the two sides no longer agree on where they stand."""
        self._broken = True

    def write(self, data: bytes) -> None:
        """Write commands. Raises `CutError`."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._cut(error) from error

    def write_mail(self, data: bytes) -> None:
        """Write the mail and its final dot. Raises `CutError`: `last_byte` says whether the dot may have gone out."""
        body = stuffed(data)
        ending = b".\r\n" if not body or body.endswith(b"\r\n") else b"\r\n.\r\n"
        if isinstance(self._socket, ssl.SSLSocket):
            self.write(body)
            try:
                # By itself: of a failed TLS write nobody can tell which of its bytes went out.
                self._socket.sendall(ending)
            except OSError as error:
                raise self._cut(error, last_byte=True) from error
            return
        self._write_counted([body, ending])

    def _write_counted(self, parts: list[bytes]) -> None:
        """Write all parts without joining them. A failing `sendmsg` has handed nothing to the kernel, and the last call
        is the one that takes the last byte: so whatever fails here leaves the dot unsent.
        """
        left = sum(map(len, parts))
        views: list[bytes | memoryview] = list(parts)
        while True:
            try:
                sent = self._socket.sendmsg(views)
            except OSError as error:
                raise self._cut(error) from error
            left -= sent
            if not left:
                return
            while sent >= len(views[0]):
                sent -= len(views.pop(0))
            views[0] = memoryview(views[0])[sent:]

    def read_reply(self) -> Reply:
        """The next whole reply. Raises `CutError` at the end of the stream, after the timeout, for what is not SMTP."""
        codes: set[bytes] = set()
        texts: list[bytes] = []
        size = 0
        deadline = time.monotonic() + self._timeout
        while True:
            end = self._unread.find(b"\n") + 1
            if not end:
                self._receive(deadline)
                continue
            line, self._unread = self._unread[:end], self._unread[end:]
            size += end
            found = _REPLY_LINE.fullmatch(line)
            if not found or size > _LONGEST_REPLY:
                raise self._cut(f"not an SMTP reply: {_readable(line)!r}")
            codes.add(found.group(1))
            texts.append(found.group(3) or b"")
            if found.group(2) != b"-":
                break
        if len(codes) > 1:
            raise self._cut(f"one SMTP reply with several codes: {_readable(line)!r}")
        reply = Reply(int(found.group(1)), _readable(b"\n".join(texts)))
        if reply.code == 421:  # it closes the line, at whatever point (RFC 5321 section 3.8)
            self._broken = True
        return reply

    def _receive(self, deadline: float) -> None:
        if len(self._unread) > _LONGEST_REPLY:
            raise self._cut("an SMTP reply without an end")
        if self._unread and time.monotonic() > deadline:
            raise self._cut(f"no whole reply within {self._timeout:g} s")
        try:
            more = self._socket.recv(_LONGEST_REPLY)
        except OSError as error:
            raise self._cut(error) from error
        if not more:
            raise self._cut("the server closed the connection")
        self._unread += more

    def last_words(self) -> Reply | None:
        """After a failed write: the reply that the server left before it hung up, if it did. Never waits."""
        self._socket.settimeout(0)
        with suppress(CutError):
            return self.read_reply()
        return None

    def hang_up(self, *, politely: bool = False) -> None:
        """Close at once; `politely` says QUIT first and waits up to a second for the answer. Safe to call twice."""
        if politely and self.usable:
            # The mails are through; whether the goodbye is heard changes nothing.
            with suppress(OSError, CutError):
                self._socket.settimeout(min(1.0, self._timeout))
                self.write(b"QUIT\r\n")
                self.read_reply()
        self._smtp.close()

    def _cut(self, reason: OSError | str, *, last_byte: bool = False) -> CutError:
        self._broken = True
        if isinstance(reason, TimeoutError):
            reason = "no answer in time"
        return CutError(str(reason) or type(reason).__name__, last_byte=last_byte)


def open_line(server: Server) -> Line:
    """Connect, greet, encrypt, log in. Raises `NotOpenedError` with the receipt for whatever goes wrong.

    TLS is never left out silently: a server that does not offer STARTTLS when it is asked for gets no mail.
    """
    where = f"{server.host}:{server.port}"
    try:
        return Line(_logged_in(server), server.timeout)
    except smtplib.SMTPResponseException as error:  # greeting, EHLO, STARTTLS, AUTH
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
        raise NotOpenedError(opening_refusal(Reply(error.smtp_code, _readable(text)))) from error
    except smtplib.SMTPServerDisconnected as error:
        raise NotOpenedError(Unreachable(f"{where}: {error}")) from error
    except smtplib.SMTPException as error:  # the server lacks STARTTLS, AUTH, or every way to log in that we know
        raise NotOpenedError(Unreachable(f"{where}: {error}", closed=True)) from error
    except (
        OSError,
        ValueError,
    ) as error:  # name resolution, connect, TLS with its certificate; a garbled AUTH challenge
        raise NotOpenedError(Unreachable(f"{where}: {error}")) from error


def _logged_in(server: Server) -> smtplib.SMTP:
    """The library's part of the dialogue, up to the log-in; mails go past it, since it can't tell their ends apart."""
    to, name, timeout = (server.host, server.port), server.local_hostname, server.timeout
    if server.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(*to, local_hostname=name, timeout=timeout, context=server.tls)
    else:
        smtp = smtplib.SMTP(*to, local_hostname=name, timeout=timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            smtp.starttls(context=server.tls)
            smtp.ehlo_or_helo_if_needed()
        if server.username is not None and server.password is not None:
            smtp.login(server.username, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _readable(text: bytes) -> str:
    """A provider's words, safe to store and to print: text without control characters, cut to a sane length."""
    words = text.decode("utf-8", "replace").strip()
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in words)[:_DETAIL]
