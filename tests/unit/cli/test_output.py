"""How results are shown: numbers for people, exact values for programs, nothing that a spreadsheet would run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.cli.output import Output, as_csv, plural
from engine.cli.status import span
from engine.cli.table import readable, show_rows

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_csv_holds_exact_values() -> None:
    row = {"name": "Ani", "at": AT, "count": 12345, "list": ["a", "b"], "yes": True, "none": None, "inner": {"a": 1}}
    assert as_csv([row], list(row)) == (
        'name,at,count,list,yes,none,inner\nAni,2026-03-01T12:00:00.123456+00:00,12345,a;b,true,,"{""a"":1}"\n'
    )


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\tx"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert as_csv([{"a": text}], ["a"]).splitlines()[1].strip('"').startswith("'")


@pytest.mark.parametrize("text", ["+6281234567890", "-12.5", "Ani"])
def test_phone_numbers_and_negative_numbers_stay_as_they_are(text: str) -> None:
    assert as_csv([{"a": text}], ["a"]) == f"a\n{text}\n"


def test_people_read_marked_thousands_and_local_time() -> None:
    assert readable(1234567) == "1,234,567"
    assert readable(1234.5) == "1,234.50"
    assert readable(AT, "Asia/Jakarta") == "2026-03-01 19:00:00"
    assert readable([True, None, "a\nb\x1b"]) == "yes, , a b\ufffd"


def test_a_table_that_nobody_watches_is_one_line_a_row_without_blanks_at_its_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_rows([{"name": "x" * 500, "count": 1}, {"name": "y", "count": 20}], ("name", "count"), Output.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert [line.rstrip() for line in lines] == lines
    assert lines[3].endswith("   20")


def test_counts_are_said_in_the_right_number() -> None:
    assert [plural(n, "journey") for n in (0, 1, 2000)] == ["0 journeys", "1 journey", "2,000 journeys"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0.0 s"), (0.34, "0.3 s"), (59.6, "1 m"), (250, "4 m 10 s"), (3600, "1 h"), (93_600, "1 d 2 h")],
)
def test_spans_are_said_in_their_two_largest_units(seconds: float, said: str) -> None:
    assert span(seconds) == said
