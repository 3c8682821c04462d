"""`permit` says yes, later, or never with exactly one reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.consent.permit import Allowed, ChannelFacts, DueSend, Held, SendFacts, Withheld, permit

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
OPEN = ChannelFacts(has_template=True, address="ani@example.com", consent_id=7)


def asked(*, exited: bool = False, kind: str = "marketing", **channels: ChannelFacts) -> Allowed | Held | Withheld:
    send = DueSend(kind, tuple(channels))  # type: ignore[arg-type]
    return permit(send, SendFacts(exited, channels), NOW)


def test_an_open_channel_is_allowed_and_names_its_consent() -> None:
    assert asked(email=OPEN) == Allowed("email", "ani@example.com", 7)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(OPEN, has_template=False, address=None), "no_template"),
        (replace(OPEN, address=None, suppressed=frozenset({"all"})), "no_address"),
        (replace(OPEN, suppressed=frozenset({"marketing"}), consent_id=None), "suppressed"),
        (replace(OPEN, consent_id=None), "no_consent"),
    ],
)
def test_the_first_thing_in_the_way_is_the_reason(facts: ChannelFacts, reason: str) -> None:
    assert asked(email=facts) == Withheld(reason)


def test_exited_comes_before_everything() -> None:
    assert asked(exited=True, email=OPEN) == Withheld("exited")


def test_a_send_expires_at_the_very_instant() -> None:
    send = DueSend("marketing", ("email",), expires_at=NOW)
    assert permit(send, SendFacts(False, {"email": OPEN}), NOW) == Withheld("expired")
    assert isinstance(permit(send, SendFacts(False, {"email": OPEN}), NOW - timedelta(microseconds=1)), Allowed)


def test_the_next_channel_is_taken_when_the_first_can_not_be() -> None:
    assert asked(whatsapp=replace(OPEN, consent_id=None), sms=OPEN) == Allowed("sms", "ani@example.com", 7)


def test_when_no_channel_can_be_used_the_reason_is_that_of_the_first() -> None:
    assert asked(whatsapp=replace(OPEN, address=None), sms=replace(OPEN, consent_id=None)) == Withheld("no_address")


def test_a_held_channel_is_passed_over_for_an_open_one() -> None:
    assert asked(whatsapp=replace(OPEN, held_until=NOW + timedelta(hours=1)), sms=OPEN) == Allowed(
        "sms", "ani@example.com", 7
    )


def test_when_channels_are_only_held_the_send_waits_for_the_earliest() -> None:
    late, soon = (replace(OPEN, held_until=NOW + timedelta(hours=h)) for h in (2, 1))
    assert asked(whatsapp=late, sms=soon, email=replace(OPEN, address=None)) == Held(
        NOW + timedelta(hours=1), "channel_held"
    )


def test_transactional_needs_no_consent_and_passes_an_unsubscribe_but_never_a_full_stop() -> None:
    bare = replace(OPEN, consent_id=None, suppressed=frozenset({"marketing"}))
    assert asked(kind="transactional", email=bare) == Allowed("email", "ani@example.com", None)
    stopped = replace(bare, suppressed=frozenset({"all"}))
    assert asked(kind="transactional", email=stopped) == Withheld("suppressed")


def test_a_channel_that_refused_the_message_is_not_tried_again() -> None:
    send = DueSend("marketing", ("whatsapp", "sms"), refused=frozenset({"whatsapp"}))
    assert permit(send, SendFacts(False, {"whatsapp": OPEN, "sms": OPEN}), NOW) == Allowed("sms", "ani@example.com", 7)
    send = DueSend("marketing", ("sms",), refused=frozenset({"sms"}))
    assert permit(send, SendFacts(False, {"sms": OPEN}), NOW) == Withheld("refused")
