"""Who a signal lets in, under which key, and why nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any

import pytest

from engine.document import read_document
from engine.grammar import Reader
from engine.journey.decide import decide
from engine.journey.entry import newcomer
from engine.journey.journey import read_journey
from engine.journey.lot import lot
from engine.journey.machine import Machine, compile_journey
from engine.journey.values import Decision, Enrollment, Event, Facts, Previous, Signal, SignalKind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def machine(trigger: str, more: str = "", kind: str = "topic: offers") -> Machine:
    source = f"journey: j\n{kind}\ntrigger: {trigger}\n{dedent(more)}\nsteps:\n  - wait: 1h\n"
    node, problems = read_document(source.encode(), "j")
    assert node is not None, problems
    reader = Reader("j")
    journey = read_journey(node, reader, "j")
    assert journey is not None, reader.problems
    return compile_journey(journey)


def signal(kind: SignalKind, at: datetime = NOON, **data: Any) -> Signal:
    return Signal(kind, at, data=data)


def knock(
    where: Machine, what: Signal, previous: Previous | None = None, contact: int = 1, holdout: float = 0.0
) -> Decision:
    facts = Facts(contact, "Asia/Jakarta", {}, previous or Previous(), holdout=holdout)
    decision = decide(where, None, what, facts, what.at)
    assert isinstance(decision, Decision)
    return decision


def key(where: Machine, what: Signal) -> str | None:
    """The key of whoever comes in; None when nobody does."""
    entered = knock(where, what).enrollment
    return entered.key if entered is not None else None


def inside(where: Machine, at: datetime = NOON) -> Enrollment:
    return newcomer(where, signal("manual", at, journey="j"), Facts(1, "UTC"), "", at)


def results(decision: Decision) -> list[str]:
    return [line.result for line in decision.trace]


ENTERS, LEAVES = machine("{enters: vip}"), machine("{leaves: vip}")
BIRTHDAY = machine("{date: contact.birthday}")
HOLIDAY = machine("{dates: [2027-03-10], segment: s}")
WEEKLY = machine('{schedule: "0 9 * * mon", segment: s}')
BROADCAST = machine('{at: "2026-03-02T09:00:00+07:00", segment: [a, b]}')
AFTER = machine("{finished: welcome, reason: bought}")
MANUAL = machine("{manual: true}")
CARTS = machine("{event: cart_updated, key: event.cart.id}")


@pytest.mark.parametrize(
    ("where", "what", "expected"),
    [
        (ENTERS, signal("segment", segment="vip", entered=True), ""),
        (ENTERS, signal("segment", segment="vip", entered=False), None),
        (ENTERS, signal("segment", segment="other", entered=True), None),
        (ENTERS, signal("backfill", journey="j", segment="vip"), ""),
        (ENTERS, signal("backfill", journey="other", segment="vip"), None),
        (LEAVES, signal("segment", segment="vip", entered=False), ""),
        (LEAVES, signal("segment", segment="vip", entered=True), None),
        (LEAVES, signal("backfill", journey="other", segment="vip"), None),
        (BIRTHDAY, signal("date", journey="j", date="2026-03-05"), "2026-03-05"),
        (BIRTHDAY, signal("date", journey="other", date="2026-03-05"), None),
        (HOLIDAY, signal("schedule", journey="j", occurrence="2027-03-10"), "2027-03-10"),
        (WEEKLY, signal("schedule", journey="j", occurrence="2026-03-02T02:00:00Z"), "2026-03-02T02:00:00Z"),
        (BROADCAST, signal("schedule", journey="other", occurrence="2026-03-02T02:00:00Z"), None),
        (AFTER, signal("finished", journey="welcome", reason="bought", properties={}), ""),
        (AFTER, signal("finished", journey="welcome", reason="completed", properties={}), None),
        (AFTER, signal("finished", journey="j", reason="bought", properties={}), None),
        (MANUAL, signal("manual", journey="j", properties={}), ""),
        (MANUAL, signal("manual", journey="other", properties={}), None),
    ],
)
def test_each_trigger_lets_in_by_its_own_signals_only(where: Machine, what: Signal, expected: str | None) -> None:
    assert key(where, what) == expected


@pytest.mark.parametrize("kind", ["manual", "start"])
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (ENTERS, ""),
        (MANUAL, ""),
        (AFTER, ""),
        (CARTS, "c1"),
        (BIRTHDAY, "2026-03-02"),  # the person's own day: 18:00Z is tomorrow in Jakarta
        (HOLIDAY, "2026-03-02"),
        (WEEKLY, "2026-03-02"),
        (BROADCAST, "2026-03-02T02:00:00Z"),
    ],
)
def test_by_hand_and_by_a_step_people_enter_whatever_the_trigger_is(
    kind: SignalKind, where: Machine, expected: str
) -> None:
    what = signal(kind, NOON + timedelta(hours=6), journey="j", properties={"cart": {"id": "c1"}})
    assert key(where, what) == expected


def test_what_is_handed_over_is_the_event_of_the_journey() -> None:
    for where, kind in ((MANUAL, "manual"), (MANUAL, "start"), (AFTER, "finished")):
        name = "welcome" if kind == "finished" else "j"
        entered = knock(where, signal(kind, journey=name, reason="bought", properties={"total": 5})).enrollment  # type: ignore[arg-type]
        assert entered is not None
        assert entered.event == {"total": 5}


def test_a_missing_key_lets_nobody_in() -> None:
    assert results(knock(CARTS, signal("manual", journey="j", properties={}))) == ["no_key"]


def test_the_trigger_of_an_event_asks_its_condition_of_events_only() -> None:
    where = machine("{event: cart_updated, where: {event.total: {gte: 5}}}")
    assert key(where, signal("manual", journey="j", properties={"total": 1})) == ""


@pytest.mark.parametrize(
    ("rule", "after", "result"),
    [
        ("never", timedelta(days=999), "no_reentry"),
        ("always", timedelta(seconds=1), "entered"),
        ("{after: 30d}", timedelta(days=30) - timedelta(microseconds=1), "no_reentry"),
        ("{after: 30d}", timedelta(days=30), "entered"),
    ],
)
def test_reentry_counts_from_the_last_entry_and_allows_the_very_instant(
    rule: str, after: timedelta, result: str
) -> None:
    where = machine("{manual: true}", f"entry: {{reentry: {rule}}}")
    previous = Previous(None, NOON)
    assert results(knock(where, signal("manual", NOON + after, journey="j", properties={}), previous)) == [result]


def test_a_trigger_while_one_is_under_way_is_recorded_or_starts_anew() -> None:
    what = signal("manual", journey="j", properties={})
    previous = under_way(MANUAL)
    assert results(knock(MANUAL, what, previous)) == ["already_in"]
    anew = machine("{manual: true}", "entry: {again: restart}")
    decision = knock(anew, what, previous)
    assert [type(effect).__name__ for effect in decision.effects] == ["EndPrevious"]
    assert decision.enrollment is not None


def under_way(where: Machine) -> Previous:
    return Previous(replace(inside(where), id=7), NOON)


@pytest.mark.parametrize("rule", ["entry: {reentry: always}", "entry: {reentry: always, again: restart}"])
@pytest.mark.parametrize("active", [True, False])
def test_an_occurrence_lets_a_person_in_once_whatever_the_rules_of_coming_back(rule: str, active: bool) -> None:
    for text, what in (
        ("{date: contact.birthday}", signal("date", journey="j", date="2026-03-05")),
        ('{schedule: "0 9 * * 1", segment: s}', signal("schedule", journey="j", occurrence="x")),
    ):
        where = machine(text, rule)
        previous = under_way(where) if active else Previous(None, NOON)
        assert results(knock(where, what, previous)) == ["already_in" if active else "no_reentry"]


@pytest.mark.parametrize(
    ("age", "result"), [(timedelta(hours=24), "entered"), (timedelta(hours=24, microseconds=1), "too_old")]
)
def test_an_event_starts_up_to_its_greatest_age(age: timedelta, result: str) -> None:
    where = machine("{event: cart_updated}")
    event = Event(1, "cart_updated", {}, NOON - age, NOON)
    assert results(knock(where, Signal("event", NOON, event=event))) == [result]
    imported = Event(1, "cart_updated", {}, NOON, NOON, starts=False)
    assert knock(where, Signal("event", NOON, event=imported)).enrollment is None


def test_a_season_includes_its_start_and_not_its_end() -> None:
    where = machine("{manual: true}", 'entry: {start: "2026-03-01T12:00:00Z", end: "2026-03-01T13:00:00Z"}')
    for minutes, result in ((-1, "out_of_season"), (0, "entered"), (59, "entered"), (60, "out_of_season")):
        what = signal("manual", NOON + timedelta(minutes=minutes), journey="j", properties={})
        assert results(knock(where, what)) == [result]


# --- holdout ----------------------------------------------------------------------------------------------------------


def test_a_lot_is_the_same_at_every_look_even_and_unrelated_from_name_to_name() -> None:
    assert lot("holdout", "a", contact_id=1) == pytest.approx(0.203307826), (
        "people must not change sides with a version of Alur"
    )
    assert all(0 <= lot("x", contact_id=n) < 1 for n in range(2000))
    for name in ("a", "b"):
        assert sum(lot("holdout", name, contact_id=n) < 0.1 for n in range(4000)) == pytest.approx(400, abs=60)
    both = sum(lot("h", "a", contact_id=n) < 0.1 and lot("h", "b", contact_id=n) < 0.1 for n in range(4000))
    assert both == pytest.approx(40, abs=25)
    assert lot("ab", "c", contact_id=1) != lot("a", "bc", contact_id=1)


def _held_out(where: Machine, holdout: float = 0.0) -> set[int]:
    what = signal("manual", journey="j", properties={})
    found = {n: knock(where, what, contact=n, holdout=holdout).enrollment for n in range(1000)}
    return {n for n, enrollment in found.items() if enrollment is not None and enrollment.state == "held_out"}


def test_held_out_people_are_enrolled_and_run_no_step_whichever_version_and_however_they_enter() -> None:
    where = machine("{manual: true}", "delivery: {holdout: 20%}")
    held = _held_out(where)
    assert len(held) == pytest.approx(200, abs=45)
    assert held == _held_out(machine("{enters: s}", "delivery: {holdout: 20%}"))
    assert held < _held_out(machine("{manual: true}", "delivery: {holdout: 30%}")), (
        "a larger group takes in the smaller"
    )
    someone = knock(where, signal("manual", journey="j", properties={}), contact=min(held))
    assert someone.enrollment is not None
    assert (someone.enrollment.step, someone.enrollment.due_at, results(someone)) == (None, None, ["held_out"])


def test_the_global_holdout_is_the_same_people_in_every_journey_beside_its_own() -> None:
    everywhere = _held_out(machine("{manual: true}"), holdout=0.1)
    assert len(everywhere) == pytest.approx(100, abs=35)
    own = _held_out(machine("{manual: true}", "delivery: {holdout: 10%}"))
    assert _held_out(machine("{manual: true}", "delivery: {holdout: 10%}"), holdout=0.1) == everywhere | own


def test_nobody_is_held_out_of_a_transactional_journey() -> None:
    where = machine("{manual: true}", "delivery: {holdout: 50%}", kind="kind: transactional")
    assert _held_out(where, holdout=0.5) == set()
