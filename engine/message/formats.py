"""Money, numbers, dates and times as people of one language write them, in one time zone.

Errors never quote the value: they are recorded and logged, and the value is somebody's.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

DateStyle = Literal["full", "long", "medium", "short"]
DATE_STYLES: tuple[str, ...] = get_args(DateStyle)

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
        from engine.message import cldr

        code = currency if currency is not None else self.currency
        if code is None:
            raise ValueError("money: no currency is given, and there is no default")
        if not isinstance(code, str) or code.upper() not in cldr.currencies():
            raise ValueError("money: there is no such currency")
        return cldr.money(_decimal(value, "money"), code.upper(), cldr.read_locale(self.locale))

    def number(self, value: object, digits: int | None = None) -> str:
        """`1.234,5`: with up to 3 decimals, or exactly `digits`."""
        from engine.message import cldr

        return cldr.number(_decimal(value, "number"), digits, cldr.read_locale(self.locale))

    def date(self, value: object, style: DateStyle = "long") -> str:
        """`22 November 2026`: the day in the recipient's zone; a date without a time is that date anywhere."""
        from engine.message import cldr

        moment = self._moment(value, "date")
        day = moment.date() if isinstance(moment, dt.datetime) else moment
        return cldr.date(day, style, cldr.read_locale(self.locale))

    def time(self, value: object) -> str:
        """`09.00 WIB`: the recipient's clock, with the name of their zone."""
        from engine.message import cldr

        moment = self._moment(value, "time")
        if not isinstance(moment, dt.datetime):
            raise ValueError("time: a date has no time of day")
        clock = cldr.time(moment.time().replace(second=0, microsecond=0), cldr.read_locale(self.locale))
        return f"{clock} {_zone_name(moment)}"

    def _moment(self, value: object, what: str) -> dt.datetime | dt.date:
        """An instant in the recipient's zone, or a plain date. A time without an offset is on the recipient's own clock."""
        moment: object = _parsed(value) if isinstance(value, str) else value
        if isinstance(moment, dt.datetime):
            zone = ZoneInfo(self.timezone)
            return moment.astimezone(zone) if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        if isinstance(moment, dt.date):
            return moment
        raise ValueError(f"{what}: the value is not a date such as 2026-11-22 or 2026-11-22T09:00:00+07:00")


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


def _zone_name(moment: dt.datetime) -> str:
    """`WIB` where a zone has a name of its own, else its distance to UTC."""
    name = moment.tzname() or ""
    if name.isalpha():
        return name
    offset = moment.utcoffset()
    minutes = 0 if offset is None else int(offset.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes >= 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")
