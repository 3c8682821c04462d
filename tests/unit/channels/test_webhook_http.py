"""A webhook goes only where it may, straight to the address that was checked, signed, and never for longer than its time."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import trustme

from channels.webhook import Answered, Refused, TryAgain, WebhookRequest
from channels.webhook_guard import is_internal
from channels.webhook_http import HttpCaller, sign
from engine.run.why import CALL_REASONS
from tests.receiver import Receiver, receiving

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = (IPv4Network("127.0.0.1/32"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def request(url: str, body: bytes = b"{}", secret: str | None = None, **headers: str) -> WebhookRequest:
    return WebhookRequest("alur-1-crm-1", url, "POST", tuple(headers.items()), body, "application/json", secret, NOW)


def as_it_is(text: str) -> str:
    return text


# --- the guard --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "100.100.100.200",
        "224.0.0.1", "255.255.255.255", "192.0.0.192", "168.63.129.16", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254",
        "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_what_is_not_the_open_internet_is_internal(address: str) -> None:
    assert is_internal(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_open_internet_needs_no_permission(address: str) -> None:
    assert not is_internal(ip_address(address))


def test_a_network_that_is_allowed_opens_itself_and_never_a_metadata_service() -> None:
    allowed = (IPv4Network("127.0.0.0/8"), IPv4Network("169.254.0.0/16"), IPv6Network("fd00::/8"))
    opened = [not is_internal(ip_address(each), allowed) for each in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1")]
    shut = [is_internal(ip_address(each), allowed) for each in ("10.0.0.1", "169.254.169.254", "fd00:ec2::254", "::1")]
    assert opened == [True] * 3
    assert shut == [True] * 4


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_no_spelling_of_this_machine_gets_through(receiver: Receiver, host: str) -> None:
    end = HttpCaller(as_it_is).call(request(f"http://{host}:{receiver.port}/"))
    assert isinstance(end, Refused | TryAgain)  # a resolver may not know the odd ones
    assert receiver.asked == []
    if isinstance(end, Refused):
        assert end.reason == "internal"


def test_a_host_with_one_internal_address_is_not_called_at_all(receiver: Receiver) -> None:
    caller = HttpCaller(as_it_is, look_up=lambda *_: ["8.8.8.8", "10.0.0.1"])
    end = caller.call(request("http://crm.example.com/"))
    assert isinstance(end, Refused)
    assert "crm.example.com leads to 10.0.0.1" in end.detail


def test_a_host_is_looked_up_once_so_that_it_can_not_lead_elsewhere_after_the_guard(receiver: Receiver) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    caller = HttpCaller(as_it_is, HERE, look_up=lambda *_: answers.pop(0))
    assert caller.call(request(f"http://crm.example.com:{receiver.port}/")) == Answered(200)
    assert receiver.asked[0].headers["host"] == f"crm.example.com:{receiver.port}"
    assert len(answers) == 1


def test_the_certificate_must_be_of_the_name_although_the_connection_goes_to_an_address() -> None:
    authority = trustme.CA()
    server, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("crm.example.com").configure_cert(server)
    authority.configure_trust(trust)
    caller = HttpCaller(as_it_is, HERE, tls=trust, look_up=lambda *_: ["127.0.0.1"])
    with receiving(server) as receiver:
        assert caller.call(request(f"https://crm.example.com:{receiver.port}/")) == Answered(200)
        other = caller.call(request(f"https://other.example.com:{receiver.port}/"))
    assert isinstance(other, TryAgain)
    assert "SSLCertVerificationError" in other.detail


# --- what is said -----------------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_standard() -> None:
    """The vector of the Standard Webhooks' own libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    said = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_there_is_an_idempotency_key_and_no_signature(receiver: Receiver) -> None:
    HttpCaller(as_it_is, HERE).call(request(receiver.url))
    headers = receiver.asked[0].headers
    assert headers["idempotency-key"] == headers["webhook-id"] == "alur-1-crm-1"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize(
    ("url", "headers", "secret"),
    [
        ("ftp://crm.example.com", {}, None),
        ("http://a:b@crm.example.com", {}, None),
        ("http://", {}, None),
        (None, {"X-A": "one\r\nX-B: two"}, None),
        (None, {}, "whsec_no*base64"),
    ],
)
def test_what_the_environment_makes_of_it_must_be_a_request(
    receiver: Receiver, url: str | None, headers: dict[str, str], secret: str | None
) -> None:
    end = HttpCaller(as_it_is, HERE).call(request(url or receiver.url, secret=secret, **headers))
    assert isinstance(end, TryAgain)
    assert receiver.asked == []


