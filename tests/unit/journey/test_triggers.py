"""What starts a journey is read strictly, and each date or schedule comes round when its sentence says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from textwrap import dedent
from typing import Any

import pytest

from engine.document import read_document
from engine.grammar import Declared, FieldType, Reader
from engine.journey.cron import Cron
from engine.journey.journey import Journey, read_journey
from engine.journey.triggers import DatesTrigger, DateTrigger, ScheduleTrigger

JOURNEY = """
journey: lebaran
topic: offers
trigger: TRIGGER
steps:
  - {send: hello, via: email}
"""


def read(
    trigger: str, fields: Mapping[str, FieldType] | None = None, more: str = ""
) -> tuple[Journey | None, list[str]]:
    source = JOURNEY.lstrip().replace("TRIGGER", trigger) + dedent(more)
    node, problems = read_document(source.encode(), "j")
    reader = Reader("j", Declared(fields or {}))
    journey = read_journey(node, reader, "lebaran") if node is not None else None
    return journey, [f"{p.line}:{p.column}: {p.message}" for p in [*problems, *reader.problems]]


def trigger(text: str, fields: Mapping[str, FieldType] | None = None) -> Any:
    journey, problems = read(text, fields)
    assert journey is not None, problems
    return journey.trigger


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{dates: [2027-03-10, 2027-03-10], segment: s}", "3:31: '2027-03-10' stands in the list twice"),
        ("{dates: [10 March], segment: s}", "3:19: expected a date such as 2027-03-10, found '10 March'"),
        ("{dates: [2027-03-10]}", "3:10: a dates trigger lacks 'segment' (the segment whose members enter)"),
        ('{schedule: "0 25 * * *", segment: s}', "3:21: expected a schedule of five fields"),
        ('{schedule: "@daily", segment: s}', "3:21: expected a schedule of five fields"),
        ('{schedule: "0 9 31 2 *", segment: s}', "3:21: expected a schedule of five fields"),
        ('{schedule: "0 9 * * 1", timezone: WIB, segment: s}', "3:44: unknown time zone 'WIB' (did you mean 'Asia/Jakarta'?)"),
        ('{schedule: "0 9 * * 1", segment: [a, b]}', "3:43: expected a name"),
        ('{at: "2027-03-10T09:00:00", segment: s}', "3:15: expected an instant with its offset"),
        ("{at: 2027-03-10T09:00:00+07:00, segment: []}", "3:51: expected a name of lower-case letters, digits and _, starting with a letter, or a list of such, found an empty list"),
        ("{finished: lebaran}", "3:21: journey 'lebaran' can't start by its own end"),
        ("{manual: false}", "3:19: expected true, found 'false'"),
        ("{leves: s}", "3:11: unknown trigger 'leves' (did you mean 'leaves'?)"),
        ("{enters: a, leaves: b}", "3:22: an enters trigger can't have 'leaves' too: write one of event, enters, leaves"),
        ("{date: contact.birthday, offset: -3x}", "3:43: expected an offset such as -3d, 2w or -2h, found '-3x'"),
        ("{date: contact.birthday, offset: 0d}", "3:43: '0d' is no time at all; leave the offset out"),
        ("{date: contact.renewal, offset: -3h}", "3:42: '-3h' counts from the local time 'at', not from the instant in contact.renewal: say at, or {wait: {until: contact.renewal, offset: -3h}} in a journey that begins earlier"),
        ("{date: contact.points}", "3:17: contact.points is declared as number in config.yaml"),
    ],
)  # fmt: skip
def test_a_wrong_trigger_is_told_at_its_word(wrong: str, said: str) -> None:
    _, problems = read(wrong, {"points": "number", "renewal": "datetime"})
    assert any(problem.startswith(said) for problem in problems), problems


@pytest.mark.parametrize(
    ("good", "told"),
    [
        ("{leaves: lapsed}", "leaves lapsed"),
        ('{dates: [2028-02-27, 2027-03-10], offset: -1w, at: "10:00", segment: s}', "everybody in s on 2027-03-10, 2028-02-27 -1w at 10:00"),
        ('{schedule: "0  9 * * mon", timezone: Asia/Jakarta, segment: s}', "everybody in s by the schedule 0 9 * * mon in Asia/Jakarta"),
        ('{at: "2027-03-10T09:00:00+07:00", segment: [a, b, a]}', "everybody in a or b at 2027-03-10 09:00 +0700"),
        ("{finished: welcome, reason: bought}", "welcome has ended as bought"),
        ("{manual: true}", "by hand"),
        ('{date: contact.birthday, offset: 90m, at: "08:00"}', "every year on contact.birthday +90m at 08:00"),
    ],
)  # fmt: skip
def test_a_trigger_says_itself_in_a_line(good: str, told: str) -> None:
    assert trigger(good).label() == told


WITHOUT = [
    "{enters: s}", "{leaves: s}", "{date: contact.birthday}", "{dates: [2027-03-10], segment: s}",
    '{schedule: "0 9 * * 1", segment: s}', '{at: "2027-03-10T09:00:00+07:00", segment: s}',
]  # fmt: skip
WITH = ["{event: signed_up}", "{finished: welcome}", "{manual: true}"]
USES = [
    "entry: {where: {event.total: {gte: 1}}}",
    "exit: [{when: {event.total: {gte: 1}}}]",
    "goal: {event: bought, where: {entered.total: {gte: 1}}}",
]


@pytest.mark.parametrize("text", WITHOUT + WITH)
@pytest.mark.parametrize("use", USES)
def test_what_started_a_person_can_be_used_only_where_something_is_handed_over(text: str, use: str) -> None:
    _, problems = read(text, more=use)
    assert (problems == []) is (text in WITH), problems
    assert all("no event starts people here" in problem for problem in problems)


def test_inside_an_exits_where_the_event_is_the_tested_one_under_any_trigger() -> None:
    assert read("{enters: s}", more="exit: [{event: bought, where: {event.total: {gte: 1}}}]")[1] == []


def test_backfill_goes_with_enters_only_and_a_season_must_have_a_length() -> None:
    assert read("{enters: s}", more="entry: {backfill: true}")[1] == []
    assert read("{leaves: s}", more="entry: {backfill: true}")[1] == [
        "6:19: 'backfill' enrolls the members of a segment: it goes with the trigger 'enters', not 'leaves'"
    ]
    season = 'entry: {start: "2027-03-10T09:00:00+07:00", end: "2027-03-10T02:00:00Z"}'
    assert read("{enters: s}", more=season)[1][0].startswith("6:50: entry ends at '2027-03-10T02:00:00Z', which is not")


# --- dates ------------------------------------------------------------------------------------------------------------


def occasions(text: str, value: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The local dates that come, in order."""
    found: DateTrigger = trigger(text)
    day, at, days = found.day_of(value, zone), datetime.fromisoformat(after), []
    assert day is not None
    while len(days) < count:
        occasion = found.next_after(day, at, zone)
        if occasion is None:
            break
        days.append(occasion[0].isoformat())
        at = occasion[1]
    return days


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{date: contact.b}", ["2027-02-28", "2028-02-29", "2029-02-28"]),
        ("{date: contact.b, leap_day: mar1}", ["2027-03-01", "2028-02-29", "2029-03-01"]),
        ("{date: contact.b, offset: -3d}", ["2027-02-25", "2028-02-26", "2029-02-25"]),
        ("{date: contact.b, leap_day: mar1, offset: -3d}", ["2027-02-26", "2028-02-26", "2029-02-26"]),
        ("{date: contact.b, offset: 1d}", ["2027-03-01", "2028-03-01", "2029-03-01"]),
        ("{date: contact.b, leap_day: mar1, offset: 1d}", ["2027-03-02", "2028-03-01", "2029-03-02"]),
        ("{date: contact.b, offset: 1mo}", ["2027-03-28", "2028-03-29", "2029-03-28"]),
    ],
)
def test_T5_a_leap_day_comes_once_a_year_first_the_day_is_found_then_the_offset(text: str, expected: list[str]) -> None:
    assert occasions(text, "1992-02-29", "2026-06-01T00:00:00Z", 3) == expected


