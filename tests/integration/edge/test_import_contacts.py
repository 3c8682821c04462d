"""Contacts from CSV: what each column means, which rows are left out and why, and that a second run changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.consent.token import UnsubscribeClaims
from engine.errors import UnknownNameError
from engine.run.feedback import unsubscribe
from engine.run.import_contacts import ImportRefusedError, ImportReport, RowError, import_contacts
from engine.store import contacts
from tests.integration.edge.shop import Shop


def _import(shop: Shop, *lines: str) -> ImportReport:
    return import_contacts(shop.engine, shop.config, [f"{line}\n" for line in lines], shop.now)


def test_columns_become_identities_columns_traits_and_consent(shop: Shop) -> None:
    report = _import(
        shop,
        "\ufeffuser_id,email,phone,timezone,locale,tags,consent,points,vip,birthday,seen_at,likes,address.city,zip,firstName",
        "ani,Ani@Example.com,0812-3456-7890,Asia/Jakarta,id-ID,vip;new,offers,49.50,yes,1990-02-28,2026-01-01T00:00:00Z,a; b,Bogor,01234,Ani",
    )
    assert report == ImportReport(rows=1, created=1)
    ani = shop.contact("ani")
    assert (ani.email, ani.phone, ani.timezone, ani.locale) == (
        "Ani@example.com",
        "+6281234567890",
        "Asia/Jakarta",
        "id",
    )
    assert ani.traits == {
        "tags": ["vip", "new"], "points": 49.5, "vip": True, "birthday": "1990-02-28", "seen_at": "2026-01-01T00:00:00Z",
        "likes": ["a", "b"], "address": {"city": "Bogor"}, "zip": "01234", "first_name": "Ani",
    }  # fmt: skip
    assert shop.holding() == {("offers", channel): True for channel in ("email", "sms", "whatsapp")}
    assert shop.value("SELECT DISTINCT source FROM consent") == "import"


def test_a_second_run_changes_nothing(shop: Shop) -> None:
    lines = ("email,city,consent", "a@example.com,Bogor,offers", "b@example.com,,news")
    assert _import(shop, *lines).created == 2
    shop.later(days=1)
    assert _import(shop, *lines) == ImportReport(rows=2)
    assert shop.value("SELECT count(*) FROM consent") == 6
    assert shop.value("SELECT count(*) FROM signal") == 2


def test_a_second_run_never_gives_back_what_a_person_took_back(shop: Shop) -> None:
    lines = ("user_id,email,consent.offers", "ani,a@example.com,email")
    _import(shop, *lines)
    unsubscribe(shop.engine, UnsubscribeClaims(shop.contact().id, "offers", "email", 1), shop.now)
    shop.later(days=1)
    assert _import(shop, *lines) == ImportReport(rows=1, withdrawn=1)
    assert shop.holding() == {("offers", "email"): False}
    _import(shop, "user_id,consent.offers,consent_at,consent_wording", f"ani,email,{shop.now.isoformat()},Yes again")
    assert shop.holding() == {("offers", "email"): True}


def test_rows_that_cannot_be_taken_are_named_with_their_line_and_the_others_are_written(shop: Shop) -> None:
    report = _import(
        shop,
        "user_id,email,phone,points,vip,birthday,consent,suppressed,note",
        'a,a@example.com,,,,,,,"two',
        'lines"',
        "b,not an address,,,,,,,",
        "c,,911,,,,,,",
        "d,,,many,,,,,",
        "e,,,,maybe,,,,",
        "f,,,,,2026-13-01,,,",
        "g,,,,,,ofers,,",
        "h,,,,,,,fax,",
        "i,too,few",
        ",,,,,,,,nobody",
        "",
        "k,k@example.com,,,,,,,",
    )
    assert (report.rows, report.created, report.refused) == (11, 2, 9)
    assert [error.line for error in report.errors] == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    starts = [
        "email: ",
        "phone: ",
        "points: ",
        "vip: ",
        "birthday: ",
        "consent: ",
        "suppressed: ",
        "row: 3 cells",
        "user_id: ",
    ]
    assert [error.message.startswith(start) for error, start in zip(report.errors, starts, strict=True)] == [True] * 9
    assert shop.contact("a").traits == {"note": "two\nlines"}


def test_a_header_that_cannot_be_is_refused_as_a_whole(shop: Shop) -> None:
    refusals = {
        "": "must name every column",
        "email;city": "separated by commas",
        "email,,city": "must name every column",
        "email,city,email": "names 'email' twice",
        "city,points": "no column tells who a row is",
        "email,consent,consent.offers": "not in both",
        '"email': "can't be read",
    }
    for header, said in refusals.items():
        with pytest.raises(ImportRefusedError, match=said):
            _import(shop, header, "a@example.com,x,y")
    assert shop.value("SELECT count(*) FROM contact") == 0


def test_a_suppressed_address_is_suppressed_for_everything(shop: Shop) -> None:
    _import(shop, "email,phone,suppressed", "User@EXAMPLE.com,,email", "x@example.com,+6281234567890,sms;email")
    rows = shop.rows("SELECT channel, address, scope, reason FROM suppression ORDER BY channel, address")
    assert [tuple(row) for row in rows] == [
        ("email", "user@example.com", "all", "manual"),
        ("email", "x@example.com", "all", "manual"),
        ("sms", "+6281234567890", "all", "manual"),
    ]


def test_somebody_imported_by_address_is_the_one_who_signs_up_with_it(shop: Shop) -> None:
    _import(shop, "email,consent", "ani@example.com,offers")
    shop.take(shop.identify("ani", email="Ani@example.com"))
    assert shop.value("SELECT count(*) FROM contact") == 1
    assert shop.contact("ani").email == "Ani@example.com"


def test_two_rows_of_one_person_in_one_file_are_one_contact(shop: Shop) -> None:
    report = _import(shop, "user_id,email,city", "ani,a@example.com,", ",A@example.com,Bogor")
    assert (report.created, shop.contact("ani").traits) == (1, {"city": "Bogor"})


def test_a_long_file_is_written_in_batches_and_tells_its_progress(shop: Shop) -> None:
    def lines() -> Iterator[str]:
        yield "user_id\n"
        for number in range(1201):
            yield f"u{number}\n"

    told: list[int] = []
    report = import_contacts(shop.engine, shop.config, lines(), shop.now, told.append)
    assert (report.created, told) == (1201, [500, 1000, 1201])


def test_only_the_first_thousand_errors_are_kept(shop: Shop) -> None:
    report = _import(shop, "email", *["x"] * 1500)
    assert (report.refused, len(report.errors)) == (1500, 1000)
    assert report.errors[-1] == RowError(1001, report.errors[-1].message)


def test_a_file_is_read_from_disk_line_by_line(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text('email,name\r\na@example.com,"O\'Brien, Ani"\r\n', encoding="utf-8", newline="")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert import_contacts(shop.engine, shop.config, file, shop.now).created == 1
    assert shop.value("SELECT traits FROM contact") == {"name": "O'Brien, Ani"}


def test_a_contact_is_found_by_user_id_address_or_phone(shop: Shop) -> None:
    _import(shop, "user_id,email,phone", "ani,ani@example.com,081234567890", "budi,budi@example.com,")
    with shop.engine.connect() as conn:
        for word in ("ani", "ANI@example.com", "0812-3456-7890", "+6281234567890"):
            assert contacts.find(conn, word, "ID").user_id == "ani"


def test_a_user_id_that_looks_like_somebodys_address_goes_first(shop: Shop) -> None:
    _import(shop, "user_id,email", "ani,x@example.com", "x@example.com,y@example.com")
    with shop.engine.connect() as conn:
        assert contacts.find(conn, "x@example.com", "ID").user_id == "x@example.com"


def test_nobody_is_found_by_an_unknown_word(shop: Shop) -> None:
    with shop.engine.connect() as conn, pytest.raises(UnknownNameError, match="no contact 'ghost'"):
        contacts.find(conn, "ghost", "ID")
