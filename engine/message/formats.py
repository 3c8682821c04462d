"""Money, numbers, dates and times as people of one language write them, in one time zone.

Errors never quote the value: they are recorded and logged, and the value is somebody's.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

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

DateStyle = Literal["full", "long", "medium", "short"]
DATE_STYLES: tuple[str, ...] = get_args(DateStyle)

# Plain English is the world's, not America's: 22 November 2026, and US$49.90 that nobody takes for another dollar.
_WORLD_ENGLISH = "en_001"
# Codes that Java, and so Android, still sends for languages renamed in 1989.
_RENAMED = {"in": "id", "iw": "he", "ji": "yi"}
# CLDR gives the rupiah two decimals and no symbol outside Indonesia; prices have neither.
_SYMBOLS = {"IDR": "Rp"}
_WHOLE = frozenset({"IDR"})
_LARGEST = Decimal(10) ** 15


@dataclass(frozen=True)
class Formats:
    """How values are written for one recipient: `locale` such as id or en_US, `timezone` an IANA name.

    `currency` is the one that an amount without its own is in (None: such an amount is an error). Every method raises ValueError for
    what it can't format.
    """

    locale: str
    timezone: str
    currency: str | None = None

    def money(self, value: object, currency: object = None) -> str:
        """`Rp1.500.000`, `US$49.90`: with the currency's own decimals, rounded half up."""
        code = currency if currency is not None else self.currency
        if code is None:
            raise ValueError("money: no currency is given, and there is no default")
        if not isinstance(code, str) or code.upper() not in _currencies():
            raise ValueError("money: there is no such currency")
        return _money(_decimal(value, "money"), code.upper(), read_locale(self.locale))

    def number(self, value: object, digits: int | None = None) -> str:
        """`1.234,5`: with up to 3 decimals, or exactly `digits`."""
        return _number(_decimal(value, "number"), digits, read_locale(self.locale))

    def date(self, value: object, style: DateStyle = "long") -> str:
        """`22 November 2026`: the day in the recipient's zone; a date without a time is that date anywhere."""
        moment = self._moment(value, "date")
        day = moment.date() if isinstance(moment, dt.datetime) else moment
        return _date(day, style, read_locale(self.locale))

    def time(self, value: object) -> str:
        """`09.00 WIB`: the recipient's clock, with the name of their zone."""
        moment = self._moment(value, "time")
        if not isinstance(moment, dt.datetime):
            raise ValueError("time: a date has no time of day")
        return f"{_time(moment.time().replace(second=0, microsecond=0), read_locale(self.locale))} {_zone_name(moment)}"

    def _moment(self, value: object, what: str) -> dt.datetime | dt.date:
        """An instant in the recipient's zone, or a plain date. A time without an offset is on the recipient's own clock."""
        moment: object = _parsed(value) if isinstance(value, str) else value
        if isinstance(moment, dt.datetime):
            zone = ZoneInfo(self.timezone)
            return moment.astimezone(zone) if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        if isinstance(moment, dt.date):
            return moment
        raise ValueError(f"{what}: the value is not a date such as 2026-11-22 or 2026-11-22T09:00:00+07:00")


@lru_cache(maxsize=256)
def read_locale(name: str) -> Locale:
    """The nearest locale there is: `id-ID`, `in_ID` (as Android says it) and `id` are Indonesian; an unknown one is plain English."""
    parts = re.split(r"[-_]", name.strip())
    parts[0] = _RENAMED.get(parts[0].lower(), parts[0].lower())
    for known in ("_".join(parts), parts[0]):
        try:
            return Locale.parse(_WORLD_ENGLISH if known == "en" else known)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(_WORLD_ENGLISH)


def language_names(name: str) -> tuple[str, ...]:
    """The names under which a template for this locale may stand, the most exact first: `id_ID` gives `id_id` and `id`."""
    parts = [part for part in re.split(r"[-_]", name.strip().lower()) if part]
    if not parts:
        return ()
    parts[0] = _RENAMED.get(parts[0], parts[0])
    return tuple("_".join(parts[:count]) for count in range(len(parts), 0, -1))


def _decimal(value: object, what: str) -> Decimal:
    """Numbers and text of a number; a float by its shortest form, so that 49.9 is 49.9."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"{what}: the value is not a number")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{what}: the value is not a number") from None
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise ValueError(f"{what}: the number is too large")
    return number


@lru_cache(maxsize=4096)
def _parsed(text: str) -> dt.datetime | dt.date | None:
    try:
        return (
            dt.date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else dt.datetime.fromisoformat(text)
        )
    except ValueError:
        return None


@lru_cache(maxsize=64)
def currency_of(country: str) -> str | None:
    """The currency of a country (`ID` gives `IDR`): that of amounts which name none; None for what is no country."""
    current: list[str] = get_territory_currencies(country.upper()) if country else []
    return current[0] if current else None


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


@lru_cache(maxsize=8192)
def _money(amount: Decimal, currency: str, locale: Locale) -> str:
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
def _number(number: Decimal, digits: int | None, locale: Locale) -> str:
    pattern = "#,##0.###" if digits is None else "#,##0" + ("." + "0" * digits if digits else "")
    rounded = number.quantize(Decimal(1).scaleb(-(3 if digits is None else digits)), rounding=ROUND_HALF_UP)
    text: str = parse_pattern(pattern).apply(rounded, locale)
    return text


@lru_cache(maxsize=4096)
def _date(day: dt.date, style: DateStyle, locale: Locale) -> str:
    return format_date(day, style, locale=locale)


@lru_cache(maxsize=4096)
def _time(clock: dt.time, locale: Locale) -> str:
    return format_time(clock, "short", locale=locale)


def _zone_name(moment: dt.datetime) -> str:
    """`WIB` where a zone has a name of its own, else its distance to UTC."""
    name = moment.tzname() or ""
    if name.isalpha():
        return name
    offset = moment.utcoffset()
    minutes = 0 if offset is None else int(offset.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes >= 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")
