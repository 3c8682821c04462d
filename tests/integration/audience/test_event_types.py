"""Properties of events compare as the type that config.yaml declares for them."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from engine.grammar import Declared
from tests.conditions import condition
from tests.integration.audience.people import NOW, did, holds, person

ORDER = {"total": "number", "day": "date", "paid_at": "datetime", "gift": "boolean", "code": "text", "skus": "list"}
DECLARED = Declared(events={"bought": ORDER})  # type: ignore[dict-item]  # a dict of literals

CASES = [
    ("{event.total: {gte: 49.90}}", {"total": "49.9"}, True),
    ("{event.total: {gte: 49.90}}", {"total": 49.9}, True),
    ("{event.total: {gt: 9}}", {"total": "10"}, True),  # as text it would be less
    ("{event.total: {gte: 0}}", {"total": "free"}, False),
    ("{event.total: {ne: 0}}", {"total": "free"}, True),
    ("{event.day: {gt: 2026-02-01}}", {"day": "2026-02-01T23:00:00"}, False),
    ("{event.day: {between: [2026-02-01, 2026-02-03]}}", {"day": "2026-02-03"}, True),
    ("{event.paid_at: {gte: 2026-02-01T09:00:00+07:00}}", {"paid_at": "2026-02-01T02:00:00Z"}, True),
    ("{event.paid_at: {lt: 2026-02-01T09:00:00+07:00}}", {"paid_at": "2026-02-01T02:00:00Z"}, False),
    ("{event.gift: true}", {"gift": "true"}, True),
    ("{event.code: 0123}", {"code": "0123"}, True),
    ("{event.code: 12}", {"code": 12}, True),
    ("{event.skus: lp_12}", {"skus": ["lp_11", "lp_12"]}, True),
    ("{event.note: 12}", {"note": "12"}, False),  # not declared: the type it came with
]


@pytest.mark.parametrize(("where", "properties", "does"), CASES)
def test_a_property_compares_as_its_declared_type(
    conn: Connection, where: str, properties: dict[str, object], does: bool
) -> None:
    somebody = person(conn)
    did(conn, somebody, "bought", NOW, **properties)
    tested = condition(f"did: {{event: bought, where: {where}}}", DECLARED)
    assert holds(conn, somebody, tested) is does
    began = condition(where, DECLARED, started_by="bought")
    assert holds(conn, somebody, began, event=properties) is does
    met = condition(where.replace("event.", "matched."), DECLARED, met={"bought"})
    assert holds(conn, somebody, met, matched=properties) is does


def test_totals_count_what_the_declaration_says_is_a_number(conn: Connection) -> None:
    somebody = person(conn)
    for total in (5, "7", "free"):
        did(conn, somebody, "bought", NOW, total=total)
    asked = "did: {event: bought, sum: {total: 12}, avg: {total: 6}, min: {total: 5}, max: {total: 7}}"
    assert holds(conn, somebody, condition(asked, DECLARED))
    assert holds(conn, somebody, condition("did: {event: bought, sum: {total: 5}}"))
