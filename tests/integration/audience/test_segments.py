"""Refreshing segments: who comes, who goes, and what is said about it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from engine import tables
from engine.store.segments import RefreshResult, members_select, refresh
from engine.store.zones import zone_values
from tests.conditions import segment
from tests.integration.audience.people import NOW, ZONE, did, person

DAY = timedelta(days=1)
BUYERS = segment("segment: buyers\nwhere: {did: {event: bought, within: 30d}}")


def members(conn: Connection, name: str = "buyers") -> set[int]:
    member = tables.segment_member
    return set(conn.execute(select(member.c.contact_id).where(member.c.segment == name)).scalars())


def changes(conn: Connection) -> list[tuple[int, bool, datetime]]:
    change = tables.membership_change
    return [
        tuple(row)
        for row in conn.execute(select(change.c.contact_id, change.c.entered, change.c.at).order_by(change.c.id))
    ]


def signals(conn: Connection) -> list[tuple[int, str, datetime, Any]]:
    signal = tables.signal
    columns = (signal.c.contact_id, signal.c.kind, signal.c.at, signal.c.data)
    return [tuple(row) for row in conn.execute(select(*columns).order_by(signal.c.id))]


def test_a_new_segment_is_filled_silently(conn: Connection) -> None:
    ani, _ = person(conn), person(conn)
    did(conn, ani, "bought")
    assert refresh(conn, BUYERS, "h1", NOW, ZONE) == RefreshResult(entered=1, left=0, silent=True)
    assert (members(conn), changes(conn), signals(conn)) == ({ani}, [], [])
    row = conn.execute(select(tables.segment)).one()
    assert (row.name, row.hash, row.filled_at, row.refreshed_at) == ("buyers", "h1", NOW, NOW)


def test_later_changes_are_recorded_once_and_wake_the_contact(conn: Connection) -> None:
    ani, budi = person(conn), person(conn)
    did(conn, ani, "bought", NOW - 29 * DAY)
    refresh(conn, BUYERS, "h1", NOW, ZONE)
    did(conn, budi, "bought", NOW + DAY)
    later = NOW + 2 * DAY
    assert refresh(conn, BUYERS, "h1", later, ZONE) == RefreshResult(entered=1, left=1, silent=False)
    assert refresh(conn, BUYERS, "h1", later, ZONE) == RefreshResult(entered=0, left=0, silent=False)
    assert members(conn) == {budi}
    assert sorted(changes(conn)) == [(ani, False, later), (budi, True, later)]
    assert sorted(signals(conn), key=lambda signal: signal[0]) == [
        (ani, "segment", later, {"segment": "buyers", "entered": False}),
        (budi, "segment", later, {"segment": "buyers", "entered": True}),
    ]


def test_an_edited_segment_is_filled_silently_again(conn: Connection) -> None:
    ani, budi = person(conn, {"city": "Jakarta"}), person(conn)
    did(conn, budi, "bought")
    refresh(conn, BUYERS, "h1", NOW, ZONE)
    edited = segment("segment: buyers\nwhere: {contact.city: Jakarta}")
    assert refresh(conn, edited, "h2", NOW, ZONE) == RefreshResult(entered=1, left=1, silent=True)
    assert (members(conn), changes(conn), signals(conn)) == ({ani}, [], [])


def test_a_segment_marked_as_unfilled_is_filled_silently(conn: Connection) -> None:
    ani = person(conn)
    refresh(conn, BUYERS, "h1", NOW, ZONE)
    conn.execute(update(tables.segment).values(filled_at=None))
    did(conn, ani, "bought")
    assert refresh(conn, BUYERS, "h1", NOW, ZONE).silent
    assert signals(conn) == []


def test_merged_and_erased_people_are_no_members_and_go_without_a_word(conn: Connection) -> None:
    ani, budi, citra = person(conn), person(conn), person(conn)
    for who in (ani, budi, citra):
        did(conn, who, "bought")
    refresh(conn, BUYERS, "h1", NOW, ZONE)
    contact = tables.contact
    conn.execute(update(contact).where(contact.c.id == budi).values(merged_into=ani))
    conn.execute(update(contact).where(contact.c.id == citra).values(erased_at=NOW))
    assert refresh(conn, BUYERS, "h1", NOW, ZONE) == RefreshResult(entered=0, left=2, silent=False)
    assert (members(conn), changes(conn), signals(conn)) == ({ani}, [], [])


def test_an_earlier_now_than_the_last_refresh_changes_nothing(conn: Connection) -> None:
    ani = person(conn)
    did(conn, ani, "bought", NOW)
    refresh(conn, BUYERS, "h1", NOW, ZONE)
    assert refresh(conn, BUYERS, "h1", NOW - DAY, ZONE) == RefreshResult(entered=0, left=0, silent=False)
    assert members(conn) == {ani}


def test_a_segment_may_lean_on_another_and_on_nobody_being_in_it(conn: Connection) -> None:
    ani, budi = person(conn), person(conn)
    did(conn, ani, "bought")
    others = segment("segment: others\nwhere: {not: {in_segment: buyers}}")
    refresh(conn, BUYERS, "h1", NOW, ZONE)
    refresh(conn, others, "h1", NOW, ZONE)
    assert members(conn, "others") == {budi}
    conn.execute(delete(tables.segment_member))
    assert set(conn.execute(members_select(others), {"now": NOW, **zone_values(conn, ZONE)}).scalars()) == {ani, budi}


def test_refreshes_at_once_record_each_change_once(database: Engine) -> None:
    with database.begin() as conn:
        people = {person(conn) for _ in range(50)}
        refresh(conn, BUYERS, "h1", NOW, ZONE)
        for who in people:
            did(conn, who, "bought")

    results: list[RefreshResult] = []
    together = threading.Barrier(5)

    def once(seconds: int) -> None:
        with database.begin() as conn:
            together.wait(10)
            results.append(refresh(conn, BUYERS, "h1", NOW + timedelta(seconds=seconds), ZONE))

    threads = [threading.Thread(target=once, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(result.entered for result in results) == [0, 0, 0, 0, 50]
    with database.connect() as conn:
        assert members(conn) == people
        assert len(changes(conn)) == len(signals(conn)) == 50


def test_odd_values_in_a_segment_are_data(conn: Connection) -> None:
    for value in ("'; drop table contact; --", "%s", "{a}", ":x"):
        odd = segment(f'segment: odd\nwhere: {{contact.note: "{value}"}}')
        ani = person(conn, {"note": value})
        refresh(conn, odd, value, NOW, ZONE)
        assert members(conn, "odd") == {ani}


def test_a_refresh_takes_seconds_even_if_the_statistics_know_nothing_of_the_segment(conn: Connection) -> None:
    first = person(conn)
    conn.execute(insert(tables.segment_member).values(segment="old", contact_id=first, since=NOW))
    many = text(
        'INSERT INTO contact (traits, created_at, updated_at) SELECT \'{"city": "Jakarta"}\', :now, :now FROM generate_series(1, 15000)'
    )
    conn.execute(many, {"now": NOW})
    conn.execute(text("ANALYZE segment_member, contact"))  # "old" is all it sees: of any other one it expects one row
    city = segment("segment: city\nwhere: {contact.city: Jakarta}")
    leaning = segment("segment: leaning\nwhere: {in_segment: city}")
    conn.execute(text("SET LOCAL statement_timeout = '8s'"))  # a second is plenty; comparing each with each takes 50
    for at in (NOW, NOW + DAY):
        for one in (city, leaning):
            refresh(conn, one, "h", at, ZONE)
    assert len(members(conn, "leaning")) == 15000