@pytest.mark.parametrize(
    ("offset", "first"), [("-400d", "2026-06-06"), ("400d", "2026-08-15"), ("-14mo", "2027-01-11")]
)
def test_an_offset_of_more_than_a_year_skips_no_year(offset: str, first: str) -> None:
    found = occasions(
        f"{{date: contact.b, offset: {offset}}}",
        "1990-07-11" if offset != "-14mo" else "1990-03-11",
        "2026-06-01T00:00:00Z",
        3,
    )
    assert found[0] == first
    assert [day[:4] for day in found] == [str(int(first[:4]) + n) for n in range(3)]


@pytest.mark.parametrize(
    ("offset", "instants"),
    [
        ("-2h", ["2027-03-14T07:00:00+00:00", "2028-03-14T06:00:00+00:00"]),  # on the eve, and still that day's
        ("36h", ["2027-03-15T21:00:00+00:00", "2028-03-15T20:00:00+00:00"]),  # across a gap: 36 hours of elapsed time
        ("-1d", ["2027-03-13T09:00:00+00:00", "2028-03-13T08:00:00+00:00"]),
    ],
)
def test_hours_count_from_the_local_time_of_the_day_as_elapsed_time(offset: str, instants: list[str]) -> None:
    found: DateTrigger = trigger(f'{{date: contact.b, offset: {offset}, at: "01:00"}}')
    at, days = datetime(2026, 6, 1, tzinfo=UTC), []
    for instant in instants:
        occasion = found.next_after(date(1990, 3, 14), at, "America/Los_Angeles")
        assert occasion is not None
        day, at = occasion
        days.append(day.isoformat())
        assert at.isoformat() == instant
    assert days == (["2027-03-13", "2028-03-13"] if offset == "-1d" else ["2027-03-14", "2028-03-14"])


