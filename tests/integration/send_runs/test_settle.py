"""Settling does all that is due at an instant of a clock that stands, and tells when the next thing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from engine.config import Config
from engine.run.hold import stop
from engine.run.machines import Machines
from engine.run.settle import next_due, settle
from engine.store.holds import Hold
from tests.integration.run.post_office import CONFIG
from tests.integration.run.town import NOON, ZONE
from tests.integration.send_runs.shop import Shop

DRIP = """
    journey: drip
    topic: offers
    trigger: {event: signed_up}
    steps:
      - {id: first, send: hello, via: sms}
      - wait: 1d
      - {id: second, send: hello, via: sms}
"""
BIRTHDAY = """
    journey: birthday
    topic: offers
    trigger: {date: contact.birthday, repeat: yearly, at: "09:00"}
    steps:
      - {send: hello, via: sms}
"""


@dataclass
class Standing:
    """The wired engine with the town's clock."""

    engine: Engine
    machines: Machines
    clock: Callable[[], datetime]
    config: Config = CONFIG
    zone: str = ZONE


def standing(shop: Shop) -> Standing:
    return Standing(shop.town.engine, shop.town.machines, lambda: shop.town.now)


def next_after(shop: Shop) -> datetime | None:
    with shop.town.engine.connect() as conn:
        return next_due(conn, shop.town.now)


def test_from_due_instant_to_due_instant_everything_happens_at_its_time(shop: Shop) -> None:
    shop.town.apply(DRIP, BIRTHDAY)
    person = shop.town.person("ani", phone="+6281200000000", first_name="Ani", birthday="1990-03-05")
    shop.office.consents(person, "offers")
    shop.town.change(person)
    shop.town.does(person, "signed_up")
    seen: list[tuple[datetime, int, int]] = []
    with shop.drain().opened() as run:
        while len(seen) < 3:
            settled = settle(standing(shop), run)
            seen.append((shop.town.now, settled.entered, settled.counts.total))
            due = next_after(shop)
            assert due is not None
            shop.town.now = due
    assert seen == [
        (NOON, 1, 1),
        (NOON + timedelta(days=1), 0, 1),
        (datetime(2026, 3, 5, 2, tzinfo=UTC), 1, 1),  # 09:00 in Jakarta
    ]
    assert shop.town.now == datetime(2027, 3, 5, 2, tzinfo=UTC)
    assert len(shop.runs()) == 1


def test_what_is_held_does_not_keep_the_clock_from_moving_on(shop: Shop) -> None:
    shop.town.apply(DRIP)
    shop.sign_up(1)
    with shop.town.engine.begin() as conn:
        stop(conn, Hold("journey", "drip", "a typo", "ani", NOON))
    with shop.drain().opened() as run:
        assert settle(standing(shop), run, refreshing=False).counts.total == 0
    assert next_after(shop) is None
