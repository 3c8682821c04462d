"""People and events to fill the example workspace's messages with: usual ones, bare ones, and ones that try the layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.catalog import Catalog

ROOT = Path(__file__).parents[2]
KEYS = {"ALUR_SECRET_KEY": "k" * 40, "SHOP_KEY": "shop-key", "SITE_KEY": "site-key"}
"""What `.env` holds in a workspace that is used."""

MAILS = sorted(path.name.removesuffix(".mjml") for path in (ROOT / "templates" / "email").glob("*.mjml"))
TEXTS = sorted(path.name.removesuffix(".txt") for path in (ROOT / "templates" / "sms").glob("*.txt"))
"""`NAME.LOCALE` of every template that ships."""

USUAL: Mapping[str, Any] = {
    "contact": {"first_name": "Kartika", "email": "kartika@example.com", "favourite_genre": "jazz"},
    "event": {
        "cart_id": "cart-00421-12",
        "total": 147.9,
        "items": [
            {"name": "Kind of Blue", "artist": "Miles Davis", "price": 21.95},
            {"name": "Badai Pasti Berlalu", "artist": "Chrisye", "price": 125.95},
        ],
    },
    "matched": {"order_id": "00421-3", "total": 47.9},
}
BARE: Mapping[str, Any] = {
    "contact": {"email": "kartika@example.com", "first_name": ""},
    "event": {"cart_id": "1", "total": 15},
    "matched": {"order_id": "1", "total": 15},
}
LONG: Mapping[str, Any] = {
    "contact": {
        "first_name": "Raden Mas Suryokusumoadiningratwidjojonegoro",
        "email": "raden@example.com",
        "favourite_genre": "keroncong-progressive-deathmetal-fusion-revival",
    },
    "event": {
        "cart_id": "7f0c1c52-7b0e-4b9e-9a5e-1d6a2f0c9e11",
        "total": 1234567.89,
        "items": [
            {
                "name": "Floccinaucinihilipilification-Hepaticocholangiogastrostomies",
                "artist": "A" * 60,
                "price": 1234567.89,
            },
            *[{"name": "O'Brien & <Sons>: the very long story of a very long title, vol. 2", "price": 9}] * 12,
        ],
    },
    "matched": {"order_id": "7f0c1c52-7b0e-4b9e-9a5e-1d6a2f0c9e11", "total": 1234567.89},
}


def values(workspace: Catalog, name: str, person: Mapping[str, Any]) -> dict[str, Any]:
    """What a template is rendered with: the person, the `vars` of the step that sends it, and who sends."""
    steps = [send for item in workspace.definitions.journeys.values() for send in item.journey.sends()]
    step = next(send for send in steps if send.template == name)
    organisation = workspace.config.organisation
    return {
        **person,
        "vars": dict(step.vars),
        "organisation": {"name": organisation.name, "postal_address": organisation.postal_address},
        "unsubscribe_url": "https://mail.tokonada.example.com/u/" + "dGhpcyBpcyBubyBzZWNyZXQ" * 4,
    }
