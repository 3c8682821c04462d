"""Durations, clock times and the days on which clocks jump."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from engine.document import Scalar
from engine.grammar import INVALID, Reader
from engine.moments import (
    WAIT,
    WINDOW,
    ZONE,
    Duration,
    Window,
    add,
    first_outside,
    local_instant,
    next_clock_time,
    yearly,
)

NEW_YORK, JAKARTA = "America/New_York", "Asia/Jakarta"


def read(type_: Any, text: str) -> tuple[Any, list[str]]:
    reader = Reader("f.yaml")
    value = type_.read(Scalar(text, text, False, 1, 1), reader)
    return value, [problem.message for problem in reader.problems]


def test_elapsed_and_calendar_durations_are_told_apart() -> None:
    assert read(WAIT, "90m")[0] == Duration("90m", seconds=5400)
    assert read(WAIT, "1h30m")[0] == Duration("1h30m", seconds=5400)
    assert read(WAIT, "2w")[0] == Duration("2w", days=14)
    assert read(WAIT, "3mo")[0] == Duration("3mo", months=3)


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "-1h", "1x", "1h1h", "1d2h", "0m", "999999999d", "1.5h"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    value, problems = read(WAIT, text)
    assert value is INVALID
    assert len(problems) == 1


def test_a_window_is_elapsed_time_and_refuses_months() -> None:
    assert read(WINDOW, "30d")[0] == Window("30d", timedelta(days=30))
    assert read(WINDOW, "1mo")[1] == ["'1mo': months have no fixed length here; write days, e.g. 30d"]


def test_T1_a_time_that_the_gap_skips_moves_forward_by_the_gap() -> None:
    assert local_instant(date(2027, 3, 14), time(2, 30), NEW_YORK) == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)


def test_T2_a_time_that_happens_twice_means_the_first() -> None:
    assert local_instant(date(2026, 11, 1), time(1, 30), NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_T4_a_day_keeps_the_clock_time_and_24_hours_do_not() -> None:
    nine = datetime(2027, 3, 13, 14, tzinfo=UTC)
    assert add(nine, Duration("1d", days=1), NEW_YORK) == datetime(2027, 3, 14, 13, tzinfo=UTC)
    assert add(nine, Duration("24h", seconds=86400), NEW_YORK) == datetime(2027, 3, 14, 14, tzinfo=UTC)


def test_the_31st_plus_a_month_is_the_last_day_of_the_month() -> None:
    end_of_january = local_instant(date(2027, 1, 31), time(9), JAKARTA)
    assert add(end_of_january, Duration("1mo", months=1), JAKARTA) == local_instant(date(2027, 2, 28), time(9), JAKARTA)


def test_a_day_that_a_zone_skips_is_passed_over() -> None:
    thursday = local_instant(date(2011, 12, 29), time(9), "Pacific/Apia")
    assert add(thursday, Duration("1d", days=1), "Pacific/Apia") == local_instant(
        date(2011, 12, 31), time(9), "Pacific/Apia"
    )


def test_the_next_clock_time_is_strictly_later_and_on_a_named_day() -> None:
    nine = local_instant(date(2026, 3, 2), time(9), JAKARTA)  # a Monday
    assert next_clock_time(nine - timedelta(seconds=1), time(9), JAKARTA) == nine
    assert next_clock_time(nine, time(9), JAKARTA) == nine + timedelta(days=1)
    assert next_clock_time(nine, time(9), JAKARTA, ("mon",)) == nine + timedelta(days=7)


def test_every_hour_of_a_year_waits_until_nine_once_and_at_nine_local_time() -> None:
    at, fired = datetime(2026, 1, 1, tzinfo=UTC), set()
    while at < datetime(2027, 1, 1, tzinfo=UTC):
        fired.add(next_clock_time(at, time(9), NEW_YORK))
        at += timedelta(hours=1)
    assert len(fired) == 366  # a year of mornings, the one after the last midnight among them
    assert {instant.hour for instant in fired} == {13, 14}


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("WIB", "Asia/Jakarta"),
        ("asia/jakarta", "Asia/Jakarta"),
        ("", ""),
        ("../../etc/passwd", ""),
        ("America/Nope", ""),
    ],
)
def test_T7_an_unknown_zone_is_refused_with_a_hint(zone: str, hint: str) -> None:
    value, problems = read(ZONE, zone)
    assert value is INVALID
    assert hint in problems[0]


def test_T5_a_leap_day_birthday_comes_every_year() -> None:
    born = date(1992, 2, 29)
    assert yearly(born, 2028, "feb28") == date(2028, 2, 29)
    assert yearly(born, 2027, "feb28") == date(2027, 2, 28)
    assert yearly(born, 2027, "mar1") == date(2027, 3, 1)


# --- quiet spans ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "start", "end", "now", "expected"),
    [
        ("Asia/Jakarta", "21:00", "08:00", "2026-03-01T13:59:59", "2026-03-01T13:59:59"),
        ("Asia/Jakarta", "21:00", "08:00", "2026-03-01T14:00:00", "2026-03-02T01:00:00"),
        ("Asia/Jakarta", "09:00", "17:00", "2026-03-01T05:00:00.5", "2026-03-01T10:00:00"),
        # 02:30 does not exist in New York on 14 March 2027: 03:00 is the first instant outside.
        ("America/New_York", "21:00", "02:30", "2027-03-14T06:10:00", "2027-03-14T07:00:00"),
        ("America/New_York", "21:00", "03:30", "2027-03-14T06:10:00", "2027-03-14T07:30:00"),
        # 01:00 to 02:00 happens twice on 1 November 2026.
        ("America/New_York", "21:00", "01:30", "2026-11-01T05:00:00", "2026-11-01T05:30:00"),
        ("America/New_York", "21:00", "01:30", "2026-11-01T06:10:00", "2026-11-01T06:30:00"),
        # The whole of 30 December 2011 was left out in Apia.
        ("Pacific/Apia", "21:00", "08:00", "2011-12-30T08:00:00", "2011-12-30T18:00:00"),
    ],
)
def test_what_is_held_goes_at_the_first_instant_outside(
    zone: str, start: str, end: str, now: str, expected: str
) -> None:
    at, until = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, expected))
    assert first_outside(at, time.fromisoformat(start), time.fromisoformat(end), zone) == until
