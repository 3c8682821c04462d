"""`permit` says yes, later, or never with exactly one reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from engine.config import Cap, Delivery, QuietHours
from engine.consent.permit import Allowed, ChannelFacts, DueSend, Held, Rules, SendFacts, Withheld, permit, rules_of

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


def test_what_is_held_for_longer_than_it_lasts_is_asked_about_again_when_it_expires() -> None:
    held = SendFacts(False, {"email": replace(OPEN, held_until=NOW + timedelta(hours=2))})
    send = DueSend("marketing", ("email",), expires_at=NOW + timedelta(hours=1))
    assert permit(send, held, NOW) == Held(NOW + timedelta(hours=1), "channel_held")
    assert permit(replace(send, expires_at=NOW + timedelta(hours=3)), held, NOW) == Held(
        NOW + timedelta(hours=2), "channel_held"
    )


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


# --- caps -------------------------------------------------------------------------------------------------------------

DAY = timedelta(days=1)


def capped(
    *caps: Cap, ago: tuple[timedelta, ...] = (), ahead: int = 0, kind: str = "marketing"
) -> Allowed | Held | Withheld:
    send = DueSend(kind, ("sms",), rules=Rules(caps=caps))  # type: ignore[arg-type]
    return permit(send, SendFacts(False, {"sms": OPEN}, tuple(NOW - span for span in ago), ahead), NOW)


def test_a_cap_counts_what_is_younger_than_its_span_and_not_what_is_exactly_as_old() -> None:
    cap = Cap(1, DAY)
    assert capped(cap, ago=(DAY - timedelta(microseconds=1),)) == Withheld("cap")
    assert isinstance(capped(cap, ago=(DAY,)), Allowed)
    assert isinstance(capped(Cap(2, DAY), ago=(timedelta(hours=1), DAY)), Allowed)


def test_a_cap_that_waits_holds_until_there_is_room_for_one() -> None:
    cap = Cap(2, DAY, "wait")
    hours = tuple(timedelta(hours=h) for h in (1, 5, 9))
    assert capped(cap, ago=hours[:2]) == Held(NOW + DAY - hours[1], "cap")
    assert capped(cap, ago=hours) == Held(NOW + DAY - hours[1], "cap")  # three of two: two have to leave


def test_the_strictest_of_two_caps_holds() -> None:
    wide, narrow = Cap(5, 7 * DAY, "wait"), Cap(1, DAY)
    assert capped(wide, narrow, ago=(timedelta(hours=1),)) == Withheld("cap")
    assert isinstance(capped(wide, narrow, ago=(2 * DAY,)), Allowed)
    both = capped(Cap(1, DAY, "wait"), Cap(1, 2 * DAY, "wait"), ago=(timedelta(hours=1),))
    assert both == Held(NOW + 2 * DAY - timedelta(hours=1), "cap")


def test_the_last_room_under_a_cap_is_left_to_what_goes_first() -> None:
    assert isinstance(capped(Cap(2, DAY), ahead=1), Allowed)
    assert capped(Cap(1, DAY), ahead=1) == Held(NOW + timedelta(seconds=1), "cap")
    assert capped(Cap(1, DAY), ago=(timedelta(hours=1),), ahead=1) == Withheld("cap")


# --- quiet hours ------------------------------------------------------------------------------------------------------

NIGHT = QuietHours(time(21), time(8))


def at(clock: str, hours: QuietHours = NIGHT, **channels: ChannelFacts) -> Allowed | Held | Withheld:
    """Asked at a local time in Jakarta."""
    now = datetime.fromisoformat(f"2026-03-01T{clock}+07:00").astimezone(UTC)
    rules = Rules(hours, "Asia/Jakarta")
    return permit(DueSend("marketing", tuple(channels), rules=rules), SendFacts(False, channels), now)


MORNING = datetime(2026, 3, 1, 1, tzinfo=UTC)


def test_W11_quiet_hours_hold_from_their_first_instant_to_just_before_their_end() -> None:
    assert at("07:59:59", sms=OPEN) == Held(MORNING, "quiet_hours")
    assert isinstance(at("08:00:00", sms=OPEN), Allowed)
    assert isinstance(at("20:59:59", sms=OPEN), Allowed)
    assert at("21:00:00", sms=OPEN) == Held(MORNING + DAY, "quiet_hours")


def test_quiet_hours_hold_for_the_loud_channels_unless_others_are_named() -> None:
    assert isinstance(at("23:00:00", email=OPEN), Allowed)
    assert isinstance(at("23:00:00", whatsapp=OPEN), Held)
    assert isinstance(at("23:00:00", replace(NIGHT, channels=("email",)), email=OPEN), Held)


def test_a_channel_in_quiet_hours_is_passed_over_for_one_that_has_none() -> None:
    assert at("23:00:00", sms=OPEN, email=OPEN) == Allowed("email", "ani@example.com", 7)
    assert isinstance(at("23:00:00", sms=OPEN, email=replace(OPEN, consent_id=None)), Held)


def test_quiet_hours_that_skip_leave_the_message_out() -> None:
    assert at("23:00:00", replace(NIGHT, then="skip"), sms=OPEN) == Withheld("quiet_hours")


def test_a_cap_is_looked_at_before_quiet_hours() -> None:
    send = DueSend("marketing", ("sms",), rules=Rules(QuietHours(time(0), time(23)), "UTC", (Cap(1, DAY),)))
    assert permit(send, SendFacts(False, {"sms": OPEN}, (NOW,)), NOW) == Withheld("cap")
    assert permit(send, SendFacts(False, {"sms": OPEN}), NOW) == Held(NOW.replace(hour=23), "quiet_hours")


def test_transactional_knows_neither_caps_nor_quiet_hours() -> None:
    rules = Rules(QuietHours(time(0), time(23)), "UTC", (Cap(1, DAY),))
    send = DueSend("transactional", ("sms",), rules=rules)
    assert isinstance(permit(send, SendFacts(False, {"sms": OPEN}, (NOW, NOW)), NOW), Allowed)


def test_a_journey_goes_before_the_defaults_and_both_caps_hold() -> None:
    own, all_ = Cap(1, DAY), Cap(3, 7 * DAY)
    late = QuietHours(time(23), time(6))
    defaults = Delivery(timezone="Asia/Makassar", quiet_hours=NIGHT, cap=all_)
    assert rules_of(Delivery(), defaults, "Asia/Jayapura") == Rules(NIGHT, "Asia/Makassar", (all_,))
    said = Delivery(timezone="contact", quiet_hours=late, cap=own)
    assert rules_of(said, defaults, "Asia/Jayapura") == Rules(late, "Asia/Jayapura", (own, all_))
