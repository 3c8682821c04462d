"""What the properties of a person's events come to: sum, avg, min and max agree with plain Python, asked of one and of all."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from engine import tables
from engine.audience.segment import Segment
from engine.store.segments import members_select
from engine.store.verdicts import Subject, verdicts
from engine.store.zones import zone_values
from tests.conditions import condition
from tests.integration.audience.people import NOW, ZONE, ask, did, holds, person

Properties = dict[str, Any]


def numbers(events: list[Properties], path: str) -> list[Decimal]:
    found = []
    for event in events:
        items = event.get("items", []) if path == "items.*.price" else [event]
        values = [item.get("price" if path == "items.*.price" else path) for item in items if isinstance(item, dict)]
        found += [Decimal(str(v)) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return found


def total(word: str, found: list[Decimal]) -> Decimal | None:
    if word == "sum":
        return sum(found, Decimal(0))
    if not found:
        return None
    return {"avg": sum(found, Decimal(0)) / len(found), "min": min(found), "max": max(found)}[word]


def meets(value: Decimal | None, demand: dict[str, Any]) -> bool:
    ((word, operand),) = demand.items()
    if word == "exists":
        return (value is not None) == operand
    if value is None:
        return False
    return {"gte": value >= operand, "lt": value < operand, "eq": value == operand, "ne": value != operand}[word]


values = st.sampled_from((None, True, "7", "x", [3], {"a": 1})) | st.integers(-9, 9) | st.sampled_from((2.5, 0.25))
items = st.lists(st.dictionaries(st.just("price"), values) | st.just(5), max_size=3) | st.just("none")
happenings = st.lists(
    st.fixed_dictionaries({}, optional={"total": values, "items": items}).map(
        lambda event: (
            event if isinstance(event.get("items", []), list) else {k: v for k, v in event.items() if k != "items"}
        )
    ),
    max_size=4,
)
demands = st.tuples(st.sampled_from(("gte", "lt", "eq", "ne")), st.integers(-9, 20)).map(lambda pair: dict([pair]))
demands |= st.booleans().map(lambda flag: {"exists": flag})
asked_totals = st.dictionaries(
    st.sampled_from(("sum", "avg", "min", "max")),
    st.dictionaries(st.sampled_from(("total", "items.*.price")), demands, min_size=1),
    min_size=1,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(happenings, min_size=1, max_size=6),
    st.lists(st.tuples(asked_totals, st.sampled_from(({}, {"gte": 0}, {"gte": 2}, {"lt": 2}))), min_size=1, max_size=5),
)
def test_totals_agree_with_plain_python(
    conn: Connection, people: list[list[Properties]], wanted: list[tuple[dict[str, Any], dict[str, int]]]
) -> None:
    questions = {
        str(n): condition(json.dumps({"did": {"event": "bought", **totals, **({"count": count} if count else {})}}))
        for n, (totals, count) in enumerate(wanted)
    }
    with conn.begin_nested() as nothing_stays:
        ids = [person(conn) for _ in people]
        rows = [
            {"contact_id": who, "source": "t", "message_id": "m", "type": "track", "name": "bought", "properties": event,
             "extra": {}, "occurred_at": NOW, "received_at": NOW, "starts": True}
            for who, events in zip(ids, people, strict=True) for event in events
        ]  # fmt: skip
        if rows:
            conn.execute(insert(tables.event), rows)
        answers = verdicts(conn, questions, [Subject(ix, who) for ix, who in enumerate(ids)], NOW, ZONE)
        members = {
            name: set(conn.scalars(members_select(Segment("s", asked)), {"now": NOW, **zone_values(conn, ZONE)}))
            for name, asked in questions.items()
        }
        nothing_stays.rollback()
    for n, (totals, count) in enumerate(wanted):
        for ix, events in enumerate(people):
            found = {w: {p: total(w, numbers(events, p)) for p in paths} for w, paths in totals.items()}
            often = meets(Decimal(len(events)), count or {"gte": 1})
            told = often and all(
                meets(found[w][p], demand) for w, paths in totals.items() for p, demand in paths.items()
            )
            answer, seen = answers[ix, str(n)]
            assert answer is told, (events, totals, count)
            assert (ids[ix] in members[str(n)]) is told, (events, totals, count)
            assert seen["count"] == len(events)
            assert {w: {p: round(Decimal(str(v)), 9) if v is not None else None for p, v in seen[w].items()} for w in totals} == {
                w: {p: round(v, 9) if v is not None else None for p, v in paths.items()} for w, paths in found.items()
            }  # fmt: skip


def test_totals_count_only_events_of_the_window_that_pass_the_where(conn: Connection) -> None:
    somebody = person(conn, {"city": "Jakarta"})
    for price, shop in ((100, "a"), (50, "b"), (7, "a")):
        did(conn, somebody, "bought", total=price, shop=shop)
    question = "did: {event: bought, within: 30d, where: {event.shop: A, contact.city: jakarta}, sum: {total: 107}}"
    assert ask(conn, somebody, question) == (True, {"count": 2, "sum": {"total": 107}})


def test_nobody_who_did_nothing_has_a_sum_unless_none_is_asked_for(conn: Connection) -> None:
    somebody = person(conn)
    assert not holds(conn, somebody, "did: {event: bought, sum: {total: {lt: 100}}}")
    assert holds(conn, somebody, "did: {event: bought, count: {gte: 0}, sum: {total: {lt: 100}}}")
    assert not holds(conn, somebody, "did: {event: bought, count: {gte: 0}, avg: {total: {lt: 100}}}")
