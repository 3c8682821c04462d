"""What a person did: windows, counts, where, and who else did it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from engine.store.verdicts import Subject, verdicts
from tests.conditions import condition
from tests.integration.audience.people import NOW, ZONE, ask, did, holds, member, person

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)


def test_did_looks_at_this_person_and_this_event_only(conn: Connection) -> None:
    ani, budi = person(conn), person(conn)
    did(conn, ani, "order_completed")
    did(conn, budi, "cart_updated")
    assert [holds(conn, who, "did: {event: order_completed}") for who in (ani, budi)] == [True, False]
    assert [holds(conn, who, "did_not: {event: order_completed}") for who in (ani, budi)] == [False, True]
    assert [holds(conn, who, "not: {did: {event: order_completed}}") for who in (ani, budi)] == [False, True]


def test_a_window_includes_both_its_ends_and_nothing_of_the_future(conn: Connection) -> None:
    counted = {30 * DAY: True, 30 * DAY + INSTANT: False, 0 * DAY: True, -INSTANT: False}
    for age, counts in counted.items():
        somebody = person(conn)
        did(conn, somebody, "seen", NOW - age)
        assert holds(conn, somebody, "did: {event: seen, within: 30d}") is counts
        assert holds(conn, somebody, "did_not: {event: seen, within: 30d}") is not counts


def test_without_a_window_everything_up_to_now_counts(conn: Connection) -> None:
    somebody = person(conn)
    did(conn, somebody, "seen", NOW - 5000 * DAY)
    did(conn, somebody, "seen", NOW + INSTANT)
    assert ask(conn, somebody, "did: {event: seen, count: 1}") == (True, {"count": 1})
    assert ask(conn, somebody, "did: {event: seen, count: 2}", NOW + INSTANT) == (True, {"count": 2})


def test_counts_are_compared_exactly(conn: Connection) -> None:
    holding = {
        "2": [2],
        "[0, 3]": [0, 3],
        "{ne: 2}": [0, 1, 3, 4],
        "{not_in: [0, 2]}": [1, 3, 4],
        "{gt: 0}": [1, 2, 3, 4],
        "{gt: 2}": [3, 4],
        "{gte: 0}": [0, 1, 2, 3, 4],
        "{gte: 1}": [1, 2, 3, 4],
        "{gte: 3}": [3, 4],
        "{lt: 1}": [0],
        "{lt: 3}": [0, 1, 2],
        "{lte: 0}": [0],
        "{lte: 1}": [0, 1],
        "{eq: 0}": [0],
        "{between: [1, 3]}": [1, 2, 3],
        "{gte: 1, lt: 3}": [1, 2],
    }
    people = {number: person(conn) for number in range(5)}
    for number, somebody in people.items():
        for _ in range(number):
            did(conn, somebody, "seen")
    questions = {count: condition(f"did: {{event: seen, count: {count}}}") for count in holding}
    answers = verdicts(conn, questions, [Subject(number, who) for number, who in people.items()], NOW, ZONE)
    assert {count: [n for n in people if answers[n, count][0]] for count in holding} == holding
    assert all(found == {"count": number} for (number, _), (_, found) in answers.items())


def test_where_tests_each_event_beside_the_one_that_started(conn: Connection) -> None:
    somebody = person(conn, {"city": "Jakarta"})
    did(conn, somebody, "order_completed", cart_id="c1", total=50)
    did(conn, somebody, "order_completed", cart_id="c2", total=90)
    question = "did: {event: order_completed, where: {event.total: {gte: 60}, contact.city: jakarta}}"
    assert ask(conn, somebody, question) == (True, {"count": 1})
    big = "did: {event: order_completed, where: {event.total: {gte: 60}, entered.cart: c9}}"
    assert holds(conn, somebody, big, event={"cart": "C9"})
    assert not holds(conn, somebody, big, event={"cart": "c2"})
    assert not holds(conn, somebody, big)


def test_in_a_tested_where_entered_stays_the_event_that_started(conn: Connection) -> None:
    somebody = person(conn)
    did(conn, somebody, "seen", page="a")
    question = condition("did: {event: seen, where: {entered.n: 1, event.page: a}}", tested=True)
    assert holds(conn, somebody, question, event={"n": 2}, entered={"n": 1})
    assert not holds(conn, somebody, question, event={"n": 1}, entered={"n": 2})


def test_did_may_stand_inside_where(conn: Connection) -> None:
    somebody = person(conn)
    did(conn, somebody, "seen", page="a")
    did(conn, somebody, "seen", page="b")
    inner = "did: {event: seen, where: {event.page: b, did_not: {event: bought}, in_segment: vip}}"
    assert not holds(conn, somebody, inner)
    member(conn, somebody, "vip")
    assert holds(conn, somebody, inner)
    did(conn, somebody, "bought")
    assert not holds(conn, somebody, inner)


def test_a_list_in_a_tested_event_is_looked_into(conn: Connection) -> None:
    somebody = person(conn)
    did(conn, somebody, "bought", items=[{"sku": "a"}, {"sku": "b"}], tags=["x"])
    assert holds(conn, somebody, "did: {event: bought, where: {event.items.*.sku: b, event.tags: {contains: X}}}")
    assert not holds(conn, somebody, "did: {event: bought, where: {event.items.*.sku: {ne: b}}}")


def test_in_segment_means_any_of_those_named(conn: Connection) -> None:
    ani, budi = person(conn), person(conn)
    member(conn, ani, "vip")
    member(conn, ani, "loyal")
    member(conn, budi, "new")
    assert ask(conn, ani, "in_segment: [vip, gold]") == (True, ["vip"])
    assert ask(conn, budi, "in_segment: [vip, gold]") == (False, [])
    assert ask(conn, budi, "not: {in_segment: vip}") == (True, [])


def test_a_group_finds_what_its_parts_found_however_many_they_are(conn: Connection) -> None:
    somebody = person(conn, {f"f{n}": n for n in range(120)})
    parts = ", ".join(f"{{contact.f{n}: {n}}}" for n in range(120))
    assert ask(conn, somebody, f"all: [{parts}]") == (True, list(range(120)))
    assert ask(conn, somebody, f"any: [{parts.replace(': ', ': 9')}]")[0] is False
