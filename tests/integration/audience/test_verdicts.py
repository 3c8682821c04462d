"""Many questions about many people in one query."""

from __future__ import annotations

from sqlalchemy import Connection, event

from engine.store.verdicts import Subject, verdicts
from tests.conditions import condition
from tests.integration.audience.people import NOW, ZONE, did, person


def test_each_subject_is_asked_in_its_own_situation(conn: Connection) -> None:
    ani, budi = person(conn, {"city": "Jakarta"}), person(conn)
    did(conn, budi, "seen")
    questions = {
        "city": condition("contact.city: Jakarta"),
        "n": condition("event.n: 1"),
        "did": condition("did: {event: seen}"),
    }
    subjects = [Subject(7, ani, {"n": 1}), Subject(8, ani, {"n": 2}), Subject(9, budi), Subject(10, 999_999)]
    assert verdicts(conn, questions, subjects, NOW, ZONE) == {
        (7, "city"): (True, "Jakarta"),
        (7, "n"): (True, 1),
        (7, "did"): (False, {"count": 0}),
        (8, "city"): (True, "Jakarta"),
        (8, "n"): (False, 2),
        (8, "did"): (False, {"count": 0}),
        (9, "city"): (False, None),
        (9, "n"): (False, None),
        (9, "did"): (True, {"count": 1}),
    }


def test_all_questions_go_in_one_statement_up_to_twenty_five(conn: Connection) -> None:
    statements: list[str] = []
    event.listen(conn, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    subjects = [Subject(ix, person(conn, {"n": ix})) for ix in range(3)]
    statements.clear()
    questions = {str(n): condition(f"contact.n: {{gte: {n}}}") for n in range(26)}
    answers = verdicts(conn, questions, subjects, NOW, ZONE)
    assert [[n for n in range(26) if answers[ix, str(n)][0]] for ix in range(3)] == [[0], [0, 1], [0, 1, 2]]
    assert len(statements) == 2


def test_nobody_and_nothing_asked_cost_no_statement(conn: Connection) -> None:
    assert verdicts(conn, {}, [Subject(1, 1)], NOW, ZONE) == {}
    assert verdicts(conn, {"q": condition("contact.x: 1")}, [], NOW, ZONE) == {}
