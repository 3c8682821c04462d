"""Carries webhooks over HTTP: guarded, signed, straight to the address that was checked, and never longer than some seconds.

The standard library's client and not `requests`: that one follows redirects, goes through proxies that the environment
names, reads passwords from ~/.netrc, and looks the host up again after a guard has; each of them is a way around the guard.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from threading import Timer
from time import monotonic
from typing import Self
from urllib.parse import SplitResult, urlsplit

from channels.webhook import Answered, CallEnd, Refused, TryAgain, WebhookRequest
from channels.webhook_guard import Network, is_internal

DEADLINE = 8.0
"""Seconds for one attempt, from looking up the host to the answer's headers."""

_LATER = frozenset({408, 425, 429})
_LONGEST_WAIT = timedelta(days=1)
_SHOWN = 200  # characters of an answer that are kept

Fill = Callable[[str], str]
LookUp = Callable[[str, int], Sequence[str]]


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses that the machine knows for a host, in the order in which it would try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class _NoRequestError(Exception):
    """What is written makes no request: a variable is not set, or its value does not fit."""


class _InternalAddressError(Exception):
    """The host leads to where no webhook may go."""


class HttpCaller:
    """`fill` puts the environment's values into a text and raises `LookupError` for one that is not set; `allowed` are
    networks that may be called although they are internal. `tls`: whom to trust, by default whom the machine trusts.
    `look_up` gives the addresses of a host.
    """

    def __init__(
        self,
        fill: Fill,
        allowed: Iterable[Network] = (),
        *,
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
        look_up: LookUp = look_up,
    ) -> None:
        self._fill, self._allowed, self._deadline = fill, tuple(allowed), deadline
        self._look_up = look_up
        self._given_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Reading all the authorities that a machine trusts takes its time; most processes call nobody.
        return self._given_tls or ssl.create_default_context()

    def call(self, request: WebhookRequest) -> CallEnd:
        """One attempt; see `Caller`. What is wrong with the environment may be mended, and is tried again."""
        try:
            url = self._url(request.url)
            headers = self._headers(request)
        except (LookupError, _NoRequestError) as error:
            return TryAgain(str(error.args[0]))
        until = monotonic() + self._deadline
        try:
            with _Deadline(self._connect(url, until), until) as line:
                end = self._ask(line.socket, request, url, headers)
                if line.cut:  # in the midst of an answer, which then looks like a short one
                    raise TimeoutError
                return end
        except _InternalAddressError as error:
            return Refused("internal", str(error))
        except TimeoutError:
            return TryAgain(f"no answer within {self._deadline:g} s")
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a host or header that can't be written
            late = monotonic() >= until
            said = f"{type(error).__name__}: {error}"
            return TryAgain(f"no answer within {self._deadline:g} s" if late else said)

    # --- what is asked ---

    def _url(self, text: str) -> SplitResult:
        try:
            url = urlsplit(self._fill(text))
            good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
        except ValueError:
            good, url = False, urlsplit("")
        if not good or "@" in url.netloc:
            raise _NoRequestError(f"'{text}' makes no URL such as https://crm.example.com/hooks")
        return url

    def _headers(self, request: WebhookRequest) -> list[tuple[str, str]]:
        headers = [(name, self._fill(value).strip()) for name, value in request.headers]
        named = {name.lower() for name, _ in headers}
        ours = {"User-Agent": "Alur", "Content-Type": request.content_type, "Accept": "*/*"}
        headers += [(name, value) for name, value in ours.items() if value is not None and name.lower() not in named]
        headers += [("Idempotency-Key", request.key), ("Webhook-Id", request.key)]
        stamp = str(int(request.at.timestamp()))
        headers.append(("Webhook-Timestamp", stamp))
        if request.secret is not None:
            headers.append(("Webhook-Signature", sign(self._fill(request.secret), request.key, stamp, request.body)))
        return headers

    # --- over the wire ---

    def _connect(self, url: SplitResult, until: float) -> socket.socket:
        """A connection to an address that was checked: the name is looked up once, so that it can't lead elsewhere later."""
        assert url.hostname is not None
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = self._look_up(url.hostname, port)
        internal = [each for each in addresses if is_internal(ip_address(each), self._allowed)]
        if internal:
            raise _InternalAddressError(
                f"{url.hostname} leads to {internal[0]}, which is internal: webhooks.allow_internal in config.yaml opens it"
            )
        line = _open(addresses, port, until)
        if url.scheme == "http":
            return line
        try:
            line.settimeout(_left(until))
            return self._tls.wrap_socket(line, server_hostname=url.hostname)
        except BaseException:
            line.close()
            raise

    def _ask(
        self, line: socket.socket, request: WebhookRequest, url: SplitResult, headers: Sequence[tuple[str, str]]
    ) -> CallEnd:
        assert url.hostname is not None
        http = HTTPConnection(url.hostname)
        http.sock = line
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        http.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        http.putheader("Host", url.netloc)
        for name, value in headers:
            http.putheader(name, value)
        if request.body or request.method != "GET":
            http.putheader("Content-Length", str(len(request.body)))
        http.putheader("Connection", "close")
        http.endheaders(request.body or None)
        return _judge(http.getresponse(), request.at)


