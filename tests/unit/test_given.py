"""Events of a file, as a simulation reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.run.given import GivenRefusedError, read_given


def test_a_short_line_is_an_event_of_somebody_at_its_time() -> None:
    (given,) = read_given(
        ['{"user_id": "ani", "at": "2026-03-01T20:00:00+07:00", "event": "order_completed"}'], "e.jsonl"
    )
    assert given.happened == given.arrives == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert given.plain
    assert given.message.payload["type"] == "track"
    assert given.message.payload["userId"] == "ani"


def test_a_line_may_be_a_message_of_the_segment_protocol() -> None:
    line = '{"type": "identify", "userId": "ani", "timestamp": "2026-03-01T13:00:00Z", "traits": {"city": "Jakarta"}}'
    (given,) = read_given([line], "e.jsonl")
    assert not given.plain
    assert given.message.payload["traits"] == {"city": "Jakarta"}


def test_lines_come_in_the_order_of_their_arrival_and_keep_that_of_the_file_within_an_instant() -> None:
    late = '{"user_id": "a", "at": "2026-03-01T01:00:00Z", "received_at": "2026-03-03T00:00:00Z", "event": "late"}'
    first = '{"user_id": "a", "at": "2026-03-02T00:00:00Z", "event": "first"}'
    second = '{"user_id": "a", "at": "2026-03-02T00:00:00Z", "event": "second"}'
    given = read_given([late, "", first, second], "e.jsonl")
    assert [each.message.payload["event"] for each in given] == ["first", "second", "late"]
    assert not given[2].plain


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "e.jsonl:1: expected a JSON object"),
        ("{", "e.jsonl:1: expected a JSON object, and this is no JSON"),
        ('{"at": "2026-03-01T00:00:00Z", "event": "x"}', "e.jsonl:1: expected 'user_id' or 'anonymous_id'"),
        ('{"user_id": "a", "at": "2026-03-01", "event": "x"}', "+07:00), found '2026-03-01'"),
        ('{"user_id": "a", "event": "x"}', "it is missing"),
        ('{"user_id": "a", "at": "2026-03-01T00:00:00Z"}', "expected 'event', 'identify' or 'type'"),
        (
            '{"user_id": "a", "at": "2026-03-02T00:00:00Z", "received_at": "2026-03-01T00:00:00Z", "event": "x"}',
            "'received_at' is before",
        ),
    ],
)
def test_a_line_that_can_not_be_read_is_named_with_its_number(line: str, said: str) -> None:
    with pytest.raises(GivenRefusedError) as refused:
        read_given([line], "e.jsonl")
    assert said in str(refused.value)
