"""Operators on dates and instants: SQL agrees with a few plain lines of Python, in every zone."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from engine import tables
from engine.grammar import FieldType
from engine.store import zones
from engine.store.verdicts import Subject, verdicts
from engine.store.zones import zone_values
from tests.conditions import condition
from tests.integration.audience.people import NOW, ZONE, ask, holds, person

# --- the oracle --------------------------------------------------------------------------------------------------------

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def moment(value: Any, declared: FieldType | None) -> date | datetime | None:
    """The date or instant that a value is."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    whole_day = len(value) == 10 or read.tzinfo is None
    if declared == "datetime":
        return read if read.tzinfo else None
    return read.date() if whole_day or declared == "date" else read


def day_of(when: date | datetime, zone: str) -> date:
    return when.astimezone(ZoneInfo(zone)).date() if isinstance(when, datetime) else when


def expected(when: date | datetime | None, word: str, operand: Any, zone: str, now: datetime) -> bool:
    if when is None:
        return False
    day, today = day_of(when, zone), day_of(now, zone)
    match word:
        case "before" | "after":
            other = moment(operand, None)
            assert other is not None
            exact = isinstance(when, datetime) and isinstance(other, datetime)
            one: Any = when if exact else day
            two: Any = other if exact else day_of(other, zone)
            return bool(one < two if word == "before" else one > two)
        case "within_last" | "within_next":
            span = timedelta(days=int(operand[:-1])) if operand.endswith("d") else timedelta(hours=int(operand[:-1]))
            first, last = (now - span, now) if word == "within_last" else (now, now + span)
            if isinstance(when, datetime):
                return first <= when <= last
            return day_of(first, zone) <= when <= day_of(last, zone)
        case "day_is":
            near = {"yesterday": -1, "today": 0, "tomorrow": 1}
            return any(
                day == today + timedelta(days=near[each]) if each in near
                else WEEKDAYS[day.weekday()] == each if each in WEEKDAYS
                else day == date.fromisoformat(each)
                for each in operand
            )  # fmt: skip
        case "anniversary":
            try:
                this_year = day.replace(year=today.year)
            except ValueError:
                this_year = date(today.year, 2, 28)
            return (day.year < today.year and this_year == today) is operand
    raise AssertionError(word)


# --- what goes in ------------------------------------------------------------------------------------------------------

NOWS = (
    datetime(2026, 6, 30, 12, tzinfo=UTC),
    datetime(2027, 2, 28, 20, tzinfo=UTC),  # 1 March in Jakarta
    datetime(2028, 2, 28, 12, tzinfo=UTC),  # a leap year
    datetime(2028, 2, 29, 3, tzinfo=UTC),  # 28 February in New York
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),  # the hour that New York has twice
)
ZONES = ("Asia/Jakarta", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu", None)
JUNK = (None, True, 5, "", "soon", "2026-02-30", "2026-13-01T00:00:00Z", {"a": 1})


@st.composite
def written(draw: st.DrawFn) -> Any:
    """A date or instant near one of those that matter, as JSON holds it."""
    around = draw(st.sampled_from(NOWS)) + timedelta(hours=draw(st.integers(-72, 72)))
    around = around.replace(year=draw(st.sampled_from((2020, 2024, around.year, around.year))))
    zone = draw(st.sampled_from((UTC, ZoneInfo("Asia/Jakarta"))))
    return draw(
        st.sampled_from((around.date().isoformat(), around.astimezone(zone).isoformat(), around.isoformat()[:19]))
        | st.sampled_from(JUNK)
    )


DAYS = st.sampled_from((*WEEKDAYS, "yesterday", "today", "tomorrow", "2026-06-30", "2028-02-29"))
OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "before": st.sampled_from(("2026-06-30", "2028-02-29", "2026-06-30T12:00:00Z", "2026-11-01T00:30:00-05:00")),
    "after": st.sampled_from(("2026-06-30", "2028-02-29", "2026-06-30T12:00:00Z", "2026-11-01T00:30:00-05:00")),
    "within_last": st.sampled_from(("1h", "24h", "1d", "3d", "800d")),
    "within_next": st.sampled_from(("1h", "24h", "1d", "3d", "800d")),
    "day_is": st.lists(DAYS, min_size=1, max_size=3),
    "anniversary": st.booleans(),
}
questions = st.sampled_from(list(OPERANDS)).flatmap(lambda word: st.tuples(st.just(word), OPERANDS[word]))
declarations = st.sampled_from((None, "date", "datetime"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(written(), st.sampled_from(ZONES)), min_size=1, max_size=8),
    st.lists(st.tuples(questions, declarations), min_size=1, max_size=8),
    st.sampled_from(NOWS),
)
def test_every_date_operator_agrees_with_plain_python_in_every_zone(
    conn: Connection, values: list[tuple[Any, Any]], asked: list[tuple[tuple[str, Any], Any]], now: datetime
) -> None:
    asked = [
        (question, declared) for question, declared in asked if not (declared == "date" and "T" in str(question[1]))
    ]
    with conn.begin_nested() as nothing_stays:
        people = [{"traits": {"v": v}, "timezone": zone, "created_at": NOW, "updated_at": NOW} for v, zone in values]
        ids = conn.execute(insert(tables.contact).returning(tables.contact.c.id, sort_by_parameter_order=True), people)
        subjects = [Subject(ix, contact_id) for ix, (contact_id,) in enumerate(ids)]
        wanted = {
            str(n): condition(json.dumps({"contact.v": {word: operand}}), {} if declared is None else {"v": declared})
            for n, ((word, operand), declared) in enumerate(asked)
        }
        answers = verdicts(conn, wanted, subjects, now, ZONE)
        nothing_stays.rollback()
    for n, ((word, operand), declared) in enumerate(asked):
        for ix, (value, zone) in enumerate(values):
            told = expected(moment(value, declared), word, operand, zone or ZONE, now)
            assert answers[ix, str(n)] == (told, value), (value, declared, zone, word, operand, now)


