"""Money, numbers, dates and times in the words of a language and the zone of a person."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.message.cldr import currency_of, read_locale
from engine.message.formats import Formats

ID = Formats("id", "Asia/Jakarta", "IDR")
EN = Formats("en", "Asia/Jakarta", "USD")


@pytest.mark.parametrize(("formats", "value", "currency", "text"), [
    (ID, 1500000, None, "Rp1.500.000"), (ID, "1500000", None, "Rp1.500.000"), (ID, 1499999.5, None, "Rp1.500.000"), (ID, 0, None, "Rp0"),
    (ID, -25000, None, "-Rp25.000"), (ID, 49.9, "USD", "US$49,90"), (ID, Decimal("49.905"), "usd", "US$49,91"), (ID, 5000, "JPY", "JP¥5.000"),
    (EN, 49.9, None, "US$49.90"), (EN, 1500000, "IDR", "Rp1,500,000"), (EN, 1234.5, "EUR", "€1,234.50"),
    (Formats("en_US", "UTC", "USD"), 49.9, None, "$49.90"), (Formats("de", "UTC", "EUR"), 1234.5, None, "1.234,50\xa0€"),
])  # fmt: skip
def test_money_is_written_as_the_language_writes_the_currency(
    formats: Formats, value: Any, currency: str | None, text: str
) -> None:
    assert formats.money(value, currency) == text


@pytest.mark.parametrize(("value", "currency"), [
    ("abc", "IDR"), (True, "IDR"), (None, "IDR"), ([1], "IDR"), (float("nan"), "IDR"), (float("inf"), "IDR"), ("1e400", "IDR"),
    (10**16, "IDR"), (1, "XXQ"), (1, "Rp"), (1, 5), (1, None),
])  # fmt: skip
def test_what_is_no_amount_or_no_currency_is_an_error(value: Any, currency: Any) -> None:
    with pytest.raises(ValueError, match="money: "):
        Formats("id", "UTC").money(value, currency)


def test_errors_do_not_quote_the_value() -> None:
    for wrong in (ID.money, ID.number, ID.date, ID.time):
        with pytest.raises(ValueError) as failed:  # noqa: PT011  the text is what is looked at
            wrong("ani@example.com")
        assert "ani" not in str(failed.value)


@pytest.mark.parametrize(("formats", "value", "digits", "text"), [
    (ID, 1234567, None, "1.234.567"), (ID, 1234.5, None, "1.234,5"), (ID, 1234.5, 2, "1.234,50"), (EN, 1234.5, 0, "1,235"), (EN, "0.1234", None, "0.123"),
])  # fmt: skip
def test_numbers_have_the_separators_of_the_language(
    formats: Formats, value: Any, digits: int | None, text: str
) -> None:
    assert formats.number(value, digits) == text


@pytest.mark.parametrize(("formats", "value", "style", "text"), [
    (ID, "2026-11-22", "long", "22 November 2026"), (ID, "2026-11-22", "full", "Minggu, 22 November 2026"), (ID, "2026-11-22", "short", "22/11/26"),
    (EN, "2026-11-22", "long", "22 November 2026"), (Formats("en_US", "UTC"), "2026-11-22", "long", "November 22, 2026"),
    (ID, "2026-11-21T23:30:00Z", "long", "22 November 2026"), (ID, "2026-11-21T23:30:00+07:00", "long", "21 November 2026"),
    (ID, "2026-11-21T23:30:00", "long", "21 November 2026"), (ID, datetime(2026, 11, 21, 18, tzinfo=UTC), "long", "22 November 2026"),
    (ID, date(2026, 11, 22), "medium", "22 Nov 2026"),
])  # fmt: skip
def test_a_date_is_the_day_where_the_person_is(formats: Formats, value: Any, style: Any, text: str) -> None:
    assert formats.date(value, style) == text


@pytest.mark.parametrize(("zone", "locale", "text"), [
    ("Asia/Jakarta", "id", "09.00 WIB"), ("Asia/Makassar", "id", "10.00 WITA"), ("Asia/Jayapura", "id", "11.00 WIT"),
    ("Asia/Jakarta", "en", "9:00 am WIB"), ("America/New_York", "en_US", "9:00 PM EST"), ("Asia/Dubai", "id", "06.00 UTC+4"),
    ("Asia/Kathmandu", "id", "07.45 UTC+5:45"), ("UTC", "id", "02.00 UTC"), ("America/Sao_Paulo", "id", "23.00 UTC-3"),
])  # fmt: skip
def test_a_time_is_the_persons_clock_with_the_name_of_the_zone(zone: str, locale: str, text: str) -> None:
    assert Formats(locale, zone).time("2026-11-22T09:00:00+07:00").replace("\u202f", " ") == text


@pytest.mark.parametrize(
    "value", ["besok", "22/11/2026", "2026-13-01", "2026-11-22T25:00", 1764000000, True, None, ["2026-11-22"], ""]
)
def test_what_is_no_date_is_an_error(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        ID.date(value)


def test_a_date_without_a_time_has_no_clock_time() -> None:
    with pytest.raises(ValueError, match="no time of day"):
        ID.time("2026-11-22")


@pytest.mark.parametrize(("name", "locale"), [
    ("id", "id"), ("id-ID", "id_ID"), ("in_ID", "id_ID"), ("in", "id"), ("en", "en_001"), ("EN-us", "en_US"), ("en_ID", "en_ID"), ("xx", "en_001"), ("", "en_001"), ("../etc", "en_001"),
])  # fmt: skip
def test_an_unknown_locale_is_read_as_the_nearest(name: str, locale: str) -> None:
    assert str(read_locale(name)) == locale


def test_an_amount_without_a_currency_is_in_that_of_the_organisations_country() -> None:
    assert [currency_of(country) for country in ("ID", "us", "SG", "XX", "")] == ["IDR", "USD", "SGD", None, None]


def test_formatting_the_same_again_costs_microseconds() -> None:
    ID.money(1500000)
    ID.date("2026-11-22T09:00:00+07:00")
    start = time.perf_counter()

    for _ in range(1000):
        ID.money(1500000)
        ID.date("2026-11-22T09:00:00+07:00")

    assert (time.perf_counter() - start) / 2000 < 50e-6
