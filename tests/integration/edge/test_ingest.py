"""Messages are taken in: once each, whole or with a reason, whoever else is writing."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from engine.run.incoming import Incoming
from engine.run.ingest import IngestResult, ingest
from tests.integration.edge.shop import Shop


def test_an_event_is_stored_under_its_folded_name_with_a_signal(shop: Shop) -> None:
    assert shop.take(shop.track("Order Completed", properties={"total": 5})) == IngestResult(stored=1)
    (event,) = shop.rows("SELECT * FROM event")
    assert (event.name, event.type, event.source, event.properties) == (
        "order_completed",
        "track",
        "shop",
        {"total": 5},
    )
    assert (event.contact_id, event.starts, event.received_at) == (shop.contact().id, True, shop.now)
    (signal,) = shop.rows("SELECT * FROM signal WHERE kind = 'event'")
    assert (signal.contact_id, signal.event_id, signal.at) == (event.contact_id, event.id, shop.now)


def test_a_message_is_stored_once_however_often_it_comes(shop: Shop) -> None:
    message = shop.track("x")
    assert shop.take(message, message) == IngestResult(stored=1, repeated=1)
    assert shop.take(message) == IngestResult(repeated=1)
    assert shop.value("SELECT count(*) FROM event") == 1
    assert shop.value("SELECT count(*) FROM signal WHERE kind = 'event'") == 1


def test_the_same_id_from_another_source_is_another_message(shop: Shop) -> None:
    message = shop.track("x")
    shop.take(message)
    assert shop.take(message, source="site").stored == 1


def test_a_message_without_an_id_is_given_one(shop: Shop) -> None:
    message = {"type": "track", "userId": "ani", "event": "x"}
    assert shop.take(message, message) == IngestResult(stored=2)
    assert shop.value("SELECT count(DISTINCT message_id) FROM event") == 2


def test_T11_a_bad_timestamp_becomes_a_dead_letter_and_the_rest_of_the_batch_is_kept(shop: Shop) -> None:
    naive, far, thirteenth = (
        shop.track("x", timestamp=t) for t in ("2026-03-01T09:00:00", "9999-01-01T00:00:00Z", "2026-13-01")
    )
    assert shop.take(shop.track("x"), naive, far, thirteenth, shop.track("x")) == IngestResult(stored=2, dead=3)
    letters = shop.rows("SELECT * FROM dead_letter ORDER BY id")
    assert all(letter.reason.startswith("timestamp: ") for letter in letters)
    assert [letter.payload for letter in letters] == [naive, far, thirteenth]
    assert {(letter.source, letter.received_at) for letter in letters} == {("shop", shop.now)}


def test_a_mended_message_may_use_the_id_of_its_dead_letter(shop: Shop) -> None:
    bad = shop.track("x", timestamp="2026-13-01")
    shop.take(bad)
    assert shop.take({**bad, "timestamp": "2026-02-01T00:00:00Z"}) == IngestResult(stored=1)


def test_what_the_database_cannot_hold_takes_no_other_message_down(shop: Shop) -> None:
    endless = "".join(random.Random(1).choices("0123456789abcdef", k=20_000))  # too long for an index of PostgreSQL
    messages = [Incoming(shop.track("x"), source) for source in ("shop", endless, "shop", "shop")]
    assert ingest(shop.engine, shop.config, messages, shop.now) == IngestResult(stored=3, dead=1)
    assert shop.value("SELECT reason FROM dead_letter").startswith("message: the database can't hold it")


def test_an_event_of_the_future_gives_its_signal_when_it_is_due(shop: Shop) -> None:
    shop.take(shop.track("x", timestamp=(shop.now + timedelta(days=2)).isoformat()))
    assert shop.value("SELECT at FROM signal WHERE kind = 'event'") == shop.now + timedelta(days=2)


def test_an_event_of_the_past_is_due_on_arrival(shop: Shop) -> None:
    shop.take(shop.track("x", timestamp="1998-06-30T10:00:00Z"), starts=False)
    assert shop.value("SELECT at FROM signal WHERE kind = 'event'") == shop.now
    assert shop.value("SELECT starts FROM event") is False


def test_identify_writes_traits_and_null_removes_one(shop: Shop) -> None:
    shop.take(
        shop.identify(firstName="Ani", city="Bogor", email="Ani@Example.com", timezone="Asia/Jakarta", locale="id-ID")
    )
    shop.take(shop.identify(city=None, tags=["vip"]))
    ani = shop.contact()
    assert ani.traits == {"first_name": "Ani", "tags": ["vip"]}
    assert (ani.email, ani.timezone, ani.locale) == ("Ani@example.com", "Asia/Jakarta", "id")


def test_a_profile_signal_is_given_only_when_something_changed(shop: Shop) -> None:
    shop.take(shop.identify(city="Bogor"))
    assert shop.value("SELECT count(*) FROM signal WHERE kind = 'profile'") == 1
    shop.take(shop.identify(city="Bogor"), shop.track("x"))
    assert shop.value("SELECT count(*) FROM signal WHERE kind = 'profile'") == 1
    shop.later(hours=1)
    shop.take(shop.identify(city="Bandung", age=30))
    last = shop.rows("SELECT * FROM signal WHERE kind = 'profile' ORDER BY id")[-1]
    assert (last.at, last.data) == (shop.now, {"changed": ["city", "age"]})


def test_an_unreal_zone_is_kept_and_the_contact_has_none(shop: Shop) -> None:
    shop.take(shop.identify(timezone="WIB"))
    assert (shop.contact().timezone, shop.contact().traits) == (None, {"timezone": "WIB"})


def test_the_context_of_any_message_fills_zone_and_locale(shop: Shop) -> None:
    shop.take(shop.track("x", context={"locale": "en-US", "timezone": "Asia/Makassar", "ip": "10.0.0.1"}))
    assert (shop.contact().timezone, shop.contact().locale) == ("Asia/Makassar", "en")
    assert shop.value("SELECT extra FROM event")["context"]["ip"] == "10.0.0.1"


def test_a_server_gives_consent_with_its_proof(shop: Shop) -> None:
    message = {
        **shop.identify(consent={"offers": ["email"]}, consent_wording="Yes"),
        "timestamp": "2026-02-01T00:00:00Z",
    }
    shop.take(message)
    (row,) = shop.rows("SELECT * FROM consent")
    assert (row.topic, row.channel, row.given, row.source, row.wording) == ("offers", "email", True, "shop", "Yes")
    assert (row.message_id, row.at.isoformat()) == (message["messageId"], "2026-02-01T00:00:00+00:00")


def test_consent_said_again_is_one_row_and_false_takes_it_away(shop: Shop) -> None:
    shop.take(shop.identify(consent=["offers"]), shop.identify(consent=["offers"]))
    assert shop.value("SELECT count(*) FROM consent") == 3
    shop.take(shop.identify(consent={"offers": False}))
    assert set(shop.holding().values()) == {False}


def test_a_browser_key_gives_no_consent_and_leaves_a_note(shop: Shop) -> None:
    result = shop.take(shop.identify(consent=["offers"], city="Bogor"), source="site", server=False)
    assert result == IngestResult(stored=1, dead=1)
    assert shop.contact().traits == {"city": "Bogor"}
    assert shop.value("SELECT count(*) FROM consent") == 0
    assert shop.value("SELECT reason FROM dead_letter").startswith("traits.consent: ")


def test_a_browser_key_may_not_make_one_of_two_users(shop: Shop) -> None:
    shop.take(shop.identify("ani"), shop.identify("budi"))
    alias = shop.message("alias", userId="ani", previousId="budi")
    assert shop.take(alias, server=False) == IngestResult(stored=0, dead=1)
    assert shop.value("SELECT count(*) FROM contact WHERE merged_into IS NOT NULL") == 0
    assert shop.value("SELECT reason FROM dead_letter").startswith("previousId: ")


def test_two_users_with_one_address_stay_two_contacts(shop: Shop) -> None:
    shop.take(shop.identify("ani", email="both@example.com"))
    shop.take(shop.identify("budi", email="Both@example.com"))
    assert [row.email for row in shop.rows("SELECT email FROM contact ORDER BY id")] == [
        "both@example.com",
        "Both@example.com",
    ]
    owner = shop.value("SELECT contact_id FROM identity WHERE kind = 'email' AND value = 'both@example.com'")
    assert owner == shop.contact("ani").id


def test_a_changed_address_can_be_taken_by_somebody_else(shop: Shop) -> None:
    shop.take(shop.identify("ani", email="a@example.com"))
    shop.take(shop.identify("ani", email="b@example.com"))
    shop.take(shop.identify("budi", email="a@example.com"))
    owners = dict(map(tuple, shop.rows("SELECT value, contact_id FROM identity WHERE kind = 'email'")))
    assert owners == {"a@example.com": shop.contact("budi").id, "b@example.com": shop.contact("ani").id}


def test_a_visitor_who_signs_in_takes_everything_along(shop: Shop) -> None:
    visit = shop.message("page", anonymousId="visitor", name="Home")
    shop.take(shop.identify("ani"), visit, shop.message("identify", anonymousId="visitor", traits={"city": "Bogor"}))
    shop.take(shop.track("x", anonymousId="visitor"))
    ani = shop.contact()
    assert ani.traits == {"city": "Bogor"}
    assert shop.value("SELECT count(*) FROM event WHERE contact_id = :id", id=ani.id) == 2
    assert shop.value("SELECT count(*) FROM signal WHERE contact_id <> :id", id=ani.id) == 0
    assert shop.value("SELECT contact_id FROM identity WHERE value = 'visitor'") == ani.id
    (gone,) = shop.rows("SELECT * FROM contact WHERE merged_into IS NOT NULL")
    assert (gone.merged_into, gone.traits) == (ani.id, {})


def test_a_batch_is_understood_in_its_order(shop: Shop) -> None:
    shop.take(
        shop.message("page", anonymousId="visitor"),
        shop.message("identify", userId="ani", anonymousId="visitor", traits={"city": "Bogor"}),
        shop.identify("ani", city="Bandung"),
        shop.message("alias", previousId="ani", userId="ani-2"),
        shop.track("x", "ani"),
    )
    ani = shop.contact("ani-2")
    assert shop.value("SELECT count(*) FROM contact") == 1
    assert ani.traits == {"city": "Bandung"}
    assert shop.value("SELECT count(*) FROM event WHERE contact_id = :id", id=ani.id) == 2


def test_more_messages_than_one_transaction_holds_are_all_stored(shop: Shop) -> None:
    assert shop.take(*(shop.track("x", f"u{n % 7}") for n in range(2500))) == IngestResult(stored=2500)
    assert shop.value("SELECT count(*) FROM contact") == 7


def test_parallel_batches_of_the_same_people_neither_lock_up_nor_double_anybody(shop: Shop) -> None:
    def batch(seed: int) -> list[dict[str, Any]]:
        draw = random.Random(seed)
        messages: list[dict[str, Any]] = []
        for n in range(40):
            user, visitor = f"u{draw.randrange(12)}", f"v{draw.randrange(12)}"
            ids = draw.choice([{"userId": user}, {"anonymousId": visitor}, {"userId": user, "anonymousId": visitor}])
            traits = {"email": f"{user}@example.com", "n": n}
            kinds: list[dict[str, Any]] = [{"type": "track", "event": "x"}, {"type": "identify", "traits": traits}]
            more = draw.choice(kinds)
            messages.append({**ids, **more, "messageId": f"{seed}-{n}"})
        return messages

    batches = [batch(seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda messages: shop.take(*messages), batches))
    assert sum(result.stored for result in results) == 24 * 40
    named = shop.rows("SELECT value, contact_id FROM identity WHERE kind = 'user_id'")
    assert len(named) == len({row.contact_id for row in named}) == 12
    tracks = sum(message["type"] == "track" for messages in batches for message in messages)
    assert shop.value("SELECT count(*) FROM event") == tracks
    orphans = "SELECT count(*) FROM {} x JOIN contact c ON c.id = x.contact_id WHERE c.merged_into IS NOT NULL"
    assert [shop.value(orphans.format(table)) for table in ("event", "signal", "identity")] == [0, 0, 0]
    nobody = "SELECT count(*) FROM contact c WHERE merged_into IS NULL AND NOT EXISTS (SELECT FROM identity WHERE contact_id = c.id)"
    assert shop.value(nobody) == 0
