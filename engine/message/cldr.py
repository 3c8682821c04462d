"""How languages write money, numbers, dates and times, by Unicode's CLDR as Babel has it.

Babel takes a while to import, so `engine.message.formats` comes here when a value is written; checking a template needs none of it.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import (
    NumberPattern,
    get_currency_precision,
    get_currency_symbol,
    get_territory_currencies,
    list_currencies,
    parse_pattern,
)

from engine.message.choice import RENAMED

# Plain English is the world's, not America's: 22 November 2026, and US$49.90 that nobody takes for another dollar.
_WORLD_ENGLISH = "en_001"
# CLDR gives the rupiah two decimals and no symbol outside Indonesia; prices have neither.
_SYMBOLS = {"IDR": "Rp"}
_WHOLE = frozenset({"IDR"})


@lru_cache(maxsize=256)
def read_locale(name: str) -> Locale:
    """The nearest locale there is: `id-ID`, `in_ID` (as Android says it) and `id` are Indonesian; an unknown one is plain English."""
    parts = re.split(r"[-_]", name.strip())
    parts[0] = RENAMED.get(parts[0].lower(), parts[0].lower())
    for known in ("_".join(parts), parts[0]):
        try:
            return Locale.parse(_WORLD_ENGLISH if known == "en" else known)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(_WORLD_ENGLISH)


@lru_cache(maxsize=64)
def currency_of(country: str) -> str | None:
    """The currency of a country (`ID` gives `IDR`): that of amounts which name none; None for what is no country."""
    current: list[str] = get_territory_currencies(country.upper()) if country else []
    return current[0] if current else None


@lru_cache(maxsize=1)
def currencies() -> frozenset[str]:
    return frozenset(list_currencies())


@lru_cache(maxsize=8192)
def money(amount: Decimal, currency: str, locale: Locale) -> str:
    digits = 0 if currency in _WHOLE else get_currency_precision(currency)
    rounded = amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    text: str = _money_pattern(digits, locale).apply(rounded, locale, currency=currency, currency_digits=False)
    own = _SYMBOLS.get(currency)
    return text if own is None else text.replace(get_currency_symbol(currency, locale), own, 1)


@lru_cache(maxsize=1024)
def _money_pattern(digits: int, locale: Locale) -> NumberPattern:
    decimals = "." + "0" * digits if digits else ""
    return parse_pattern(re.sub(r"\.0+", decimals, locale.currency_formats["standard"].pattern))


@lru_cache(maxsize=8192)
def number(amount: Decimal, digits: int | None, locale: Locale) -> str:
    pattern = "#,##0.###" if digits is None else "#,##0" + ("." + "0" * digits if digits else "")
    rounded = amount.quantize(Decimal(1).scaleb(-(3 if digits is None else digits)), rounding=ROUND_HALF_UP)
    text: str = parse_pattern(pattern).apply(rounded, locale)
    return text


@lru_cache(maxsize=4096)
def date(day: dt.date, style: str, locale: Locale) -> str:
    return format_date(day, style, locale=locale)


@lru_cache(maxsize=4096)
def time(clock: dt.time, locale: Locale) -> str:
    return format_time(clock, "short", locale=locale)
