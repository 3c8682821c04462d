"""One line per message on standard output."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from channels.base import Accepted, EmailMessage, Medium, Message, TextMessage
from channels.console import ConsoleOptions, kind


def shown(medium: Medium, message: Message, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(raw, encoding=encoding)):
        (receipt,) = kind.build(ConsoleOptions(), medium, Path()).connect().send([message])
        assert receipt == Accepted(f"console-{message.send_id}-{message.attempt}")
        return raw.getvalue().decode(encoding)


def test_a_text_is_one_line() -> None:
    text = TextMessage(1, 1, "+6281234567890", "Halo Budi,\nkeranjangmu menunggu")
    assert shown("sms", text) == "sms to +6281234567890: Halo Budi, keranjangmu menunggu\n"


def test_a_mail_is_its_subject() -> None:
    data = b"From: a@b.com\r\nSubject: =?utf-8?q?Selamat_pagi_=E2=98=80?=\r\n\r\nbody"
    message = EmailMessage(2, 1, "budi@example.com", "toko@example.com", data)
    assert shown("email", message) == "email to budi@example.com: Selamat pagi ☀\n"


def test_a_terminal_without_utf_8_gets_what_it_can_show() -> None:
    assert shown("sms", TextMessage(1, 1, "+6281234567890", "☀"), "ascii") == "sms to +6281234567890: \\u2600\n"


@pytest.mark.parametrize("letter", ["\x1b[2J", "\x07", "\u202e", "\r\nsms to +62811: forged"])
def test_a_text_can_not_steer_the_terminal_or_forge_a_line(letter: str) -> None:
    line = shown("sms", TextMessage(1, 1, "+6281234567890", f"halo{letter}"))
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()


def test_a_long_text_is_cut() -> None:
    assert len(shown("sms", TextMessage(1, 1, "+6281234567890", "a" * 1000))) < 200


@pytest.mark.parametrize("data", [b"", b"no header at all", b"Subject:\r\n\r\n", b"Subject: =?nope?q?x?=\r\n\r\n"])
def test_a_mail_that_can_not_be_read_is_still_shown(data: bytes) -> None:
    line = shown("email", EmailMessage(2, 1, "budi@example.com", "toko@example.com", data))
    assert line.startswith("email to budi@example.com: ")


def test_an_approved_template_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "HX123" in shown("whatsapp", TextMessage(1, 1, "+6281234567890", "", "HX123", {"1": "Budi"}))


def test_each_message_is_one_write() -> None:
    writes: list[str] = []

    class Output(io.StringIO):
        encoding = "utf-8"

        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    send: Callable[..., object] = kind.build(ConsoleOptions(), "sms", Path()).connect().send
    with redirect_stdout(Output()):
        list(send([TextMessage(number, 1, "+6281234567890", f"halo {number}") for number in range(3)]))  # type: ignore[call-overload]
    assert writes == [f"sms to +6281234567890: halo {number}\n" for number in range(3)]
