"""`send` says when a message is due and until when, and what follows its failure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.journey.values import PlanSend
from tests.unit.journey.passage import NOON, passage


def test_a_message_that_expires_says_when() -> None:
    ani = passage("- {send: hello, via: email, expires: 1d}")
    plan = ani.effects[0]
    assert isinstance(plan, PlanSend)
    assert plan.expires_at == NOON + timedelta(hours=24)


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_on_failure_exit_ends_the_journey_when_it_failed_or_nobody_can_tell(state: str) -> None:
    ani = passage("- {send: hello, via: email, on_failure: exit}\n- {send: more, via: email}")
    ani.sent(state)
    assert (ani.standing.state, ani.standing.reason) == ("ended", "exit")


@pytest.mark.parametrize("state", ["accepted", "withheld", "delivered"])
def test_on_failure_does_not_look_at_anything_else(state: str) -> None:
    ani = passage("- {send: hello, via: email, on_failure: exit}\n- {send: more, via: email}")
    ani.sent(state)
    assert ani.sends[-1] == ("more", 1)


def test_without_on_failure_people_go_on() -> None:
    ani = passage("- {send: hello, via: email}\n- {send: more, via: email}")
    ani.sent("failed")
    assert ani.sends[-1] == ("more", 1)
