"""The shop that the demonstration plays: real purchase histories, invented people.

The purchases are the 2,357 customers of the CDNOW sample (Fader and Hardie, "Counting Your Customers the Easy Way",
Marketing Science 2005), in US dollars, moved by 10,227 days: 28 years, so that weekdays stay. Names, addresses, hours of
the day, sign-ups, carts and birthdays are invented from the customer id, the same in every run.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from itertools import groupby
from typing import Final, TypeVar

T = TypeVar("T")

MOVED: Final = timedelta(days=10_227)
START: Final = datetime(2026, 4, 30, 17, tzinfo=UTC)
"""Midnight in Jakarta, where the shop is: 1 May 2026."""
END: Final = datetime(2026, 6, 30, 17, tzinfo=UTC)
"""Midnight in Jakarta after the last day of the data."""

# Hours of the day, in UTC, at which the app posts what people did: before and after work in Jakarta, the same day
# everywhere. Few of them, because the virtual clock stops at every instant that anything happens at.
_HOURS: Final = (2, 3, 11, 12)

_ZONES: Final = ("Asia/Jakarta",) * 7 + ("Asia/Makassar",) * 3
_NAMES: Final = {
    "id": (
        [
            "Ayu",
            "Bagas",
            "Budi",
            "Citra",
            "Dewi",
            "Dimas",
            "Eko",
            "Fajar",
            "Gita",
            "Hana",
            "Hendra",
            "Indah",
            "Intan",
            "Joko",
            "Kartika",
            "Lestari",
            "Made",
            "Mega",
            "Nadia",
            "Nyoman",
            "Oka",
            "Putri",
            "Rangga",
            "Ratih",
            "Sari",
            "Surya",
            "Tono",
            "Utami",
            "Vina",
            "Wahyu",
            "Wulan",
            "Yanti",
            "Yoga",
            "Zaki",
        ],
        [
            "Wijaya",
            "Santoso",
            "Pratama",
            "Siregar",
            "Nasution",
            "Halim",
            "Kusuma",
            "Lubis",
            "Hartono",
            "Saputra",
            "Susanto",
            "Permata",
            "Hidayat",
            "Ramadhan",
            "Gunawan",
            "Setiawan",
            "Anggraini",
            "Maharani",
            "Simanjuntak",
            "Rahardjo",
            "Tarigan",
            "Puspita",
        ],
    ),
    "en": (
        [
            "Anna",
            "Ben",
            "Clara",
            "David",
            "Emma",
            "Felix",
            "Grace",
            "Henry",
            "Iris",
            "Jack",
            "Kate",
            "Leo",
            "Mia",
            "Noah",
            "Olive",
            "Paul",
            "Ruby",
            "Sam",
            "Tessa",
            "Theo",
            "Vera",
            "Will",
            "Zoe",
            "Hugo",
        ],
        [
            "Miller",
            "Brown",
            "Garcia",
            "Clark",
            "Lewis",
            "Young",
            "King",
            "Wright",
            "Scott",
            "Hill",
            "Green",
            "Adams",
            "Baker",
            "Nelson",
            "Carter",
            "Tanaka",
            "Weber",
            "Novak",
            "Rossi",
            "Lindqvist",
        ],
    ),
}
_GENRES: Final = ("jazz", "pop", "rock", "folk", "keroncong", "soul", "dangdut", "ambient")
_EAGER: Final = 0.08
"""The share of customers who open an account during the season; till then the shop only knows what they bought."""


def chance(*words: object) -> float:
    """A number in [0, 1) that is always the same for the same words."""
    digest = hashlib.sha256("|".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def choice(options: Sequence[T], *words: object) -> T:
    """One of the options, always the same for the same words."""
    return options[int(chance(*words) * len(options))]


@dataclass(frozen=True)
class Purchase:
    """One real purchase; `at` has the real day and an invented hour."""

    order_id: str
    at: datetime
    quantity: int
    amount: float


@dataclass(frozen=True)
class Customer:
    """A real history under an invented identity. `joins`: when they open an account; None: they have always had one.

    `mail` and `texts` say what they allow the shop, if asked; `phone` None: they gave no number.
    """

    id: str
    first_name: str
    last_name: str
    locale: str
    timezone: str
    birthday: date
    genre: str | None
    phone: str | None
    mail: bool
    texts: bool
    joins: datetime | None
    purchases: tuple[Purchase, ...]

    @property
    def user_id(self) -> str:
        return f"cdnow-{self.id}"

    @property
    def email(self) -> str:
        return f"{self.first_name}.{self.last_name}.{self.id}@example.com".lower()

    def buys(self, start: datetime, end: datetime) -> list[Purchase]:
        """The purchases in [start, end)."""
        return [purchase for purchase in self.purchases if start <= purchase.at < end]


def customers() -> list[Customer]:
    """All customers, by id."""
    packed = (files("engine.demo") / "cdnow_sample.csv.gz").read_bytes()
    rows = sorted(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())), key=lambda row: row["customer_id"])
    return [_customer(id_, list(own)) for id_, own in groupby(rows, key=lambda row: row["customer_id"])]


def some_time(*words: object, start: datetime = START, end: datetime = END) -> datetime:
    """An instant of the season at one of the shop's hours, always the same for the same words."""
    first = start.date() + timedelta(days=1)
    day = first + timedelta(days=int((end - start).days * chance(*words, "day")))
    return _at(day, *words)


def _at(day: date, *words: object) -> datetime:
    return datetime.combine(day, time(choice(_HOURS, *words, "hour")), UTC)


def _customer(id_: str, rows: list[dict[str, str]]) -> Customer:
    purchases = tuple(sorted((_purchase(id_, number, row) for number, row in enumerate(rows)), key=lambda p: p.at))
    locale = "id" if chance(id_, "locale") < 0.6 else "en"
    firsts, lasts = _NAMES[locale]
    mail = chance(id_, "mail") < 0.9
    return Customer(
        id=id_,
        first_name=choice(firsts, id_, "first"),
        last_name=choice(lasts, id_, "last"),
        locale=locale,
        timezone=choice(_ZONES, id_, "zone"),
        birthday=date(1960, 1, 1) + timedelta(days=int(chance(id_, "birthday") * 14_600)),
        genre=choice(_GENRES, id_, "genre") if chance(id_, "genre known") < 0.5 else None,
        phone=f"+62812{int(id_):08d}" if chance(id_, "phone") < 0.75 else None,
        mail=mail,
        texts=mail and chance(id_, "texts") < 0.55,
        joins=_joins(id_, purchases),
        purchases=purchases,
    )


def _joins(id_: str, purchases: tuple[Purchase, ...]) -> datetime | None:
    """Some open an account when they please, most of those who buy in the season some days before they do."""
    if chance(id_, "eager") >= _EAGER:
        return None
    bought = next((purchase for purchase in purchases if purchase.at >= START + timedelta(days=7)), None)
    if bought is None or chance(id_, "joins to buy") >= 0.7:
        return some_time(id_, "joins")
    return bought.at - timedelta(days=1 + int(5 * chance(id_, "days before")))


def _purchase(id_: str, number: int, row: dict[str, str]) -> Purchase:
    at = _at(date.fromisoformat(row["date"]) + MOVED, id_, number)
    return Purchase(f"{id_}-{number}", at, int(row["quantity"]), float(row["amount"]))
