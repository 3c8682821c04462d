"""Two contacts become one: everything moves, and of two enrollments in one place the older stays."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import text

from engine.consent.token import UnsubscribeClaims
from engine.run.feedback import unsubscribe
from engine.store.merge import MOVED
from engine.tables import metadata
from tests.integration.edge.shop import Shop
from tests.integration.run.town import Town


def _two(shop: Shop) -> tuple[int, int]:
    """A visitor with a history, and the user that the visitor turns out to be."""
    shop.take(shop.message("identify", anonymousId="visitor", traits={"city": "Bogor"}), shop.identify("ani"))
    return shop.value("SELECT contact_id FROM identity WHERE value = 'visitor'"), shop.contact("ani").id


def _sign_in(shop: Shop) -> None:
    shop.take(shop.message("identify", userId="ani", anonymousId="visitor", traits={}))


def _enroll(shop: Shop, contact_id: int, *, hours_ago: int, key: str = "", state: str = "active") -> int:
    shop.execute(
        "INSERT INTO journey_version (journey, hash, source, created_at) VALUES ('welcome', 'h', '', :now) ON CONFLICT DO NOTHING",
        now=shop.now,
    )
    at = shop.now - timedelta(hours=hours_ago)
    with shop.engine.begin() as conn:
        number: int = conn.execute(
            text("""
                INSERT INTO enrollment (journey, version_id, contact_id, key, state, step, visit, entered_at, enrolled_at, arrived_at)
                SELECT 'welcome', id, :contact, :key, :state, 's1', 1, :at, :at, :at FROM journey_version RETURNING id
            """),
            {"contact": contact_id, "key": key, "state": state, "at": at},
        ).scalar_one()
        conn.execute(
            text(
                "INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit) VALUES (:c, :e, 'welcome', 'timer', :at, 1)"
            ),
            {"c": contact_id, "e": number, "at": at + timedelta(days=9)},
        )
    return number


def _enrollment(shop: Shop, number: int) -> Any:
    (row,) = shop.rows("SELECT * FROM enrollment WHERE id = :id", id=number)
    return row


def test_no_table_of_contacts_is_forgotten() -> None:
    of_contacts = {table.name for table in metadata.sorted_tables if "contact_id" in table.c}
    assert of_contacts == {*MOVED, "segment_member", "occurrence", "assignment", "score"}


def test_of_two_active_enrollments_the_older_stays_and_the_other_exits_merged(shop: Shop) -> None:
    visitor, ani = _two(shop)
    older, younger = _enroll(shop, visitor, hours_ago=5), _enroll(shop, ani, hours_ago=2)
    _sign_in(shop)
    stays, ended = _enrollment(shop, older), _enrollment(shop, younger)
    assert (stays.contact_id, stays.state, stays.step) == (ani, "active", "s1")
    assert (ended.contact_id, ended.state, ended.reason, ended.step, ended.ended_at) == (
        ani,
        "ended",
        "merged",
        None,
        shop.now,
    )
    assert [row.enrollment_id for row in shop.rows("SELECT enrollment_id FROM signal WHERE kind = 'timer'")] == [older]
    (trace,) = shop.rows("SELECT * FROM trace")
    assert (trace.enrollment_id, trace.contact_id, trace.data["signal"]) == (younger, ani, "merge")


def test_the_end_of_the_younger_one_starts_journeys_that_wait_for_it_with_what_was_its_event(shop: Shop) -> None:
    town = Town(shop.engine, shop.now)
    town.apply(
        "journey: cart\ntopic: offers\ntrigger: {event: cart_updated}\nsteps: [{wait: 1d}]",
        "journey: any_end\ntopic: offers\ntrigger: {finished: cart}\nsteps: [{wait: 1d}]",
        "journey: merged\ntopic: offers\ntrigger: {finished: cart, reason: merged}\nsteps: [{wait: 1d}]",
        "journey: bought\ntopic: offers\ntrigger: {finished: cart, reason: completed}\nsteps: [{wait: 1d}]",
    )
    visitor, ani = _two(shop)
    for who, cart in ((visitor, "old"), (ani, "new")):
        town.does(who, "cart_updated", cart_id=cart)
        town.later(hours=1)
        town.settle()
    shop.now = town.now
    _sign_in(shop)
    town.settle()
    passages = town.enrollments("journey", "contact_id", "state", "reason", "event")
    assert sorted(row for row in passages if row[0] != "cart") == [
        ("any_end", ani, "active", None, {"cart_id": "new"}),
        ("merged", ani, "active", None, {"cart_id": "new"}),
    ]
    assert [row[1:4] for row in passages if row[0] == "cart"] == [(ani, "active", None), (ani, "ended", "merged")]


def test_enrollments_under_different_keys_and_ended_ones_all_move(shop: Shop) -> None:
    visitor, ani = _two(shop)
    numbers = [
        _enroll(shop, visitor, hours_ago=5, key="cart-1"),
        _enroll(shop, ani, hours_ago=4, key="cart-2"),
        _enroll(shop, visitor, hours_ago=3, key="cart-2", state="ended"),
    ]
    _sign_in(shop)
    assert [_enrollment(shop, n).contact_id for n in numbers] == [ani] * 3
    assert [_enrollment(shop, n).state for n in numbers] == ["active", "active", "ended"]


def test_memberships_and_consents_move_and_the_last_word_holds(shop: Shop) -> None:
    visitor, ani = _two(shop)
    shop.take(shop.identify("ani", consent=["offers"]))
    shop.take(shop.message("identify", anonymousId="visitor", traits={"consent": False}))
    for number, segment in ((visitor, "both"), (ani, "both"), (visitor, "one")):
        shop.execute(
            "INSERT INTO segment_member VALUES (:s, :c, :at)",
            s=segment,
            c=number,
            at=shop.now - timedelta(hours=number),
        )
    _sign_in(shop)
    assert not any(given for (topic, _), given in shop.holding().items() if topic == "offers")
    members = {row.segment: row for row in shop.rows("SELECT * FROM segment_member WHERE contact_id = :id", id=ani)}
    assert sorted(members) == ["both", "one"]
    assert members["both"].since == shop.now - timedelta(hours=max(visitor, ani))
    assert shop.value("SELECT count(*) FROM segment_member WHERE contact_id = :id", id=visitor) == 0


def test_the_survivor_gets_a_profile_signal_and_what_has_fired_for_the_other_has_fired_for_both(shop: Shop) -> None:
    visitor, ani = _two(shop)
    for who, fired in ((visitor, "2026-02-01"), (ani, "2025-02-01")):
        shop.execute("INSERT INTO occurrence (journey, contact_id, fired) VALUES ('birthday', :c, :f)", c=who, f=fired)
    shop.execute("DELETE FROM signal")
    _sign_in(shop)
    (signal,) = shop.rows("SELECT * FROM signal")
    assert (signal.kind, signal.contact_id, signal.data["changed"]) == ("profile", ani, ["city", "merged"])
    assert [tuple(row) for row in shop.rows("SELECT contact_id, fired FROM occurrence")] == [(ani, date(2026, 2, 1))]


def test_the_first_variant_of_an_experiment_and_the_survivors_own_score_hold(shop: Shop) -> None:
    visitor, ani = _two(shop)
    for who, variant, hours in ((visitor, "a", 5), (ani, "b", 2)):
        at = shop.now - timedelta(hours=hours)
        shop.execute("INSERT INTO assignment VALUES ('welcome', 'subject', :c, :v, 1, :at)", c=who, v=variant, at=at)
        shop.execute("INSERT INTO score (contact_id, nps, at) VALUES (:c, :n, :at)", c=who, n=hours, at=at)
    _sign_in(shop)
    assert [tuple(row) for row in shop.rows("SELECT contact_id, variant FROM assignment")] == [(ani, "a")]
    assert [tuple(row) for row in shop.rows("SELECT contact_id, nps FROM score")] == [(ani, 2)]


def test_a_link_in_mail_to_the_one_that_is_gone_unsubscribes_the_survivor(shop: Shop) -> None:
    visitor, ani = _two(shop)
    shop.take(shop.identify("ani", consent=["offers"]))
    _sign_in(shop)
    assert unsubscribe(shop.engine, UnsubscribeClaims(visitor, "offers", "email", 1), shop.now) == "done"
    assert shop.holding()["offers", "email"] is False
    assert {row.contact_id for row in shop.rows("SELECT contact_id FROM consent")} == {ani}
