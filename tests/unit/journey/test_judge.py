"""A trial is judged line by line: each needs a send or an exit of its own, and times are exact to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.journey.judge import Left, Record, Sent, Unsent, judge
from engine.journey.trial import ExpectCount, ExpectExit, ExpectSend, ExpectWithheld, Span

ZONE = "Asia/Jakarta"
NINE = datetime(2026, 3, 1, 2, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)


def at(instant: datetime) -> Span:
    return Span(instant, instant)


def record(
    *sent: Sent, unsent: tuple[Unsent, ...] = (), left: tuple[Left, ...] = (), standing: tuple[str, ...] = ()
) -> Record:
    return Record(sent, unsent, left, goals=0, entries=1, about_contact={}, standing=standing)


def send(when: Span | None = None, via: str | None = None, variant: str | None = None, line: int = 1) -> ExpectSend:
    return ExpectSend("reminder", via, when, variant, line)


def test_each_line_needs_a_send_of_its_own() -> None:
    once = record(Sent("reminder", "email", NINE))
    assert judge([send()], once, ZONE) == []
    assert [failure.line for failure in judge([send(line=1), send(line=2)], once, ZONE)] == [2]


def test_a_loose_line_leaves_a_strict_one_its_only_send() -> None:
    twice = record(Sent("reminder", "email", NINE), Sent("reminder", "sms", TEN))
    assert judge([send(), send(at(NINE))], twice, ZONE) == []
    assert judge([send(), send(via="sms")], twice, ZONE) == []
    three = [send(line=1), send(at(NINE), line=2), send(via="email", line=3)]
    assert len(judge(three, twice, ZONE)) == 1


def test_a_variant_is_that_of_the_passage() -> None:
    sent = record(Sent("reminder", "email", NINE, ("b",)))
    assert judge([send(variant="b")], sent, ZONE) == []
    assert len(judge([send(variant="a")], sent, ZONE)) == 1


def test_a_failure_tells_what_was_expected_and_what_happened_in_the_persons_time() -> None:
    happened = record(Sent("reminder", "email", TEN), unsent=(Unsent("reminder", "withheld", "cap", NINE),))
    (failure,) = judge([send(at(NINE), via="email", line=7)], happened, ZONE)
    assert failure.line == 7
    assert failure.expected == "send reminder by email at 2026-03-01T09:00:00+07:00"
    assert failure.got == (
        "reminder sent by email at 2026-03-01T10:00:00+07:00; reminder withheld (cap) at 2026-03-01T09:00:00+07:00"
    )


def test_a_failed_exit_tells_the_others_or_where_the_person_stands() -> None:
    wanted = ExpectExit("bought", None, 3)
    (failure,) = judge([wanted], record(left=(Left("completed", NINE),)), ZONE)
    assert (failure.expected, failure.got) == ("exit bought", "exit completed at 2026-03-01T09:00:00+07:00")
    (failure,) = judge([wanted], record(standing=("the person stands on steps.0",)), ZONE)
    assert failure.got == "no exit; the person stands on steps.0"


def test_what_is_withheld_is_no_send_and_what_is_sent_is_not_withheld() -> None:
    withheld = record(unsent=(Unsent("reminder", "withheld", "no_consent", NINE),))
    assert judge([ExpectWithheld("reminder", "no_consent", 1), ExpectCount("sends", 0, 2)], withheld, ZONE) == []
    assert len(judge([ExpectWithheld("reminder", "cap", 1), send(line=2)], withheld, ZONE)) == 2
    failed = record(unsent=(Unsent("reminder", "failed", "render", NINE),))
    assert len(judge([ExpectWithheld("reminder", None, 1)], failed, ZONE)) == 1


def test_counts_are_exact() -> None:
    counted = Record((), (), (), goals=1, entries=2, about_contact={})
    expect = [ExpectCount("goal", 1, 1), ExpectCount("entries", 1, 2), ExpectCount("sends", 1, 3)]
    assert [(f.expected, f.got) for f in judge(expect, counted, ZONE)] == [("entries: 1", "2"), ("sends: 1", "0")]
