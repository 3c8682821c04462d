"""Unsubscribe tokens: nobody else can make one, and old ones stay good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.consent.token import UnsubscribeClaims, read, sign, unsubscribe_url
from engine.errors import TokenError

CLAIMS = UnsubscribeClaims(contact_id=123456, topic="offers", channel="email", send_id=987654321)


def test_a_token_gives_back_what_was_signed() -> None:
    assert read(sign(CLAIMS, ["new"]), ["new"]) == CLAIMS


def test_a_token_signed_by_the_previous_key_works_after_a_rotation() -> None:
    assert read(sign(CLAIMS, ["old"]), ["new", "old"]) == CLAIMS


def test_the_newest_key_signs() -> None:
    assert read(sign(CLAIMS, ["new", "old"]), ["new"]) == CLAIMS


def test_a_token_of_a_key_that_was_thrown_away_is_refused() -> None:
    with pytest.raises(TokenError):
        read(sign(CLAIMS, ["old"]), ["new"])


def test_a_token_is_short_and_safe_in_a_url() -> None:
    token = sign(CLAIMS, ["key"])
    assert len(token) <= 64
    assert token.replace("-", "").replace("_", "").isalnum()


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_no_changed_character_is_taken(place: int, character: str) -> None:
    token = sign(CLAIMS, ["key"])
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    try:
        assert read(changed, ["key"]) == CLAIMS
    except TokenError:
        assert changed != token


@pytest.mark.parametrize("token", ["", "x", "x" * 24, "x" * 5000, "../../etc/passwd", "%00", "ä" * 30, "a" * 25])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        read(token, ["key"])


def test_a_cut_token_is_refused() -> None:
    token = sign(CLAIMS, ["key"])
    for length in range(len(token)):
        with pytest.raises(TokenError):
            read(token[:length], ["key"])


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(TokenError, match="web.secret_keys"):
        sign(CLAIMS, [])


def test_the_link_stands_under_the_public_url() -> None:
    link = unsubscribe_url("https://shop.example/", CLAIMS, ["key"])
    assert link == "https://shop.example/u/" + sign(CLAIMS, ["key"])