def sign(secret: str, key: str, stamp: str, body: bytes) -> str:
    """The value of `Webhook-Signature` by the Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id,
    timestamp and body. A secret `whsec_..` is base64, as there; any other is taken as it is.
    """
    key_bytes = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key_bytes = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise _NoRequestError("the secret begins with whsec_, but what follows is no base64") from error
    signed = b".".join((key.encode(), stamp.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key_bytes, signed, hashlib.sha256)).decode()}"


def _open(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A connection to the first address that takes one."""
    for place, address in enumerate(addresses, 1):
        try:
            share = _left(until) / (len(addresses) - place + 1)
            return socket.create_connection((address, port), timeout=share)
        except OSError:
            if place == len(addresses):
                raise
    raise OSError("the host has no address")


def _left(until: float) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Deadline:
    """Cuts a connection when its time is over: a server that sends a byte now and then would hold a thread for ever."""

    def __init__(self, line: socket.socket, until: float) -> None:
        left = max(until - monotonic(), 0.001)
        line.settimeout(left)
        self.socket, self.cut = line, False
        self._timer = Timer(left, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self.socket.close()

    def _cut(self) -> None:
        self.cut = True
        try:
            socket.socket.shutdown(
                self.socket, socket.SHUT_RDWR
            )  # not TLS's own: that one is not meant for two threads
        except OSError:
            return  # it has ended meanwhile


# --- what is answered -------------------------------------------------------------------------------------------------


def _judge(answer: HTTPResponse, now: datetime) -> CallEnd:
    status = answer.status
    if 200 <= status < 300:
        return Answered(status)
    if 300 <= status < 400:
        elsewhere = answer.headers.get("Location", "nowhere")[:_SHOWN]
        return Refused(
            "redirected", f"HTTP {status} to {elsewhere}: a redirect is not followed, name the url itself", status
        )
    said = answer.read(4 * _SHOWN).decode("utf-8", "replace")[:_SHOWN].strip()
    detail = f"HTTP {status}{f': {said}' if said else ''}"
    if status in _LATER or status >= 500:
        return TryAgain(detail, status, _wait(answer.headers.get("Retry-After"), now))
    return Refused("rejected", detail, status)


def _wait(said: str | None, now: datetime) -> timedelta:
    """`Retry-After` (RFC 9110 10.2.3): seconds, or a date; nothing for what is neither."""
    if said is None:
        return timedelta()
    if said.isascii() and said.isdigit():
        return min(timedelta(seconds=int(said[:9])), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return timedelta()
    if until.tzinfo is None:
        return timedelta()
    return min(max(until - now, timedelta()), _LONGEST_WAIT)
