"""The story of one person: everything in the order in which it happened, each send just before what followed from its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.cli.story import shown, tell

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONE = "Asia/Jakarta"


def decision(at: datetime, signal: str, *lines: tuple[str, str, Any, str]) -> dict[str, Any]:
    names = ("path", "wanted", "found", "result")
    return {"at": at, "signal": signal, "lines": [dict(zip(names, line, strict=True)) for line in lines]}


def message(send_id: int, template: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "id": send_id, "journey": "welcome", "template": template, "via": ["sms", "email"], "channel": None, "address": None,
        "state": "accepted", "because": None, "detail": None, "due_at": at, "next_at": at, "intent_at": at, "ended_at": at, **more,
    }  # fmt: skip


def passage(*decisions: dict[str, Any], key: str = "") -> dict[str, Any]:
    return {"journey": "welcome", "key": key, "decisions": list(decisions)}


def story(**parts: Any) -> list[str]:
    parts = {"calls": [], **parts}
    empty = {"journeys": [], "not_entered": [], "messages": [], "events": [], "consents": [], "suppressions": []}
    return [f"{entry.kind}: {entry.text}" for entry in tell({**empty, **parts}, ZONE)]


def event(at: datetime, name: str, **more: Any) -> dict[str, Any]:
    happened = {
        "at": at,
        "occurred_at": at,
        "received_at": at,
        "name": name,
        "source": "shop",
        "starts": True,
        "properties": {},
    }
    return {**happened, **more}


def test_two_sends_in_one_instant_stand_each_before_the_decision_about_its_end() -> None:
    decisions = (
        decision(NOON, "event", ("trigger", "signed_up", None, "entered"), ("steps.0", "send a", None, "a is due")),
        decision(
            NOON,
            "send",
            ("steps.0", "the end of the send", {"send_id": 7}, "accepted"),
            ("steps.1", "", None, "b is due"),
        ),
        decision(NOON, "send", ("steps.1", "the end of the send", {"send_id": 8}, "accepted")),
    )
    told = story(
        journeys=[passage(*decisions)],
        messages=[message(8, "b", NOON), message(7, "a", NOON)],
        events=[event(NOON, "signed_up")],
    )
    assert [line.split(" ")[0:2] for line in told] == [
        ["event:", "signed_up"],
        ["decision:", "welcome:"],
        ["send:", "a"],
        ["decision:", "welcome:"],
        ["send:", "b"],
        ["decision:", "welcome:"],
    ]


def test_a_send_that_nothing_has_followed_from_stands_at_its_own_time() -> None:
    later = NOON + timedelta(hours=1)
    told = story(events=[event(NOON, "a"), event(later, "z")], messages=[message(1, "hello", later, ended_at=None)])
    assert told == [
        "event: a from shop",
        "event: z from shop",
        "send: hello by sms or email was accepted by the provider",
    ]


def test_a_withheld_send_says_why_in_a_sentence() -> None:
    withheld = message(1, "hello", NOON, state="withheld", because="the address is suppressed")
    assert story(messages=[withheld]) == ["send: hello by sms or email was not sent: the address is suppressed"]


def test_a_refused_send_gives_the_providers_own_words() -> None:
    refused = {"state": "failed", "because": "the provider refused it (address)", "detail": "550 no such user"}
    sent = message(1, "hello", NOON, channel="email", address="ani@example.com", **refused)
    assert story(messages=[sent]) == [
        "send: hello to ani@example.com by email failed: the provider refused it (address) (550 no such user)"
    ]


def test_a_send_that_waits_says_when_it_is_tried() -> None:
    waiting = message(1, "hello", NOON, state="planned", ended_at=None, intent_at=None)
    assert story(messages=[waiting]) == [
        "send: hello by sms or email waits in the outbox, to be tried 2026-03-01 19:00:00"
    ]


def test_consent_given_for_several_channels_at_once_is_one_line() -> None:
    said = {"at": NOON, "topic": "offers", "given": True, "source": "shop"}
    rows = [{**said, "channel": channel} for channel in ("email", "sms")]
    rows.append({**said, "channel": "email", "given": False, "source": "one_click", "at": NOON + timedelta(days=1)})
    assert story(consents=rows) == [
        "consent: offers by email, sms given, from shop",
        "consent: offers by email taken back, from one_click",
    ]


def test_an_event_that_came_late_tells_when_it_happened() -> None:
    late = event(NOON, "paid", occurred_at=NOON - timedelta(hours=2), starts=False, properties={"total": 9})
    assert story(events=[late]) == [
        "event: paid from shop, happened 2026-03-01 17:00:00, for the record only (total=9)"
    ]


def test_journeys_that_were_not_entered_are_told_too() -> None:
    refused = {"journey": "welcome", **decision(NOON, "event", ("entry.reentry", "never", None, "no_reentry"))}
    assert story(not_entered=[refused]) == ["decision: welcome: an event came"]


def test_a_key_tells_two_enrollments_of_one_journey_apart() -> None:
    told = story(journeys=[passage(decision(NOON, "timer"), key="c1")])
    assert told == ["decision: welcome [c1]: a wait was over"]


def test_found_values_are_on_one_line_not_too_long_and_in_local_time() -> None:
    assert shown(None, ZONE) == ""
    assert shown("2026-03-01T12:00:00+00:00", ZONE) == "2026-03-01 19:00:00"
    assert (
        shown({"at": "2026-03-01T12:00:00Z", "n": 1, "inner": {"a": None}}, ZONE)
        == 'at=2026-03-01 19:00:00, n=1, inner={"a":null}'
    )
    assert shown(["a", 1], ZONE) == '["a",1]'
    assert len(shown("x" * 1000, ZONE)) == 200


def test_what_a_contact_has_sent_can_not_steer_the_terminal() -> None:
    assert "\x1b" not in shown("\x1b[2Jgone", ZONE)
    (told,) = story(events=[event(NOON, "a", properties={"name": "\x1b[31m\nred"})])
    assert "\x1b" not in told
    assert "\n" not in told


def test_a_webhook_stands_before_the_decision_about_its_end_and_one_that_waits_says_until_when_and_why() -> None:
    call = {
        "id": 7, "journey": "welcome", "step": "crm", "state": "failed", "because": "the server refused it",
        "detail": "HTTP 404", "due_at": NOON, "next_at": NOON, "ended_at": NOON,
    }  # fmt: skip
    later = {
        "id": 8, "step": "erp", "state": "planned", "because": None, "detail": "HTTP 503", "ended_at": None,
        "next_at": NOON + timedelta(seconds=30),
    }  # fmt: skip
    ended = decision(NOON, "call", ("crm", "the end of the webhook", {"call_id": 7}, "failed"))
    assert story(journeys=[passage(ended)], calls=[call, {**call, **later}]) == [
        "call: webhook crm failed: the server refused it (HTTP 404)",
        "decision: welcome: a webhook had ended",
        "call: webhook erp waits to be called, to be tried 2026-03-01 19:00:30 (HTTP 503)",
    ]