# --- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (204, Answered(204)),
        (400, Refused("rejected", "HTTP 400: so it is", 400)),
        (408, TryAgain("HTTP 408: so it is", 408)),
        (500, TryAgain("HTTP 500: so it is", 500)),
        ((429, {"Retry-After": "7"}), TryAgain("HTTP 429: so it is", 429, timedelta(seconds=7))),
        (
            (503, {"Retry-After": format_datetime(NOW + timedelta(minutes=2), usegmt=True)}),
            TryAgain("HTTP 503: so it is", 503, timedelta(minutes=2)),
        ),
        ((503, {"Retry-After": "soon"}), TryAgain("HTTP 503: so it is", 503)),
    ],
)
def test_an_answer_means_taken_refused_or_not_now(receiver: Receiver, answer: int, end: object) -> None:
    receiver.answers = [answer]
    assert HttpCaller(as_it_is, HERE).call(request(receiver.url)) == end


def test_a_server_that_does_not_answer_in_time_is_left(receiver: Receiver) -> None:
    over = Event()
    receiver.linger = over.wait
    end = HttpCaller(as_it_is, HERE, deadline=0.3).call(request(receiver.url))
    over.set()
    assert end == TryAgain("no answer within 0.3 s")


def test_a_server_that_answers_a_byte_now_and_then_is_left_too() -> None:
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            with line:
                line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not over.wait(0.02):
                    try:
                        line.sendall(b"a")
                    except OSError:
                        return

        thread = Thread(target=drip)
        thread.start()
        end = HttpCaller(as_it_is, HERE, deadline=0.3).call(request(f"http://127.0.0.1:{server.getsockname()[1]}"))
        over.set()
        thread.join()
    assert end == TryAgain("no answer within 0.3 s")


def test_nobody_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    end = HttpCaller(as_it_is, HERE).call(request(f"http://127.0.0.1:{port}"))
    assert isinstance(end, TryAgain)
    assert "ConnectionRefusedError" in end.detail


# --- what the page for receivers says ---------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()


def test_the_check_that_the_page_shows_takes_our_requests_and_no_others(receiver: Receiver) -> None:
    shown = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    names: dict[str, Any] = {}
    exec(shown[1], names)
    secret = f"whsec_{base64.b64encode(b'a key').decode()}"
    asked = replace(request(receiver.url, b'{"a": 1}', secret), at=datetime.fromtimestamp(time.time(), UTC))
    HttpCaller(as_it_is, HERE).call(asked)
    headers = {name.title(): value for name, value in receiver.asked[0].headers.items()}
    body = receiver.asked[0].body
    assert names["is_from_alur"](headers, body, secret)
    assert not names["is_from_alur"](headers, body + b" ", secret)
    assert not names["is_from_alur"]({**headers, "Webhook-Timestamp": "1"}, body, secret)


def test_the_request_that_the_page_shows_is_signed_as_it_says() -> None:
    said = dict(re.findall(r"^(Webhook-\w+): (.*)$", PAGE, re.MULTILINE))
    secret = re.search(r"with the secret `(whsec_[^`]+)`", PAGE)
    body = re.search(r"^\{.*\}$", PAGE, re.MULTILINE)
    assert secret is not None
    assert body is not None
    assert said["Webhook-Signature"] == sign(secret[1], said["Webhook-Id"], said["Webhook-Timestamp"], body[0].encode())


def test_every_reason_of_a_call_is_on_the_page() -> None:
    assert [reason for reason in CALL_REASONS if f"`{reason}`" not in PAGE] == []
