"""`alur contacts import`: rows in, each bad one named with its line, and never anything of a file that is no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app import system_clock
from tests.integration.cli.desk import Desk, Done

GOOD = "user_id,email,phone,points,consent\nani,ani@example.com,0812-3456-7890,120,offers\nbudi,budi@example.com,,5,offers;tips\n"


def _import(desk: Desk, text: str | bytes, *arguments: str) -> Done:
    file = desk.root.parent / "customers.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return desk.alur("contacts", "import", str(file), *arguments)


def _known(desk: Desk, word: str) -> bool:
    return desk.alur("contacts", "show", word).code == 0


def test_contacts_come_in_and_a_second_run_changes_nothing(desk: Desk) -> None:
    done = _import(desk, GOOD)
    assert (done.code, done.out, done.err) == (0, "2 rows: 2 new, 0 changed, 0 left out\n", "")
    ani = desk.alur("contacts", "show", "ani", "--output", "json").json
    assert (ani["traits"], ani["phone"]) == ({"points": 120}, "+6281234567890")
    assert {row["source"] for row in ani["consents"]} == {"import"}
    assert _import(desk, GOOD).out == "2 rows: 0 new, 0 changed, 0 left out\n"


def test_a_row_that_can_not_be_taken_is_named_with_its_line_and_the_others_are_written(desk: Desk) -> None:
    """E16 and E17 of the catalogue of bad input, through the command."""
    text = GOOD + 'eve,"a@b.com\r\nRCPT TO:<evil@x.com>",,,\ncici,cici@example.com,,many,\ndodi,"a@b.com, c@d.com",,,\n'
    done = _import(desk, text)
    assert done.code == 1
    assert done.out == "5 rows: 2 new, 0 changed, 3 left out\n"
    lines = done.err.splitlines()
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in lines] == ["4", "6", "7"]
    assert "is no e-mail address" in lines[0]
    assert "points: 'many' is no number" in lines[1]
    assert _known(desk, "budi")
    assert not _known(desk, "eve")


def test_a_dry_run_says_what_would_be_left_out_and_writes_nothing(desk: Desk) -> None:
    done = _import(desk, GOOD + "cici,nobody,,,\n", "--dry-run")
    assert done.code == 1
    assert done.out == "3 rows: 2 can be imported, 1 can't; nothing was written\n"
    assert "customers.csv:4: email: 'nobody' is no e-mail address" in done.err
    assert not _known(desk, "ani")
    assert _import(desk, GOOD, "--dry-run").code == 0


def test_a_time_zone_that_does_not_exist_is_kept_counted_and_passed_over(desk: Desk) -> None:
    _import(desk, "user_id,timezone\nani,Mars/Phobos\nbudi,Asia/Makassar\n")
    assert desk.alur("status", "--output", "json").json["queue"]["unreal_zones"] == 1
    assert "People whose time zone does not exist: 1 (Asia/Jakarta counts)\n" in desk.alur("status").out
    assert "timezone   Mars/Phobos\n" in (told := desk.alur("contacts", "show", "ani").out)
    assert "Times in Asia/Jakarta: there is no time zone 'Mars/Phobos'." in told
    assert desk.alur("contacts", "show", "budi").out.endswith("Times in Asia/Makassar.\n")


def test_importing_never_gives_back_a_consent_that_was_taken_back(desk: Desk) -> None:
    _import(desk, GOOD)
    desk.clock.move_to(system_clock())
    desk.takes({"type": "identify", "userId": "ani", "traits": {"consent": {"offers": False}}})
    done = _import(desk, GOOD)
    assert (
        done.out
        == "2 rows: 0 new, 0 changed, 0 left out, 3 consents not taken over, because the person had taken it back\n"
    )


def test_a_file_that_is_not_utf_8_is_refused_before_anything_is_written(desk: Desk) -> None:
    done = _import(desk, GOOD.encode() + b"cici,cici@example.com,,,\n" + b"jos\xe9,jose@example.com,,,\n")
    assert done.code == 1
    assert 'customers.csv:5: not UTF-8 text (byte 0xe9); save it as "CSV UTF-8"' in done.err
    assert not _known(desk, "ani")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user_id;email\nani;a@example.com\n", "alur: the columns of a CSV file must be separated by commas"),
        ("name,city\nAni,Bogor\n", "alur: no column tells who a row is"),
        ("", "alur: the first line must name every column"),
    ],
)
def test_a_file_that_can_not_be_a_list_of_contacts_is_refused(desk: Desk, text: str, said: str) -> None:
    done = _import(desk, text)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(said)


def test_programs_get_the_report_as_json_and_the_errors_as_csv(desk: Desk) -> None:
    text = GOOD + "cici,nobody,,,\n"
    done = _import(desk, text, "--output", "json")
    assert done.code == 1
    assert {name: done.json[name] for name in ("rows", "created", "refused", "dry_run")} == {
        "rows": 3, "created": 2, "refused": 1, "dry_run": False,
    }  # fmt: skip
    assert done.json["errors"][0]["line"] == 4
    assert _import(desk, text, "--output", "csv").out.splitlines()[:1] == ["line,message"]


def test_a_long_import_says_how_far_it_is_in_plain_lines_where_nobody_watches(desk: Desk) -> None:
    rows = "".join(f"u{number},u{number}@example.com,,,\n" for number in range(10_500))
    done = _import(desk, "user_id,email,phone,points,consent\n" + rows, "--dry-run")
    assert (done.code, done.err) == (0, "10,000 rows\n")
    assert done.out == "10,500 rows: 10,500 can be imported, 0 can't; nothing was written\n"


def test_a_file_that_is_missing_is_a_wrong_call(desk: Desk) -> None:
    done = desk.alur("contacts", "import", str(desk.root / "nowhere.csv"))
    assert done.code == 2
    assert "does not exist" in " ".join(done.err.replace("│", " ").split())  # the box breaks lines


def test_byte_order_mark_and_windows_line_ends_do_no_harm(desk: Desk, tmp_path: Path) -> None:
    assert _import(desk, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()).out.startswith("2 rows: 2 new")
