"""Events that exits, goals and `wait_for` look for, joined to the people they belong to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Text, func, literal, null, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

from engine import tables
from engine.audience.event_match import EventMatch, read_key
from engine.audience.sql.event_match import matching
from engine.audience.sql.scope import Scope, Zones
from tests.conditions import condition
from tests.integration.audience.people import NOW, did, person

HOUR = timedelta(hours=1)


def found(
    conn: Connection,
    match: EventMatch,
    contact_id: int,
    *,
    since: Any = NOW - HOUR,
    until: Any = None,
    excluding: Any = None,
    key: str | None = None,
    entered: Any = None,
) -> list[int]:
    contact = tables.contact.alias()
    instant = TIMESTAMP(timezone=True)
    scope = Scope(
        contact=contact,
        now=literal(NOW, instant),
        zones=Zones(literal("UTC", Text), literal([], ARRAY(Text))),
        entered=func.to_jsonb(literal(entered, JSONB), type_=JSONB),
        key=literal(key, Text) if key is not None else None,
    )
    rows = matching(
        match,
        scope,
        since=literal(since, instant),
        until=None if until is None else literal(until, instant),
        excluding=excluding,
    ).lateral("rows")
    query = select(rows.c.id).select_from(contact).join(rows, true()).where(contact.c.id == contact_id)
    return list(conn.execute(query).scalars())


def test_the_earliest_comes_first_then_the_lower_id(conn: Connection) -> None:
    ani, budi = person(conn), person(conn)
    late, first, second = (did(conn, ani, "bought", at) for at in (NOW, NOW - HOUR, NOW - HOUR))
    did(conn, ani, "seen")
    did(conn, budi, "bought")
    assert found(conn, EventMatch("bought"), ani) == [first, second, late]


def test_since_and_until_include_their_instants_and_one_event_may_be_left_out(conn: Connection) -> None:
    ani = person(conn)
    ids = [did(conn, ani, "bought", NOW + n * HOUR) for n in range(-2, 3)]
    assert found(conn, EventMatch("bought"), ani, since=NOW - HOUR, until=NOW + HOUR) == ids[1:4]
    assert found(conn, EventMatch("bought"), ani, since=NOW, excluding=literal(ids[2])) == ids[3:]
    assert found(conn, EventMatch("bought"), ani, since=NOW, excluding=null()) == ids[2:]


def test_where_speaks_of_the_tested_event_and_of_the_one_that_entered(conn: Connection) -> None:
    ani = person(conn)
    small, big = did(conn, ani, "bought", total=5), did(conn, ani, "bought", total=50)
    where = condition("{event.total: {gte: 10}, entered.shop: a}", tested=True)
    assert found(conn, EventMatch("bought", where), ani, entered={"shop": "A"}) == [big]
    assert found(conn, EventMatch("bought", where), ani, entered={"shop": "b"}) == []
    assert found(conn, EventMatch("bought"), ani) == [small, big]


def test_a_key_matches_exactly_what_read_key_reads(conn: Connection) -> None:
    match = EventMatch("bought", key=("cart", "id"))
    for value in ("C1", "c1", "", 12, 12.0, 1.5, 1e21, True, None, ["C1"], {"a": 1}):
        ani = person(conn)
        event = did(conn, ani, "bought", cart={"id": value})
        key = read_key(("cart", "id"), {"cart": {"id": value}})
        assert found(conn, match, ani, key="C1") == ([event] if value == "C1" else [])
        assert key is None or found(conn, match, ani, key=key) == [event]


def test_a_key_without_a_key_to_compare_with_is_an_error_of_the_caller(conn: Connection) -> None:
    with pytest.raises(ValueError, match="the scope has no key"):
        found(conn, EventMatch("bought", key=("cart",)), person(conn))
