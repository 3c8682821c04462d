"""Which language of a template a contact gets."""

from __future__ import annotations

import pytest

from engine.message.choice import choose

TEMPLATES = {
    ("promo", "id"): "id",
    ("promo", "en"): "en",
    ("promo", "en_US"): "us",
    ("promo", None): "plain",
    ("other", "fr"): "fr",
    ("solo", "en"): "solo",
}


@pytest.mark.parametrize(("name", "contact", "organisation", "chosen"), [
    ("promo", "id", "en", "id"), ("promo", "id-ID", "en", "id"), ("promo", "in_ID", "en", "id"), ("promo", "EN_us", "id", "us"), ("promo", "en-GB", "id", "en"),
    ("promo", "fr", "id", "id"), ("promo", None, "en", "en"), ("promo", "fr", "de", "plain"), ("promo", "", None, "plain"),
    ("solo", "id", "id", None), ("solo", "id", "en-GB", "solo"), ("absent", "id", "id", None),
])  # fmt: skip
def test_the_contacts_language_comes_first_then_the_organisations_then_the_plain_one(
    name: str, contact: str | None, organisation: str | None, chosen: str | None
) -> None:
    assert choose(TEMPLATES, name, contact, organisation) == chosen
