"""What the shop's app posts about its customers: messages of the Segment protocol, and when each is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.demo.shop import Customer, Purchase, chance, some_time

_RECORDS: Final = (
    ("Hujan di Cikini", "Trio Senja"),
    ("Peron Terakhir", "Orkes Melati"),
    ("Kopi Jam Tiga", "Ratna & Kawan"),
    ("Surat untuk Laut", "Dermaga"),
    ("Batavia Nights", "Quartet Menteng"),
    ("Slow Ferry North", "The Kite Tails"),
    ("Paper Lanterns", "Iris Hollow"),
    ("Salt and Vinyl", "Marlow Green"),
)
_MOST_ITEMS: Final = 3
_WORDING: Final = {
    "id": "Ya, kirimi saya kabar, penawaran dan Kelas Dengar",
    "en": "Yes, send me news, offers and the Listening Class",
}


_A_MOMENT: Final = timedelta(minutes=20)
"""Between a cart and its order, when both are posted together: apps send what they have in one go."""


@dataclass(frozen=True)
class Post:
    """One Segment message and when the app sends it; what it tells of may have happened a little before."""

    at: datetime
    message: dict[str, Any]


def history(people: Sequence[Customer], until: datetime) -> Iterator[Post]:
    """What happened before `until`: all purchases, and who bought them, as far as they have an account."""
    for customer in people:
        if customer.joins is None:
            yield _identify(customer, min(customer.purchases[0].at, until))
        for purchase in customer.purchases:
            if purchase.at < until:
                yield _order(customer, purchase)


def season(people: Sequence[Customer], start: datetime, end: datetime) -> list[Post]:
    """What the app posts in [start, end), in order of time: sign-ups, carts and the real purchases."""
    posts = [post for customer in people for post in _of_one(customer, start, end) if start <= post.at < end]
    return sorted(posts, key=lambda p: (p.at, p.message["timestamp"], p.message["type"], p.message["messageId"]))


def _of_one(customer: Customer, start: datetime, end: datetime) -> Iterator[Post]:
    if customer.joins is not None:
        yield _identify(customer, customer.joins)
        signed_up = {"source": "web" if chance(customer.id, "source") < 0.8 else "shop"}
        yield _track(customer.joins, customer, "Signed Up", f"{customer.id}-account", signed_up)
    for purchase in customer.buys(start, end):
        days = _days_of_thinking(purchase)
        if days is None:
            yield _order(customer, purchase)
            continue
        cart_id = f"cart-{purchase.order_id}"
        filled = purchase.at - (timedelta(days=days) or _A_MOMENT)
        sent = purchase.at - timedelta(days=days)
        yield _cart(customer, cart_id, filled, purchase.amount, purchase.quantity, sent)
        yield _order(customer, purchase, cart_id)
    if chance(customer.id, "left a cart") < 0.08:  # and nobody came back for it
        total = round(12 + 60 * chance(customer.id, "left total"), 2)
        yield _cart(customer, f"cart-{customer.id}-left", some_time(customer.id, "left"), total, 1 + int(total // 25))


def _days_of_thinking(purchase: Purchase) -> int | None:
    """Half of the real purchases began as a cart: bought within minutes, or a day or two later."""
    luck = chance(purchase.order_id, "cart")
    if luck < 0.15:
        return 0
    if luck < 0.35:
        return 1
    return 2 if luck < 0.5 else None


def _identify(customer: Customer, at: datetime) -> Post:
    """Who the customer is, with consent as it was given when they opened their account."""
    traits: dict[str, Any] = {
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "email": customer.email,
        "birthday": customer.birthday.isoformat(),
        "locale": customer.locale,
        "timezone": customer.timezone,
    }
    if customer.phone is not None:
        traits["phone"] = customer.phone
    if customer.genre is not None:
        traits["favourite_genre"] = customer.genre
    if customer.mail:
        traits["consent"] = {"offers": ["email", "sms"] if customer.texts else ["email"], "tips": ["email"]}
        traits["consent_wording"] = _WORDING[customer.locale]
    return _post(at, customer, "identify", f"{customer.id}-identify", traits=traits)


def _order(customer: Customer, purchase: Purchase, cart_id: str | None = None) -> Post:
    properties: dict[str, Any] = {
        "order_id": purchase.order_id,
        "total": purchase.amount,
        "currency": "USD",
        "quantity": purchase.quantity,
    }
    if cart_id is not None:
        properties["cart_id"] = cart_id
    return _track(purchase.at, customer, "Order Completed", purchase.order_id, properties)


def _cart(
    customer: Customer, cart_id: str, at: datetime, total: float, quantity: int, sent: datetime | None = None
) -> Post:
    properties = {"cart_id": cart_id, "total": total, "currency": "USD", "items": _items(cart_id, total, quantity)}
    post = _track(at, customer, "Cart Updated", cart_id, properties)
    return post if sent is None else Post(sent, post.message)


def _items(cart_id: str, total: float, quantity: int) -> list[dict[str, Any]]:
    """Records that cost the total together; names are invented, the data only knows how many there were."""
    count = max(1, min(quantity, _MOST_ITEMS))
    first = int(chance(cart_id, "record") * len(_RECORDS))
    prices = [round(total / count, 2)] * (count - 1)
    prices.append(round(total - sum(prices), 2))
    records = [_RECORDS[(first + number * 3) % len(_RECORDS)] for number in range(count)]
    return [
        {"name": name, "artist": artist, "price": price} for (name, artist), price in zip(records, prices, strict=True)
    ]


def _track(at: datetime, customer: Customer, event: str, key: str, properties: dict[str, Any]) -> Post:
    message_id = f"{key}-{event.lower().replace(' ', '-')}"
    return _post(at, customer, "track", message_id, event=event, properties=properties)


def _post(at: datetime, customer: Customer, type_: str, message_id: str, **rest: Any) -> Post:
    stamp = at.isoformat().replace("+00:00", "Z")
    return Post(at, {"type": type_, "messageId": message_id, "userId": customer.user_id, "timestamp": stamp, **rest})
