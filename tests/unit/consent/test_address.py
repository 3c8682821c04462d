"""Addresses: what may enter, and how two of them compare."""

from __future__ import annotations

import pytest

from engine.consent.address import can_receive_text, email_address, fold_address, fold_email, phone_number
from engine.errors import AddressError


@pytest.mark.parametrize(
    "text",
    [
        "a@b.com\r\nRCPT TO:<evil@x.com>",
        "a@b.com\n",
        "alice@example.org)bob@example.com",
        "a@b.com, c@d.com",
        "<script>@x.com",
        "a@b",
        "a@[127.0.0.1]",
        "Ani <ani@example.com>",
        '"a b"@example.com',
        "ani@example.com\0",
        "ani@localhost",
        "änne@example.com",
        "",
        "a" * 250 + "@example.com",
    ],
)
def test_what_is_not_one_plain_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        email_address(text)


def test_an_address_keeps_its_local_part_as_it_is_written() -> None:
    assert email_address(" User+tag@EXAMPLE.com ") == "User+tag@example.com"


def test_an_international_domain_becomes_ascii() -> None:
    assert email_address("a@bücher.de") == "a@xn--bcher-kva.de"


def test_two_spellings_of_one_address_compare_equal() -> None:
    assert fold_email("User@EXAMPLE.com") == fold_address("email", "user@example.com")


@pytest.mark.parametrize(
    "text", ["0812-3456-7890", "+62 812 3456 7890", "+6281234567890", "6281234567890", "(0812) 34567890"]
)
def test_a_phone_number_becomes_e164_by_region(text: str) -> None:
    assert phone_number(text, "ID") == "+6281234567890"


@pytest.mark.parametrize("text", ["911", "112", "+999123456789", "12", "phone", "", "0812-3456-7890 ext. 5", "0" * 50])
def test_what_nobody_could_have_as_a_number_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        phone_number(text, "ID")


def test_a_fixed_line_gets_no_text() -> None:
    assert can_receive_text("+6281234567890")
    assert not can_receive_text("+62215551234")
