"""Messages of the Segment protocol: what is taken from them, and which field refuses them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.run.incoming import DeadLetter, Incoming, Message, read_message
from engine.run.profile import Rules

RULES = Rules(frozenset({"offers"}), "ID")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _read(payload: Any, **how: Any) -> Message | DeadLetter:
    return read_message(Incoming(payload, "shop", **how), RULES, NOW)


def _taken(payload: Any, **how: Any) -> Message:
    message = _read(payload, **how)
    assert isinstance(message, Message), message
    return message


def _refused(payload: Any, **how: Any) -> str:
    letter = _read(payload, **how)
    assert isinstance(letter, DeadLetter), letter
    return letter.reason


def _track(**more: Any) -> dict[str, Any]:
    return {"type": "track", "messageId": "m1", "userId": "ani", "event": "Order Completed", **more}


def test_a_track_is_an_event_under_its_folded_name_and_keeps_the_original() -> None:
    event = _taken(_track(properties={"total": 5}, integrations={"All": False}, futureField=[1])).event
    assert event is not None
    assert (event.type, event.name, json.loads(event.properties)) == ("track", "order_completed", {"total": 5})
    assert json.loads(event.extra) == {"event": "Order Completed", "integrations": {"All": False}, "futureField": [1]}


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_is_an_event_named_page_that_keeps_the_pages_name(kind: str) -> None:
    event = _taken({"type": kind, "anonymousId": "a", "name": "Home", "properties": {"url": "/"}}).event
    assert event is not None
    assert (event.type, event.name, json.loads(event.properties)) == (kind, kind, {"name": "Home", "url": "/"})


def test_a_group_is_an_event_with_the_groups_traits_and_writes_nothing_of_the_person() -> None:
    message = _taken(
        {"type": "group", "userId": "ani", "groupId": 7, "traits": {"plan": "pro", "email": "x@example.com"}}
    )
    assert message.event is not None
    assert json.loads(message.event.properties) == {"plan": "pro", "email": "x@example.com", "group_id": "7"}
    assert message.profile is None


def test_identify_and_alias_are_no_events() -> None:
    assert _taken({"type": "identify", "userId": "ani", "traits": {"city": "Bogor"}}).event is None
    alias = _taken({"type": "alias", "userId": "ani", "previousId": "anon"})
    assert (alias.event, alias.previous_id) == (None, "anon")


def test_the_clients_wrong_clock_cancels_out() -> None:
    message = _taken(_track(timestamp="2020-01-01T00:00:00Z"), sent_at="2020-01-01T00:00:30+00:00")
    assert message.occurred_at == NOW - timedelta(seconds=30)


def test_a_message_may_carry_its_own_sent_at() -> None:
    message = _taken(_track(originalTimestamp="2020-01-01T00:00:00Z", sentAt="2020-01-01T00:01:00Z"))
    assert message.occurred_at == NOW - timedelta(minutes=1)


def test_without_sent_at_the_timestamp_is_taken_as_given() -> None:
    assert _taken(_track(timestamp="2026-02-01T07:00:00+07:00")).occurred_at == datetime(2026, 2, 1, tzinfo=UTC)


def test_without_a_timestamp_it_happened_on_arrival() -> None:
    assert _taken(_track()).occurred_at == NOW
    assert _taken(_track(), sent_at="2020-01-01T00:00:00Z").occurred_at == NOW


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-03-01T09:00:00", "2026-03-01", "2026-13-01T00:00:00Z", "2026-13-01", "9999-01-01T00:00:00Z", "1969-12-31T00:00:00Z",
        "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "yesterday", "", 1767225600, True, {}, "2026-02-30T00:00:00Z",
    ],
)  # fmt: skip
def test_an_impossible_or_naive_timestamp_is_refused_by_its_name(timestamp: Any) -> None:
    assert _refused(_track(timestamp=timestamp)).startswith("timestamp: ")
    assert _refused(_track(originalTimestamp=timestamp)).startswith("originalTimestamp: ")
    assert _refused(_track(timestamp="2026-03-01T00:00:00Z"), sent_at=timestamp).startswith("sentAt: ")


def test_a_clock_correction_into_an_impossible_year_is_refused() -> None:
    assert _refused(_track(timestamp="1971-01-01T00:00:00Z"), sent_at="2099-01-01T00:00:00Z").startswith("timestamp: ")


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ("text", "batch"),
        (None, "batch"),
        ([], "batch"),
        ({}, "type"),
        ({"type": "Track", "userId": "a"}, "type"),
        ({"type": ["track"], "userId": "a"}, "type"),
        ({"type": "track", "event": "x"}, "userId"),
        ({"type": "track", "event": "x", "userId": None, "anonymousId": " "}, "userId"),
        ({"type": "track", "event": "x", "userId": 1.5}, "userId"),
        ({"type": "track", "event": "x", "userId": True}, "userId"),
        ({"type": "track", "event": "x", "userId": "undefined"}, "userId"),
        ({"type": "track", "event": "x", "userId": "u" * 257}, "userId"),
        ({"type": "track", "event": "x", "userId": "a\0b"}, "userId"),
        ({"type": "track", "event": "x", "anonymousId": {}}, "anonymousId"),
        (_track(messageId="m" * 257), "messageId"),
        (_track(event=""), "event"),
        (_track(event=None), "event"),
        (_track(event={"name": "x"}), "event"),
        (_track(event="!!!"), "event"),
        (_track(event="x" * 300), "event"),
        (_track(properties=[1]), "properties"),
        (_track(properties={"a": {"b": "c\0d"}}), "properties"),
        (_track(context="x"), "context"),
        (_track(properties={"blob": "x" * 300_000}), "message"),
        ({"type": "identify", "userId": "a", "traits": "x"}, "traits"),
        ({"type": "identify", "userId": "a", "traits": {"email": "a@b"}}, "traits.email"),
        ({"type": "group", "userId": "a"}, "groupId"),
        ({"type": "alias", "userId": "a"}, "previousId"),
        ({"type": "alias", "anonymousId": "a", "previousId": "b"}, "userId"),
    ],
)
def test_a_message_that_cannot_be_taken_names_the_field(payload: Any, field: str) -> None:
    assert _refused(payload).startswith(f"{field}: ")


def test_a_message_nested_beyond_all_measure_is_refused() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    assert _refused(_track(properties={"deep": deep})).startswith("message: ")


def test_a_literal_backslash_u0000_is_no_nul() -> None:
    assert _taken(_track(properties={"text": "\\u0000"})).event is not None


def test_a_dead_letter_keeps_the_payload_and_never_the_key() -> None:
    letter = _read({"type": "track", "messageId": "m9", "writeKey": "secret", "event": "x\0"})
    assert isinstance(letter, DeadLetter)
    assert letter.message_id == "m9"
    assert json.loads(letter.payload) == {"type": "track", "messageId": "m9", "event": "x\ufffd"}


def test_the_key_is_not_kept_with_the_event() -> None:
    event = _taken(_track(writeKey="secret")).event
    assert event is not None
    assert "secret" not in event.extra


def test_numeric_ids_are_taken_as_their_digits() -> None:
    message = _taken(_track(userId=42, messageId=7))
    assert (message.user_id, message.message_id) == ("42", "7")


def test_the_context_fills_locale_and_zone_of_the_person() -> None:
    profile = _taken(_track(context={"locale": "id-ID", "timezone": "Asia/Jakarta"})).profile
    assert profile is not None
    assert profile.fills == {"locale": "id", "timezone": "Asia/Jakarta"}


def test_the_batchs_context_stands_in_for_a_missing_one() -> None:
    message = _taken(_track(), context={"locale": "en"})
    assert message.profile is not None
    assert message.profile.fills == {"locale": "en"}
    assert message.event is not None
    assert json.loads(message.event.extra)["context"] == {"locale": "en"}


def test_a_browser_key_gives_no_consent_and_the_rest_is_taken() -> None:
    payload = {"type": "identify", "userId": "a", "traits": {"consent": ["offers"], "city": "Bogor"}}
    message = _taken(payload, server=False)
    assert message.profile is not None
    assert message.profile.consent is None
    assert message.profile.traits == {"city": "Bogor"}
    assert message.note is not None
    assert message.note.startswith("traits.consent: ")


def test_consent_of_the_future_is_dated_now() -> None:
    payload = {
        "type": "identify",
        "userId": "a",
        "timestamp": "2027-01-01T00:00:00Z",
        "traits": {"consent": ["offers"]},
    }
    profile = _taken(payload).profile
    assert profile is not None
    assert profile.consent is not None
    assert profile.consent.at == NOW


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "messageId",
        "timestamp",
        "sentAt",
        "userId",
        "anonymousId",
        "event",
        "properties",
        "traits",
        "context",
        "groupId",
        "previousId",
    ]
)


@given(st.sampled_from(["track", "page", "identify", "group", "alias", "x"]), st.dictionaries(FIELDS, JSON), JSON, JSON)
def test_whatever_is_sent_is_read_or_refused_and_never_raises(
    kind: str, fields: dict[str, Any], sent_at: Any, context: Any
) -> None:
    reading = _read({"type": kind, **fields}, sent_at=sent_at, context=context)
    if isinstance(reading, DeadLetter):
        json.loads(reading.payload)
        assert ": " in reading.reason
