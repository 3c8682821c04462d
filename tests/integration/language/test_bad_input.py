"""Rows of our list of bad input that only whole passages show, from the event to the message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any

import pytest

from tests.integration.language.plays import Theatre, from_instant_to_instant
from tests.integration.language.random_lives import Saying, Scenario

NEW_YORK = "America/New_York"


def instants(theatre: Theatre, at: str, steps: str, head: str = "", zone: str = NEW_YORK, **traits: Any) -> list[str]:
    """When messages go to somebody for whom the event happens at this time (of their clock, with its offset)."""
    happened = datetime.fromisoformat(at).astimezone(UTC)
    start = happened.replace(hour=0, minute=0, second=0) - timedelta(days=1)
    source = dedent(f"""
        journey: tested
        topic: offers
        trigger: {{event: carted}}
        {head}
        steps:
        """).lstrip() + "".join(f"  {line}\n" for line in dedent(steps).strip().splitlines())
    told = {"phone": "+6281200000001", "timezone": zone, "consent": ["offers"], **traits}
    said = (
        _saying("identify", start - timedelta(days=1), traits=told),
        _saying("track", happened, event="carted", properties={"n": 1}),
    )
    return _sent(theatre, Scenario(start, {"tested": source}, said))


def _sent(theatre: Theatre, scenario: Scenario) -> list[str]:
    (played,) = theatre.plays(scenario, from_instant_to_instant)
    return [f"{row.intent_at:%Y-%m-%dT%H:%M:%SZ}" for row in played.sends if row.state == "accepted"]


def _saying(kind: str, at: datetime, **rest: Any) -> Saying:
    payload = {"type": kind, "userId": "ani", "messageId": f"{kind} {at}", "timestamp": at.isoformat(), **rest}
    return Saying(at, at, payload)


SEND = "- {send: hello, via: sms}"


def test_T1_a_wait_until_a_time_that_the_gap_skips_ends_once_moved_by_the_gap(theatre: Theatre) -> None:
    steps = f'- wait: {{until: "02:30"}}\n{SEND}'
    assert instants(theatre, "2027-03-13T20:00:00-05:00", steps) == ["2027-03-14T07:30:00Z"]  # 03:30 on the wall
    assert instants(theatre, "2027-03-14T03:30:00-04:00", steps) == ["2027-03-15T06:30:00Z"]  # strictly later


def test_T2_a_wait_until_a_time_that_happens_twice_ends_the_first_time_only(theatre: Theatre) -> None:
    steps = f'- wait: {{until: "01:30"}}\n{SEND}\n- wait: {{until: "01:30"}}\n- {{id: second, send: hello, via: sms}}'
    assert instants(theatre, "2026-10-31T20:00:00-04:00", steps) == ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]


def test_T4_a_day_keeps_the_clock_and_24_hours_do_not(theatre: Theatre) -> None:
    at = "2027-03-13T09:00:00-05:00"
    assert instants(theatre, at, f"- wait: 1d\n{SEND}") == ["2027-03-14T13:00:00Z"]  # 09:00
    assert instants(theatre, at, f"- wait: 24h\n{SEND}") == ["2027-03-14T14:00:00Z"]  # 10:00


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        ('{until: "09:00"}', ["2027-05-02T13:00:00Z", "2027-05-02T13:00:00Z"]),  # the next occurrence
        ("{until: contact.renews, if_past: now}", ["2027-05-01T14:00:00Z", "2027-05-01T14:00:00Z"]),
        ("{until: contact.renews, if_past: skip}", ["2027-05-01T14:00:00Z"]),  # without the next step
    ],
)
def test_T10_a_wait_whose_time_is_past_ends_as_written_and_once(
    theatre: Theatre, wait: str, expected: list[str]
) -> None:
    steps = f"- wait: {wait}\n{SEND}\n- {{id: second, send: hello, via: sms}}"
    assert instants(theatre, "2027-05-01T10:00:00-04:00", steps, renews="2027-05-01") == expected


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("07:59:59", "01:00:00Z"), ("08:00:00", "01:00:00Z"), ("20:59:59", "13:59:59Z"), ("21:00:00", "01:00:00Z")],
)
def test_W11_quiet_hours_hold_from_their_first_second_to_their_last(
    theatre: Theatre, clock: str, expected: str
) -> None:
    quiet = 'delivery: {quiet_hours: {from: "21:00", to: "08:00"}}'
    (at,) = instants(theatre, f"2026-03-02T{clock}+07:00", SEND, quiet, "Asia/Jakarta")
    assert at == ("2026-03-03T" if clock == "21:00:00" else "2026-03-02T") + expected


FIRST, SECOND = "2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{reentry: never}", [FIRST]),
        ("{reentry: always}", [FIRST, SECOND]),
        ("{reentry: {after: 48h}}", [FIRST, SECOND]),
        ("{reentry: {after: 49h}}", [FIRST]),
    ],
)
def test_C22_who_leaves_a_segment_and_comes_back_gets_no_second_message_unless_reentry_allows(
    theatre: Theatre, entry: str, expected: list[str]
) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    source = f"journey: tested\ntopic: offers\ntrigger: {{enters: golden}}\nentry: {entry}\nsteps:\n  {SEND}\n"
    told = {"phone": "+6281200000001", "consent": ["offers"]}
    said = [_saying("identify", start - timedelta(days=1), traits=told)]
    for day, tier in ((1, "gold"), (2, "none"), (3, "gold"), (4, "none")):
        said.append(_saying("identify", start + timedelta(days=day), traits={"tier": tier}))
    assert _sent(theatre, Scenario(start, {"tested": source}, tuple(said))) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Jayapura", "2026-03-02T23:00:00Z"),  # its morning comes two hours sooner
        ("Europe/Berlin", "2026-03-02T16:00:00Z"),  # where it is afternoon: at once
        ("America/New_York", "2026-03-02T16:00:00Z"),
        ("Asia/Kolkata", "2026-03-03T02:30:00Z"),
    ],
)
@pytest.mark.parametrize("how", ["identify", "update"])
def test_quiet_hours_follow_whoever_moves_while_they_hold_a_message(
    theatre: Theatre, zone: str, expected: str, how: str
) -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    quiet = 'delivery: {quiet_hours: {from: "21:00", to: "08:00"}}'
    journeys = {
        "tested": f"journey: tested\ntopic: offers\ntrigger: {{event: carted}}\n{quiet}\nsteps:\n  {SEND}\n",
        "moves": f"journey: moves\nkind: transactional\ntrigger: {{event: moved}}\nsteps:\n  - update: {{contact.timezone: {zone}}}\n",
    }
    told = {"phone": "+6281200000001", "timezone": "Asia/Jakarta", "consent": ["offers"]}
    at = start.replace(hour=16)  # 23:00 in Jakarta
    moving: dict[str, dict[str, Any]] = {"identify": {"traits": {"timezone": zone}}, "update": {"event": "moved"}}
    said = (
        _saying("identify", start - timedelta(days=1), traits=told),
        _saying("track", start.replace(hour=15), event="carted"),
        _saying("track" if how == "update" else "identify", at, **moving[how]),
    )
    assert _sent(theatre, Scenario(start, journeys, said)) == [expected]