# --- the rules by example ----------------------------------------------------------------------------------------------


def test_a_window_includes_both_its_ends(conn: Connection) -> None:
    tick = timedelta(microseconds=1)
    inside = {30: True, -30: True}
    for days, within in inside.items():
        word = "within_last" if days > 0 else "within_next"
        end = NOW - timedelta(days=days)
        beyond = end - tick if days > 0 else end + tick
        for at, answer in ((end, within), (beyond, False), (NOW, True)):
            somebody = person(conn, {"at": at.isoformat()})
            assert holds(conn, somebody, f"contact.at: {{{word}: 30d}}") is answer


@pytest.mark.parametrize(
    ("born", "today", "answer"),
    [
        ("2000-02-29", datetime(2027, 2, 28, 5, tzinfo=UTC), True),
        ("2000-02-29", datetime(2027, 3, 1, 5, tzinfo=UTC), False),
        ("2000-02-29", datetime(2028, 2, 28, 5, tzinfo=UTC), False),
        ("2000-02-29", datetime(2028, 2, 29, 5, tzinfo=UTC), True),
        ("2000-02-28", datetime(2028, 2, 28, 5, tzinfo=UTC), True),
        ("2027-02-28", datetime(2027, 2, 28, 5, tzinfo=UTC), False),  # the day itself
        ("2030-02-28", datetime(2027, 2, 28, 5, tzinfo=UTC), False),
        ("2000-03-01", datetime(2027, 2, 28, 17, tzinfo=UTC), True),  # midnight in Jakarta
        ("2000-03-01", datetime(2027, 2, 28, 16, 59, 59, tzinfo=UTC), False),
    ],
)
def test_an_anniversary_is_of_the_persons_own_calendar_and_leap_days_have_theirs_on_the_28th(
    conn: Connection, born: str, today: datetime, answer: bool
) -> None:
    somebody = person(conn, {"born": born}, timezone="Asia/Jakarta")
    asked = condition("contact.born: {anniversary: true}", {"born": "date"})
    other = condition("contact.born: {anniversary: false}", {"born": "date"})
    assert [holds(conn, somebody, each, today) for each in (asked, other)] == [answer, not answer]


def test_a_missing_date_is_neither_before_nor_after_nor_without_an_anniversary(conn: Connection) -> None:
    somebody = person(conn, {"note": "soon"})
    for field in ("since", "note"):
        for demand in ("before: 2026-03-01", "after: 2026-03-01", "day_is: [mon, tue, wed, thu, fri, sat, sun]",
                       "anniversary: true", "anniversary: false", "within_last: 3650d", "within_next: 3650d"):  # fmt: skip
            assert not holds(conn, somebody, f"contact.{field}: {{{demand}}}")
            assert holds(conn, somebody, f"not: {{contact.{field}: {{{demand}}}}}")


def test_on_a_list_a_date_operator_holds_if_any_item_does(conn: Connection) -> None:
    somebody = person(conn)
    event = {"trips": [{"on": "2026-07-03"}, {"on": "2025-06-30"}, {"on": 5}, {}], "days": ["2026-07-03", "x"]}
    answers = {
        "event.trips.*.on: {within_next: 3d}": True,
        "event.trips.*.on: {within_next: 2d}": False,
        "event.trips.*.on: {anniversary: true}": True,
        "event.trips.*.on: {anniversary: false}": False,
        "event.days: {day_is: fri}": True,
        "event.days: {before: 2026-07-03}": False,
    }
    assert {question: ask(conn, somebody, question, event=event)[0] for question in answers} == answers


def test_a_zone_that_the_server_does_not_know_spoils_nobodys_batch(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's list of zones may be newer than the server's, and the column takes what Python knows."""
    zone_values(conn, ZONE)
    for server in zones._foreign:  # as if the server were an old one
        monkeypatch.setitem(zones._foreign, server, ["America/New_York"])
    ani, budi = (person(conn, {"born": "2000-07-01"}, timezone=zone) for zone in ("America/New_York", "Asia/Jakarta"))
    asked = {"q": condition("contact.born: {anniversary: true}")}
    late = datetime(2026, 6, 30, 18, tzinfo=UTC)  # 1 July in Jakarta, the organisation's zone; 30 June in New York
    subjects = [Subject(1, ani), Subject(2, budi)]
    assert [verdicts(conn, asked, subjects, late, ZONE)[ix, "q"][0] for ix in (1, 2)] == [True, True]
    assert [verdicts(conn, asked, subjects, late, "UTC")[ix, "q"][0] for ix in (1, 2)] == [False, True]


def test_where_the_server_knows_every_zone_a_contact_without_one_still_has_the_organisations(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone_values(conn, ZONE)
    for server in zones._foreign:
        monkeypatch.setitem(zones._foreign, server, [])
    nobody = person(conn, {"born": "2000-07-01"})
    asked = {"q": condition("contact.born: {anniversary: true}")}
    late = datetime(2026, 6, 30, 18, tzinfo=UTC)  # 1 July in Jakarta, the organisation's zone
    assert verdicts(conn, asked, [Subject(1, nobody)], late, ZONE)[1, "q"][0]
