"""The trait `consent`: what it says, and when it becomes a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.consent.statement import CHANNELS, ConsentUnreadableError, Holding, Statement, must_record, read_statements

TOPICS = {"offers", "news"}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_list_gives_every_channel() -> None:
    assert read_statements(["offers"], TOPICS) == tuple(Statement("offers", channel, True) for channel in CHANNELS)


def test_a_mapping_gives_only_the_channels_it_names() -> None:
    assert read_statements({"offers": ["email"]}, TOPICS) == (Statement("offers", "email", True),)


def test_false_takes_a_topic_away_on_every_channel() -> None:
    assert set(read_statements({"offers": False}, TOPICS)) == {Statement("offers", c, False) for c in CHANNELS}


def test_false_alone_takes_everything_away() -> None:
    assert {(s.topic, s.given) for s in read_statements(False, TOPICS)} == {("offers", False), ("news", False)}


def test_one_channel_can_be_taken_away() -> None:
    assert read_statements({"offers": {"sms": False}}, TOPICS) == (Statement("offers", "sms", False),)


def test_nothing_said_is_nothing_stated() -> None:
    assert read_statements(None, TOPICS) == ()
    assert read_statements([], TOPICS) == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["ofers"], "unknown topic 'ofers' (did you mean 'offers'?)"),
        ({"offers": ["emial"]}, "unknown channel 'emial' (did you mean 'email'?)"),
        (True, "name the topics"),
        ("offers", "expected a list of topics"),
        ([["offers"]], "unknown topic"),
        ({"offers": "email"}, "expected a list of channels"),
        ({"offers": {"sms": "no"}}, "expected a list of channels"),
        ({"offers": [["email"]]}, "unknown channel"),
    ],
)
def test_consent_that_cannot_be_read_is_refused(value: Any, said: str) -> None:
    with pytest.raises(ConsentUnreadableError) as caught:
        read_statements(value, TOPICS)
    assert said in str(caught.value)


def _holding(given: bool, *, days_ago: int = 1, wording: str | None = None) -> Holding:
    return Holding(1, given, NOW - timedelta(days=days_ago), wording)


def test_a_first_word_is_recorded_whatever_it_says() -> None:
    assert must_record(True, NOW, None, None, NOW)
    assert must_record(False, NOW, None, None, NOW)


def test_the_same_word_again_is_no_new_proof() -> None:
    assert not must_record(True, NOW, None, _holding(True), NOW)
    assert not must_record(False, NOW, None, _holding(False), NOW)


def test_another_wording_is_a_new_proof() -> None:
    assert must_record(True, NOW, "Yes, please", _holding(True, wording="Yes"), NOW)
    assert not must_record(True, NOW, "Yes", _holding(True, wording="Yes"), NOW)


def test_a_word_from_before_the_withdrawal_does_not_overrule_it() -> None:
    assert not must_record(True, NOW - timedelta(days=2), None, _holding(False, days_ago=1), NOW)


def test_a_later_word_overrules_the_withdrawal() -> None:
    assert must_record(True, NOW, None, _holding(False), NOW)


def test_a_list_without_a_time_never_gives_back_what_was_taken_back() -> None:
    assert not must_record(True, None, None, _holding(False), NOW)
    assert must_record(False, None, None, _holding(True), NOW)
