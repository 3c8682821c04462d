"""The adapter `smtp`: mail over kept-open SMTP lines, driven step by step so that every end is told apart."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.address import is_plain_email, refused_address
from channels.base import (
    AdapterError,
    AdapterKind,
    Ambiguous,
    Capabilities,
    EmailMessage,
    Medium,
    Message,
    Receipt,
    Rejected,
    Unreachable,
)
from channels.smtp_line import CutError, Line, NotOpenedError, Security, Server, SmtpError, open_line
from channels.smtp_replies import Stage, acceptance, goes_on, is_refusal, nonsense, refusal, speaks_for_all

# Servers and what stands between hang up on silent lines, sometimes without a word: after this many seconds
# of silence a new line is cheaper than finding out.
IDLE: Final = 5.0

_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final[dict[Security, int]] = {"none": 25, "starttls": 587, "tls": 465}


def _seconds(value: Any) -> Any:
    """`30s` reads as 30: durations carry their unit elsewhere in the configuration."""
    return value.removesuffix("s") if isinstance(value, str) else value


class SmtpOptions(BaseModel):
    """The keys under `channels.email` for `adapter: smtp`.

    `sender` (`from` in the file) is the organisation's sender, which the engine reads. `port` follows `security` when
    absent: 25, 587 (starttls), 465 (tls). `ca_file` (PEM) replaces the system's certificates. `timeout` in seconds
    holds for connecting and for each reply; `connections` is how many lines are worth opening at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(default=0, ge=0, le=65535)
    security: Security = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str = Field(alias="from", min_length=3)
    local_hostname: str | None = None
    ca_file: Path | None = None
    timeout: Annotated[float, BeforeValidator(_seconds)] = Field(default=30.0, gt=0, le=600)
    connections: int = Field(default=4, ge=1, le=64)

    @field_validator("host", "local_hostname")
    @classmethod
    def _is_a_host_name(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                name.encode("idna")
            except UnicodeError as error:
                raise ValueError("not a host name") from error
            if not name.isprintable() or " " in name:
                raise ValueError("not a host name")
        return name

    @field_validator("sender")
    @classmethod
    def _is_an_address(cls, sender: str) -> str:
        address = sender[sender.rfind("<") + 1 : -1] if sender.endswith(">") else sender
        if not is_plain_email(address) or not sender.isprintable():
            raise ValueError("not an e-mail address, such as 'Toko Kita <halo@toko.example>'")
        return sender

    @field_validator("username", "password")
    @classmethod
    def _is_ascii(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not (text.isascii() and text.isprintable()):
            raise ValueError("SMTP log-in takes printable ASCII characters only")
        return value

    @model_validator(mode="after")
    def _logs_in_whole_or_not_at_all(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both, or neither")
        if self.password is not None and self.security == "none" and self.host not in _THIS_MACHINE:
            raise ValueError(
                "a password needs 'security: starttls' or 'tls': without them anybody on the way can read it"
            )
        return self


class SmtpAdapter:
    """One SMTP server, reached over a line per thread."""

    def __init__(self, options: SmtpOptions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock  # seconds, only to see how long a line was silent
        self._server = Server(
            host=options.host,
            port=options.port or _PORTS[options.security],
            security=options.security,
            username=options.username,
            password=options.password.get_secret_value() if options.password else None,
            local_hostname=options.local_hostname,
            timeout=options.timeout,
            tls=_trust(options.ca_file),
        )
        self.capabilities = Capabilities(media=frozenset({"email"}), connections=options.connections)

    def connect(self) -> SmtpConnection:
        return SmtpConnection(self, self._clock)

    def open_line(self) -> Line:
        """A new line to the server. Raises `NotOpenedError`."""
        line = open_line(self._server)
        if self._server.local_hostname is None:  # the library asks the name service for it, once is enough
            self._server = replace(self._server, local_hostname=line.local_hostname)
        return line


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates and host names are checked, always; against the system's store unless a file is given."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError too
        raise AdapterError(f"smtp: ca_file '{ca_file}' holds no certificates that can be read: {error}") from error


class LineLostError(SmtpError):
    """The line is of no more use, and nothing of the mail was accepted; `receipt` is what to say if that stays so."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__(str(receipt))


class SmtpConnection:
    """One line at a time to the server; opened by the first mail, and anew whenever it is lost."""

    def __init__(self, adapter: SmtpAdapter, clock: Callable[[], float]) -> None:
        self._adapter = adapter
        self._clock = clock
        self._line: Line | None = None
        self._spoke_at = 0.0
        self._reset_first = False  # a refused mail still stands half said on the line

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        """One receipt per mail. When the server can't be reached or wants no more from us, the rest of the call gets
        the same receipt untried: ten mails must not wait for ten timeouts.
        """
        for_all: Receipt | None = None
        for message in messages:
            if not isinstance(message, EmailMessage):
                raise TypeError(f"smtp carries mail only, not {type(message).__name__}")
            receipt = refused_address(message) or for_all
            if receipt is None:
                try:
                    receipt = self._send(message)
                    for_all = receipt if speaks_for_all(receipt) else None
                except NotOpenedError as error:
                    receipt = for_all = error.receipt
            yield receipt

    def close(self) -> None:
        if self._line is not None:
            self._line.hang_up(politely=True)
            self._line = None

    def _send(self, message: EmailMessage) -> Receipt:
        """A kept-open line ends when the server restarts, tires of us (421) or takes only so many mails a line. Nothing
        was accepted then, so the mail goes out again at once; a new line that ends alike is believed.
        """
        while True:
            line = self._open_line()
            line.carried += 1
            usable = False
            try:
                receipt = self._transact(line, message)
                usable = line.usable
            except LineLostError as lost:
                if line.carried == 1:
                    return lost.receipt
            else:
                self._spoke_at = self._clock()
                return receipt
            finally:  # an interrupt, too, leaves the line in the middle of a dialogue
                if not usable:
                    self._drop_line()

    def _open_line(self) -> Line:
        if self._line is not None and self._clock() - self._spoke_at > IDLE:
            self._drop_line()
        if self._line is None:
            self._line = self._adapter.open_line()
            self._reset_first = False
        return self._line

    def _drop_line(self) -> None:
        if self._line is not None:
            self._line.hang_up()
            self._line = None

    def _transact(self, line: Line, message: EmailMessage) -> Receipt:
        """One mail, from MAIL to the reply after the dot. Raises `LineLostError` only when nothing was accepted."""
        misfit = _misfit(line, message)
        if misfit is not None:
            return misfit
        try:
            refused = self._envelope(line, message)
        except CutError as cut:
            raise _lost(line, cut, "MAIL") from cut
        if refused is not None:
            self._reset_first = True
            return refused
        if not line.usable:  # words nobody asked for: the next of them would be taken for the answer to the dot
            raise LineLostError(Unreachable("the server said more than one reply to DATA"))
        try:
            line.write_mail(message.data)
        except CutError as cut:
            if cut.last_byte:
                return Ambiguous(str(cut))
            raise _lost(line, cut, "dot") from cut
        self._reset_first = False
        try:
            reply = line.read_reply()
        except CutError as cut:
            return Ambiguous(str(cut))
        if goes_on("dot", reply):
            return acceptance(reply)
        if is_refusal(reply):
            return refusal("dot", reply)
        line.abandon()
        return nonsense("dot", reply)

    def _envelope(self, line: Line, message: EmailMessage) -> Receipt | None:
        """Say sender, recipient, DATA; None when the server waits for the mail. Raises `CutError`, `LineLostError`."""
        steps = _steps(line, message)
        if self._reset_first:
            steps.insert(0, ("RSET", b"RSET\r\n"))
        if line.pipelining:
            line.write(b"".join(command for _, command in steps))
        for at, (stage, command) in enumerate(steps):
            if not line.pipelining:
                line.write(command)
            reply = line.read_reply()
            if goes_on(stage, reply):
                continue
            if reply.code in (421, 503) or stage == "RSET" or not is_refusal(reply):
                raise LineLostError(refusal(stage, reply) if is_refusal(reply) else nonsense(stage, reply))
            if line.pipelining:
                _take_answers(line, stage, len(steps) - at - 1)
            return refusal(stage, reply)
        return None


def _misfit(line: Line, message: EmailMessage) -> Rejected | None:
    """The refusal of a mail that this server has said beforehand it can't take; nothing of it is written."""
    if not message.recipient.isascii() and "smtputf8" not in line.extensions:
        return Rejected("address", "the server takes ASCII addresses only (no SMTPUTF8)")
    if not message.data.isascii() and "8bitmime" not in line.extensions:
        return Rejected("content", "the mail holds 8-bit bytes and the server takes 7-bit only (no 8BITMIME)")
    limit = line.extensions.get("size", "")
    if limit.isdigit() and 0 < int(limit) < len(message.data):
        return Rejected("content", f"the mail has {len(message.data)} bytes, the server takes {limit}")
    return None


def _steps(line: Line, message: EmailMessage) -> list[tuple[Stage, bytes]]:
    options = ""
    if "size" in line.extensions:
        options += f" SIZE={len(message.data)}"
    if "8bitmime" in line.extensions and not message.data.isascii():
        options += " BODY=8BITMIME"
    if "smtputf8" in line.extensions and not (message.recipient.isascii() and message.sender.isascii()):
        options += " SMTPUTF8"
    return [
        ("MAIL", f"MAIL FROM:<{message.sender}>{options}\r\n".encode()),
        ("RCPT", f"RCPT TO:<{message.recipient}>\r\n".encode()),
        ("DATA", b"DATA\r\n"),
    ]


def _take_answers(line: Line, refused: Stage, count: int) -> None:
    """Read the answers to what was said together with the refused command, so that the next mail starts in step.

    A server may say 354 to DATA although it took no recipient: a lone dot ends that (RFC 2920 section 3.1). It is said
    only where the recipient was refused, for then it can't reach anybody.
    """
    try:
        for _ in range(count):
            answer = line.read_reply()
            if goes_on("DATA", answer):
                if refused != "RCPT":
                    line.abandon()
                    return
                line.write(b".\r\n")
                line.read_reply()
    except CutError:
        return  # the line is no longer usable and says so; the refusal stands


def _lost(line: Line, cut: CutError, stage: Stage) -> LineLostError:
    """What a cut before the last byte means, after a look at what the server may have said before it hung up."""
    words = line.last_words()
    if words is not None and is_refusal(words) and (stage == "dot" or words.code == 421):
        return LineLostError(refusal(stage, words))
    return LineLostError(Unreachable(str(cut)))


def build(options: SmtpOptions, _medium: Medium, _folder: Path) -> SmtpAdapter:
    """The adapter for checked options; touches no network and no file but `ca_file`."""
    return SmtpAdapter(options)


kind = AdapterKind(name="smtp", media=frozenset({"email"}), options=SmtpOptions, build=build)
