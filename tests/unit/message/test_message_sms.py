"""Segments of an SMS, and texts of SMS and WhatsApp."""

from __future__ import annotations

import pytest

from engine.errors import RenderError, WorkspaceError
from engine.message.sms import SmsSegments, segments
from engine.message.text_template import compile_text


@pytest.mark.parametrize(("text", "encoding", "characters", "count"), [
    ("a" * 160, "GSM-7", 160, 1), ("a" * 161, "GSM-7", 161, 2), ("a" * 306, "GSM-7", 306, 2), ("a" * 307, "GSM-7", 307, 3),
    ("€" * 80, "GSM-7", 160, 1), ("€" * 81, "GSM-7", 162, 2), ("ç", "UCS-2", 1, 1), ("Ç", "GSM-7", 1, 1),
    ("😀" * 35, "UCS-2", 70, 1), ("😀" * 36, "UCS-2", 72, 2), ("a" * 69 + "😀", "UCS-2", 71, 2), ("", "GSM-7", 0, 0),
    ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the euro's two halves stay together
    ("a" * 66 + "😀" + "é" * 65 + "ş", "UCS-2", 134, 3),  # so do those of an emoji
    ("^{}\\[~]|€\n\r\f", "GSM-7", 22, 1), ("`", "UCS-2", 1, 1), ("é" * 160, "GSM-7", 160, 1), ("“", "UCS-2", 1, 1),
])  # fmt: skip
def test_W14_segments_are_counted_as_the_network_cuts_them(
    text: str, encoding: str, characters: int, count: int
) -> None:
    assert segments(text) == SmsSegments(encoding, characters, count)  # type: ignore[arg-type]


def test_S14_a_name_in_an_sms_is_not_escaped() -> None:
    template = compile_text("kabar", "id", "Halo {{ contact.first_name }}, <b> {{ unsubscribe_url }}\n", "sms")
    values = {"contact": {"first_name": "O'Brien & Co"}, "unsubscribe_url": "https://x.example/u/1?a=1&b=2"}

    assert (
        template.render(values, locale="id", timezone="UTC") == "Halo O'Brien & Co, <b> https://x.example/u/1?a=1&b=2"
    )


def test_an_sms_that_no_provider_takes_is_that_persons_error() -> None:
    template = compile_text("kabar", None, "{{ vars.text }}", "sms")

    for text, reason in (("x" * 1601, "over 1600 characters"), ("  \n", "blank")):
        with pytest.raises(RenderError, match=reason):
            template.render({"vars": {"text": text}}, locale="id", timezone="UTC")


def test_problems_of_a_text_are_placed_in_its_file() -> None:
    with pytest.raises(WorkspaceError, match=r"templates/sms/kabar\.txt:2:4: unknown variable 'nama'"):
        compile_text("kabar", None, "Halo\n{{ nama }}", "sms")
