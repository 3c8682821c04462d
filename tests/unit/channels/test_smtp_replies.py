"""What each reply of an SMTP server means for one mail."""

from __future__ import annotations

import pytest

from channels.base import Accepted, Ambiguous, Receipt, Rejected, Throttled, Unreachable
from channels.smtp_replies import (
    Reply,
    Stage,
    acceptance,
    goes_on,
    nonsense,
    opening_refusal,
    refusal,
    speaks_for_all,
)


@pytest.mark.parametrize(
    ("stage", "code", "text", "reason"),
    [
        ("RCPT", 550, "no such user", "address"),
        ("RCPT", 550, "5.1.1 no such user", "address"),
        ("RCPT", 552, "5.2.2 mailbox full", "address"),
        ("RCPT", 552, "mailbox full", "address"),
        ("RCPT", 550, "5.7.1 blocked by policy, see 5.1.1", "policy"),
        ("RCPT", 554, "5.7.1\nhelp at example.com", "policy"),
        ("RCPT", 550, "5.7.15x not an enhanced status", "address"),
        ("MAIL", 552, "5.3.4 too big", "content"),
        ("MAIL", 552, "too big", "content"),
        ("DATA", 554, "no", "content"),
        ("dot", 554, "transaction failed", "content"),
        ("dot", 550, "5.1.1 unknown", "address"),
        ("dot", 554, "5.7.1 spam", "policy"),
        ("dot", 552, "5.6.0 bad mime", "content"),
        ("dot", 503, "bad sequence", "content"),
    ],
)
def test_a_5xx_about_the_mail_is_rejected_with_a_stable_reason(stage: Stage, code: int, text: str, reason: str) -> None:
    assert refusal(stage, Reply(code, text)) == Rejected(reason, str(Reply(code, text)))


@pytest.mark.parametrize(
    ("stage", "code", "text"),
    [
        ("MAIL", 550, "5.7.1 your network is listed"),
        ("MAIL", 553, "sender not owned by user"),
        ("MAIL", 530, "5.7.0 log in first"),
        ("RCPT", 530, "5.7.0 log in first"),
        ("DATA", 535, "log-in has ended"),
    ],
)
def test_a_5xx_about_us_closes_the_channel(stage: Stage, code: int, text: str) -> None:
    receipt = refusal(stage, Reply(code, text))
    assert isinstance(receipt, Unreachable)
    assert receipt.closed


@pytest.mark.parametrize(
    ("stage", "code", "text", "whole"),
    [
        ("RCPT", 450, "4.2.1 over quota", False),
        ("RCPT", 451, "4.7.1 greylisted", False),
        ("RCPT", 452, "4.3.1 no space", True),
        ("RCPT", 421, "closing", True),
        ("MAIL", 451, "too many from you", True),
        ("dot", 451, "later", False),
        ("dot", 421, "later", True),
    ],
)
def test_a_4xx_is_throttled_and_says_whether_it_is_about_us(stage: Stage, code: int, text: str, whole: bool) -> None:
    receipt = refusal(stage, Reply(code, text))
    assert isinstance(receipt, Throttled)
    assert receipt.whole_channel is whole
    assert receipt.retry_after > 0


def test_a_bad_sequence_before_the_dot_says_nothing_of_the_mail() -> None:
    assert isinstance(refusal("RCPT", Reply(503, "MAIL first")), Unreachable)


@pytest.mark.parametrize("stage", ["RSET", "MAIL", "RCPT", "DATA"])
def test_nonsense_is_only_ambiguous_after_the_dot(stage: Stage) -> None:
    assert isinstance(nonsense(stage, Reply(399, "?")), Unreachable)
    assert isinstance(nonsense("dot", Reply(354, "go on")), Ambiguous)


def test_data_goes_on_with_354_alone() -> None:
    assert goes_on("DATA", Reply(354, ""))
    assert not goes_on("DATA", Reply(250, ""))
    assert goes_on("dot", Reply(250, ""))
    assert goes_on("RCPT", Reply(251, "will forward"))
    assert not goes_on("RCPT", Reply(354, ""))


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("2.0.0 Ok: queued as 4XyZ12", "4XyZ12"),
        ("OK id=1rA-0002x-7K", "1rA-0002x-7K"),
        ("2.0.0 queued as <abc@host>", "abc@host"),
        ("OK", ""),
    ],
)
def test_the_queue_id_is_the_providers_id(text: str, queue_id: str) -> None:
    assert acceptance(Reply(250, text)) == Accepted(queue_id, f"250 {text}")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (421, Throttled(60, "421 no", whole_channel=True)),
        (450, Unreachable("450 no")),
        (554, Unreachable("554 no", closed=True)),
        (535, Unreachable("535 no", closed=True)),
        (-1, Unreachable("-1 no")),
    ],
)
def test_an_opening_that_is_refused_speaks_of_no_mail(code: int, expected: Receipt) -> None:
    assert opening_refusal(Reply(code, "no")) == expected


def test_only_what_concerns_the_channel_speaks_for_all() -> None:
    assert speaks_for_all(Throttled(1, whole_channel=True))
    assert speaks_for_all(Unreachable(closed=True))
    for receipt in (Throttled(1), Unreachable(), Ambiguous(), Rejected("address"), Accepted("")):
        assert not speaks_for_all(receipt)
