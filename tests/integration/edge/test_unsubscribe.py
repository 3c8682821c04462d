"""The unsubscribe link: looking changes nothing, the button and the one-click POST hold, and nobody is told too early."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import text

from engine.consent.token import UnsubscribeClaims, sign
from tests.integration.edge.shop import SECRETS, Shop

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NEW, OLD = SECRETS["NEW_SECRET"], SECRETS["OLD_SECRET"]


@pytest.fixture
def link(shop: Shop, site: str) -> str:
    """The link in a mail about offers to Ani, who wants offers and news."""
    shop.take(shop.identify("ani", email="Ani@example.com", consent=["offers", "news"], locale="id"))
    shop.later(days=1)
    return f"{site}/u/{_token(shop)}"


def _token(shop: Shop, key: str = NEW, **claims: Any) -> str:
    values = {"contact_id": shop.contact("ani").id, "topic": "offers", "channel": "email", "send_id": 7, **claims}
    return sign(UnsubscribeClaims(**values), [key])


def _outs(shop: Shop) -> list[tuple[str, str, str]]:
    rows = shop.rows("SELECT topic, channel, source FROM consent WHERE NOT given ORDER BY id")
    return [tuple(row) for row in rows]


def test_looking_a_hundred_times_changes_nothing(shop: Shop, link: str) -> None:
    before = shop.rows(
        "SELECT (SELECT count(*) FROM consent), (SELECT count(*) FROM suppression), (SELECT max(updated_at) FROM contact)"
    )
    for _ in range(50):
        assert requests.get(link, timeout=10).status_code == 200
        assert requests.head(link, timeout=10).status_code == 200
    after = shop.rows(
        "SELECT (SELECT count(*) FROM consent), (SELECT count(*) FROM suppression), (SELECT max(updated_at) FROM contact)"
    )
    assert after == before


def test_the_page_has_one_button_in_the_contacts_language(link: str) -> None:
    page = requests.get(link, timeout=10)
    assert page.text.count("<button") == page.text.count("<form") == 1
    assert '<html lang="id">' in page.text
    assert "Berhenti berlangganan" in page.text
    assert "Penawaran &amp; promo" in page.text
    assert "Toko &lt;Alur&gt;" in page.text
    assert "A•••@example.com" in page.text
    assert "Ani@example.com" not in page.text


def test_the_page_speaks_english_to_an_english_contact(shop: Shop, link: str) -> None:
    shop.take(shop.identify("ani", locale="en-GB"))
    assert "Offers &amp; deals" in requests.get(link, timeout=10).text


def test_the_page_runs_nothing_sets_nothing_and_is_kept_nowhere(link: str) -> None:
    page = requests.get(link, timeout=10)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in page.headers
    assert "<script" not in page.text


def test_one_click_urlencoded_is_answered_200_without_redirect_or_cookie(shop: Shop, link: str) -> None:
    answer = requests.post(link, data=ONE_CLICK, headers=FORM, allow_redirects=False, timeout=10)
    assert answer.status_code == 200
    assert len(answer.text) < 100
    assert "Set-Cookie" not in answer.headers
    assert _outs(shop) == [("offers", "email", "one_click")]
    assert shop.value("SELECT at FROM consent WHERE NOT given") == shop.now
    assert shop.holding()["news", "email"] is True


def test_one_click_as_multipart_works_too(shop: Shop, link: str) -> None:
    answer = requests.post(link, files={"List-Unsubscribe": (None, "One-Click")}, allow_redirects=False, timeout=10)
    assert answer.status_code == 200
    assert _outs(shop) == [("offers", "email", "one_click")]


OTHER_BODIES: list[tuple[Any, dict[str, str]]] = [
    ("", FORM),
    ("", {}),
    ("List-Unsubscribe=Two-Clicks", FORM),
    ("list-unsubscribe", FORM),
    ("action=subscribe", FORM),
    ("action=", FORM),
    ('{"List-Unsubscribe": "One-Click"}', {"Content-Type": "application/json"}),
    ("--x\r\n\r\nbroken", {"Content-Type": "multipart/form-data; boundary=x"}),
    ("x", {"Content-Type": "multipart/form-data"}),
    ("a=" + "x" * 20_000, FORM),
    (b"\xff\xfe=\x00", FORM),
    ("&".join(["a=1"] * 100), FORM),
]


def test_an_empty_or_other_body_gets_400_and_changes_nothing(shop: Shop, link: str) -> None:
    for body, headers in OTHER_BODIES:
        assert requests.post(link, data=body, headers=headers, timeout=10).status_code == 400, body
    assert _outs(shop) == []


def test_the_same_post_twenty_times_at_once_is_one_consent_row(shop: Shop, link: str) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: requests.post(link, data=ONE_CLICK, headers=FORM, timeout=20), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(_outs(shop)) == 1


def test_the_button_unsubscribes_and_offers_to_stop_everything(shop: Shop, link: str) -> None:
    answer = requests.post(link, data={"action": "unsubscribe"}, timeout=10)
    assert answer.status_code == 200
    assert "Anda telah berhenti berlangganan" in answer.text
    assert 'value="unsubscribe_all"' in answer.text
    assert _outs(shop) == [("offers", "email", "unsubscribe_link")]
    assert shop.value("SELECT count(*) FROM suppression") == 0


@pytest.mark.parametrize("form", [{"action": "unsubscribe_all"}, {"action": "unsubscribe", "everything": "yes"}])
def test_from_everything_also_suppresses_the_address_for_marketing(shop: Shop, link: str, form: dict[str, str]) -> None:
    answer = requests.post(link, data=form, timeout=10)
    assert answer.status_code == 200
    assert "<button" not in answer.text
    assert _outs(shop) == [("offers", "email", "unsubscribe_link")]
    (row,) = shop.rows("SELECT * FROM suppression")
    assert (row.channel, row.address, row.scope, row.reason) == ("email", "ani@example.com", "marketing", "unsubscribe")


def test_everything_reaches_the_address_the_mail_went_to_as_well(shop: Shop, link: str) -> None:
    shop.execute("""
        INSERT INTO send (id, enrollment_id, step, round, visit, contact_id, journey, version_id, kind, template, via, priority,
                          planned_at, due_at, next_at, state, channel, address)
        OVERRIDING SYSTEM VALUE
        SELECT 7, 1, 's', 1, 1, id, 'j', 1, 'marketing', 't', '{email}', 50, :at, :at, :at, 'accepted', 'email', 'Old@example.com'
        FROM contact
    """, at=shop.now)  # fmt: skip
    requests.post(link, data={"action": "unsubscribe_all"}, timeout=10)
    addresses = [row.address for row in shop.rows("SELECT address FROM suppression ORDER BY address")]
    assert addresses == ["ani@example.com", "old@example.com"]


def test_a_token_of_the_previous_key_works(shop: Shop, site: str, link: str) -> None:
    answer = requests.post(f"{site}/u/{_token(shop, OLD)}", data=ONE_CLICK, headers=FORM, timeout=10)
    assert answer.status_code == 200
    assert len(_outs(shop)) == 1


@pytest.mark.parametrize("act", [requests.get, requests.post])
def test_a_token_that_is_not_ours_gets_404_and_no_detail(shop: Shop, site: str, link: str, act: Any) -> None:
    forged = [_token(shop, "x" * 40), _token(shop)[:-1], "abc", "a" * 500]
    answers = [act(f"{site}/u/{token}", data=ONE_CLICK, headers=FORM, timeout=10) for token in forged]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert _outs(shop) == []


def test_a_contact_that_is_erased_gets_a_page_like_any_other(shop: Shop, link: str) -> None:
    shop.execute("UPDATE contact SET erased_at = :at, email = NULL, user_id = NULL", at=shop.now)
    assert requests.post(link, data=ONE_CLICK, headers=FORM, timeout=10).status_code == 200
    assert requests.post(link, data={"action": "unsubscribe"}, timeout=10).status_code == 200
    assert requests.get(link, timeout=10).status_code == 200
    assert _outs(shop) == []


def test_a_contact_that_never_was_gets_the_same_page(shop: Shop, site: str, link: str) -> None:
    answer = requests.post(f"{site}/u/{_token(shop, contact_id=999_999)}", data=ONE_CLICK, headers=FORM, timeout=10)
    assert answer.status_code == 200


def test_the_answer_waits_for_whoever_holds_the_contact(shop: Shop, link: str) -> None:
    with ThreadPoolExecutor(1) as threads, shop.engine.connect() as intent:
        intent.execute(text("SELECT id FROM contact FOR UPDATE"))  # as an intent does
        answer = threads.submit(requests.post, link, data=ONE_CLICK, headers=FORM, timeout=20)
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
            while watcher.scalar(waiting) == 0:
                assert not answer.done()
        assert intent.scalar(text("SELECT count(*) FROM consent WHERE NOT given")) == 0
        intent.rollback()
        assert answer.result().status_code == 200
    assert len(_outs(shop)) == 1


def test_nobody_is_told_that_it_is_done_while_the_database_takes_nothing(shop: Shop, link: str) -> None:
    with shop.read_only():
        one_click = requests.post(link, data=ONE_CLICK, headers=FORM, timeout=10)
        button = requests.post(link, data={"action": "unsubscribe"}, timeout=10)
    assert (one_click.status_code, button.status_code) == (503, 503)
    assert "try again" in button.text
    assert _outs(shop) == []


def test_after_an_unsubscribe_an_old_word_of_consent_that_arrives_late_changes_nothing(shop: Shop, link: str) -> None:
    requests.post(link, data=ONE_CLICK, headers=FORM, timeout=10)
    late = {**shop.identify("ani", consent=["offers"]), "timestamp": "2026-02-28T00:00:00Z"}
    shop.take(late)
    assert shop.holding()["offers", "email"] is False
