"""What is said of a person: traits folded, columns checked, consent read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.run.profile import FieldRefusedError, Profile, Rules, fills, fold_name, language, read_profile

RULES = Rules(frozenset({"offers"}), "ID")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _read(**said: Any) -> Profile:
    return read_profile(said, RULES, NOW)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Order Completed", "order_completed"),
        ("order-completed", "order_completed"),
        ("orderCompleted", "order_completed"),
        ("order_completed", "order_completed"),
        ("OrderCompleted", "order_completed"),
        ("  Order  Completed! ", "order_completed"),
        ("SMSSent", "sms_sent"),
        ("order.completed/v2", "order_completed_v2"),
        ("OrderID", "order_id"),
        ("Pesanan Selesai", "pesanan_selesai"),
        ("Büro geöffnet", "büro_geöffnet"),
        ("!!!", ""),
    ],
)
def test_names_fold_to_one_spelling(name: str, folded: str) -> None:
    assert fold_name(name) == folded
    assert fold_name(folded) == folded


@pytest.mark.parametrize(
    ("tag", "code"),
    [("id", "id"), ("id-ID", "id"), ("id_ID.UTF-8", "id"), ("in", "id"), ("EN-us", "en"), ("zh-Hant-TW", "zh")],
)
def test_a_locale_is_kept_as_its_language(tag: str, code: str) -> None:
    assert language(tag) == code


@pytest.mark.parametrize("tag", ["", "x", "indonesia", "../../etc", "12", "id ID"])
def test_what_is_no_locale_has_no_language(tag: str) -> None:
    assert language(tag) is None


def test_well_known_traits_are_folded_and_others_keep_their_spelling() -> None:
    said = {"firstName": "Ani", "Last Name": "W", "createdAt": "2026-01-01", "favoriteColor": "red"}
    traits = read_profile(said, RULES, NOW).traits
    assert traits == {"first_name": "Ani", "last_name": "W", "created_at": "2026-01-01", "favoriteColor": "red"}


def test_of_two_spellings_of_a_trait_the_plain_one_is_meant() -> None:
    assert _read(first_name="plain", firstName="camel").traits == {"first_name": "plain"}
    assert _read(firstName="camel", first_name="plain").traits == {"first_name": "plain"}


def test_addresses_become_columns_and_no_traits() -> None:
    profile = _read(email="Ani@Example.com", phone="0812-3456-7890")
    assert profile.columns == {"email": "Ani@example.com", "phone": "+6281234567890"}
    assert profile.traits == {}


def test_a_phone_number_may_come_as_a_json_number() -> None:
    assert _read(phone=6281234567890).columns == {"phone": "+6281234567890"}


def test_null_and_blank_addresses_remove_the_address() -> None:
    assert _read(email=None, phone=" ").columns == {"email": None, "phone": None}


def test_a_null_trait_is_handed_on_to_remove_it() -> None:
    assert _read(city=None).traits == {"city": None}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"email": "a@b.com, c@d.com"}, "traits.email"),
        ({"Email": "a@b"}, "traits.Email"),
        ({"email": ["a@b.com"]}, "traits.email"),
        ({"phone": "911"}, "traits.phone"),
        ({"phone": True}, "traits.phone"),
        ({"consent": ["ofers"]}, "traits.consent"),
        ({"consent": ["offers"], "consentWording": 5}, "traits.consent_wording"),
    ],
)
def test_a_refusal_names_the_field_as_it_was_sent(said: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldRefusedError) as caught:
        read_profile(said, RULES, NOW)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize("zone", ["WIB", "asia/jakarta", "../../etc/passwd", "America/Nope", 7, ["Asia/Jakarta"]])
def test_a_zone_that_does_not_exist_stays_a_trait(zone: Any) -> None:
    profile = _read(timezone=zone)
    assert profile.columns == {"timezone": None}
    assert profile.traits == {"timezone": zone}


def test_a_real_zone_clears_an_unreal_one() -> None:
    profile = _read(timeZone="Asia/Jakarta")
    assert profile.columns == {"timezone": "Asia/Jakarta"}
    assert profile.traits == {"timezone": None}


def test_consent_carries_its_time_and_wording_and_is_no_trait() -> None:
    profile = _read(consent={"offers": ["email"]}, consent_wording="Yes, send me offers")
    assert profile.consent is not None
    assert (profile.consent.at, profile.consent.wording) == (NOW, "Yes, send me offers")
    assert profile.traits == {}


def test_without_the_right_to_it_consent_is_left_out_unread() -> None:
    profile = read_profile({"consent": ["no such topic"], "city": "Bogor"}, RULES, NOW, may_consent=False)
    assert profile.consent is None
    assert profile.traits == {"city": "Bogor"}


def test_only_a_real_zone_and_locale_of_the_context_are_taken() -> None:
    assert fills({"locale": "id-ID", "timezone": "Asia/Jakarta"}) == {"locale": "id", "timezone": "Asia/Jakarta"}
    assert fills({"locale": 5, "timezone": "Mars/Olympus"}) == {}