def test_a_date_without_repeat_comes_once_and_never_before_its_year() -> None:
    assert occasions("{date: contact.b, repeat: never}", "2027-05-05", "2026-06-01T00:00:00Z", 3) == ["2027-05-05"]
    assert occasions("{date: contact.b, repeat: never}", "2026-05-05", "2026-06-01T00:00:00Z", 3) == []
    assert occasions("{date: contact.b}", "2028-05-05", "2026-06-01T00:00:00Z", 1) == ["2028-05-05"]


def test_a_declared_instant_has_the_date_that_the_persons_calendar_showed() -> None:
    declared = trigger("{date: contact.b}", {"b": "datetime"})
    plain = trigger("{date: contact.b}", {"b": "date"})
    assert declared.day_of("2026-03-08T20:00:00Z", "Asia/Jakarta") == date(2026, 3, 9)
    assert plain.day_of("2026-03-08T20:00:00Z", "Asia/Jakarta") == date(2026, 3, 8)
    assert declared.day_of("soon", "UTC") is None


def test_a_list_of_days_comes_in_order_each_at_its_local_time() -> None:
    found: DatesTrigger = trigger('{dates: [2028-02-27, 2027-03-10], offset: -7d, at: "10:00", segment: s}')
    first = found.next_after(datetime(2026, 1, 1, tzinfo=UTC), "Asia/Jakarta")
    assert first == (date(2027, 3, 3), datetime(2027, 3, 3, 3, tzinfo=UTC))
    second = found.next_after(first[1], "Asia/Jakarta")
    assert second is not None
    assert second[0] == date(2028, 2, 20)
    assert found.next_after(second[1], "Asia/Jakarta") is None


def test_a_day_that_a_zone_skips_is_passed_over() -> None:
    found: DatesTrigger = trigger("{dates: [2011-12-30], segment: s}")
    before = datetime(2011, 12, 1, tzinfo=UTC)
    assert found.next_after(before, "Pacific/Apia") is None
    assert found.next_after(before, "Asia/Jakarta") is not None


# --- schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("0 9 * * mon", "Asia/Jakarta", "2026-03-01T12:00Z", ["03-02T02:00", "03-09T02:00"]),
        ("30 2 * * *", "America/New_York", "2027-03-13T12:00Z", ["03-14T07:30", "03-15T06:30"]),  # a gap: 03:30
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", ["11-01T05:30", "11-02T06:30"]),  # twice: the first
        ("*/30 * * * *", "America/New_York", "2027-03-14T06:00Z", ["03-14T06:30", "03-14T07:00", "03-14T07:30", "03-14T08:00"]),
        ("*/30 * * * *", "America/New_York", "2026-11-01T05:00Z", ["11-01T05:30", "11-01T07:00", "11-01T07:30"]),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00Z", ["12-29T22:00"]),  # there was none in 2011
        ("0 0 1 * *", "UTC", "2026-03-01T00:00Z", ["04-01T00:00"]),  # strictly later
    ],
)  # fmt: skip
def test_a_schedule_comes_at_local_times_each_once(cron: str, zone: str, after: str, expected: list[str]) -> None:
    at: datetime | None = datetime.fromisoformat(after)
    for wanted in expected:
        assert at is not None
        at = Cron(cron).next_after(at, zone)
        assert at is not None
        assert at.isoformat()[5:16] == wanted


def test_a_schedule_goes_by_its_own_zone_else_by_the_organisations() -> None:
    after = datetime(2026, 3, 1, 12, tzinfo=UTC)
    own: ScheduleTrigger = trigger('{schedule: "0 9 * * *", timezone: Asia/Tokyo, segment: s}')
    other: ScheduleTrigger = trigger('{schedule: "0 9 * * *", segment: s}')
    assert own.next_after(after, "Asia/Jakarta") == datetime(2026, 3, 2, 0, tzinfo=UTC)
    assert other.next_after(after, "Asia/Jakarta") == datetime(2026, 3, 2, 2, tzinfo=UTC)
