"""Each hour of 2026 to 2030 in twenty zones: waits and quiet hours end once, at the right local time (P9, P17).

What is right is told here by another way than `engine.moments` goes: from the list of a zone's offsets from UTC alone, in
plain numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta

from engine.moments import (
    WEEKDAYS,
    Duration,
    Offset,
    add,
    day_exists,
    first_outside,
    instant_of,
    local_instant,
    next_clock_time,
    yearly,
)

ZONES = (
    "Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe",
    "Pacific/Chatham", "Pacific/Apia", "Pacific/Kiritimati", "America/New_York", "America/St_Johns", "America/Sao_Paulo",
    "America/Santiago", "Africa/Casablanca", "Africa/Cairo", "Europe/Dublin", "Europe/London", "Asia/Beirut",
    "America/Havana", "UTC",
)  # fmt: skip
HOUR, DAY = 3600, 86400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
CLOCKS = tuple(map(time.fromisoformat, ("09:00", "00:00", "02:30", "01:30", "23:59", "00:30", "03:00")))


@dataclass(frozen=True)
class Spell:
    """From `start` to `end` (seconds since 1970) the zone's clock is `offset` seconds ahead of UTC."""

    start: int
    end: int
    offset: int


@cache
def spells(
    zone: str, first: datetime = FIRST - timedelta(days=40), last: datetime = LAST + timedelta(days=800)
) -> tuple[Spell, ...]:
    """Found by looking at every quarter of an hour: no zone has changed its clock at another minute since 1980."""
    tz = ZoneInfo(zone)
    found: list[Spell] = []
    start = begin = int(first.timestamp())
    end = int(last.timestamp())
    known = _offset(tz, start)
    day = begin
    while day < end:
        following = min(day + DAY, end)
        if _offset(tz, following) != known:
            at = next(at for at in range(day + 900, following + 1, 900) if _offset(tz, at) != known)
            found.append(Spell(start, at, known))
            start, known, day = at, _offset(tz, at), at
            continue
        day = following
    return (*found, Spell(start, end, known))


def _offset(tz: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, tz).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def shows(all_: tuple[Spell, ...], wall: int) -> list[int]:
    """The instants at which the clock on the wall shows this (as if it were UTC), in their order."""
    return [wall - spell.offset for spell in all_ if spell.start <= wall - spell.offset < spell.end]


def fires(all_: tuple[Spell, ...], wall: int) -> int | None:
    """The one instant that a wall-clock time means; None on a day that the zone left out."""
    shown = shows(all_, wall)
    if shown:
        return shown[0]
    before, after = next((a, b) for a, b in pairwise(all_) if a.end + a.offset <= wall < b.start + b.offset)
    midnight = wall - wall % DAY
    if before.end + before.offset <= midnight and midnight + DAY <= after.start + after.offset:
        return None
    return wall - before.offset  # as much later on the wall as the gap is long


def seconds(instant: datetime) -> int:
    return int((instant - EPOCH).total_seconds())


def days() -> Iterator[date]:
    day = FIRST.date() - timedelta(days=3)
    while day < LAST.date() + timedelta(days=40):
        yield day
        day += timedelta(days=1)


def wall(day: date, clock: time) -> int:
    return (day - date(1970, 1, 1)).days * DAY + clock.hour * HOUR + clock.minute * 60


@cache
def firings(zone: str, clock: time) -> list[int]:
    """When a wait until this clock time may end, in the order of the days."""
    found = [fires(spells(zone), wall(day, clock)) for day in days()]
    return sorted(at for at in found if at is not None)


def hours() -> range:
    return range(seconds(FIRST), seconds(LAST), HOUR)


def near_changes(zone: str, step: int) -> Iterator[int]:
    """Every hour within three days of a change of the clock, and each `step`-th of the others."""
    at = hours().start
    for spell in (*spells(zone)[1:], None):
        near = spell.start - 3 * DAY if spell is not None and spell.start < hours().stop else hours().stop
        yield from range(at, near, step * HOUR)
        at = max(at, min(near + 6 * DAY, hours().stop))
        yield from range(near - near % HOUR, at, HOUR)


@cache
def instants() -> tuple[datetime, ...]:
    return tuple(EPOCH + timedelta(seconds=at) for at in hours())


@pytest.mark.parametrize("zone", ZONES)
def test_from_every_hour_on_a_wait_until_a_clock_time_ends_at_the_next_such_time(
    zone: str,
) -> None:
    coming = [[EPOCH + timedelta(seconds=at) for at in firings(zone, clock)] for clock in CLOCKS]
    places = [0] * len(CLOCKS)
    for number, at in enumerate(instants()):
        which = number % len(CLOCKS)  # so that each clock time is waited for from each hour of the day
        expected, place = coming[which], places[which]
        while expected[place] <= at:
            place += 1
        places[which] = place
        assert next_clock_time(at, CLOCKS[which], zone) == expected[place], (zone, at)


@pytest.mark.parametrize("zone", ZONES)
def test_who_waits_again_where_a_wait_has_ended_comes_a_day_further_each_time(zone: str) -> None:
    for clock in CLOCKS:
        expected = firings(zone, clock)
        for before, after in zip(expected[::5], expected[1::5], strict=False):
            assert seconds(next_clock_time(EPOCH + timedelta(seconds=before), clock, zone)) == after
            assert seconds(next_clock_time(EPOCH + timedelta(seconds=after - 1), clock, zone)) == after


@pytest.mark.parametrize("zone", ZONES)
def test_from_every_hour_on_a_named_weekday_is_kept(zone: str) -> None:
    for number, at in enumerate(near_changes(zone, 37)):
        clock, name = CLOCKS[number % len(CLOCKS)], WEEKDAYS[number % 7]
        due = next_clock_time(EPOCH + timedelta(seconds=at), clock, zone, (name,))
        expected = firings(zone, clock)
        following = (x for x in expected[bisect_right(expected, at) :])
        assert seconds(due) == next(x for x in following if _weekday(zone, x, clock) == name)


def _weekday(zone: str, at: int, clock: time) -> str:
    """Of the day whose clock time it is: where a gap skips midnight, 23:59 of one day is shown as the next."""
    all_ = spells(zone)
    day = next(day for day in _around(at) if fires(all_, wall(day, clock)) == at)
    return WEEKDAYS[day.weekday()]


def _around(at: int) -> list[date]:
    middle = datetime.fromtimestamp(at, UTC).date()
    return [middle + timedelta(days=n) for n in (-1, 0, 1)]


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_later_is_the_same_clock_time_and_24_hours_are_24_hours(zone: str) -> None:
    all_ = spells(zone)
    one, elapsed = Duration("1d", days=1), Duration("24h", seconds=DAY)
    for at in near_changes(zone, 5):
        instant = EPOCH + timedelta(seconds=at)
        place = next(ix for ix, spell in enumerate(all_) if at < spell.end)
        shown = at + all_[place].offset
        expected = shown + DAY - all_[place].offset  # the usual day
        if not all_[place].start <= expected < all_[place].end or at - all_[place].start < DAY:
            other = fires(all_, shown + DAY)
            assert other is not None
            expected = other
        assert expected > at
        assert add(instant, one, zone) == instant + timedelta(seconds=expected - at), (zone, instant)
        if not shown % (7 * HOUR):
            assert add(instant, elapsed, zone) - instant == timedelta(days=1)


@pytest.mark.parametrize("zone", ZONES)
def test_a_month_and_a_week_later_are_the_same_clock_time_on_a_day_of_that_month(zone: str) -> None:
    all_ = spells(zone)
    for at in near_changes(zone, 41):
        instant = EPOCH + timedelta(seconds=at)
        shown = datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=UTC, fold=0)
        for duration, span in (
            (Duration("1mo", months=1), relativedelta(months=1)),
            (Duration("2w", days=14), relativedelta(weeks=2)),
        ):
            assert seconds(add(instant, duration, zone)) == fires(all_, seconds(shown + span)), (zone, instant)


QUIET = tuple(
    (time.fromisoformat(start), time.fromisoformat(end))
    for start, end in (
        ("21:00", "08:00"),
        ("22:00", "02:30"),
        ("01:30", "03:00"),
        ("00:00", "07:00"),
        ("23:30", "00:30"),
    )
)


@pytest.mark.parametrize("zone", ZONES)
def test_from_every_hour_on_quiet_hours_hold_until_the_first_instant_outside(zone: str) -> None:
    all_ = spells(zone)
    for number, at in enumerate(near_changes(zone, 5)):
        start, end = QUIET[number % len(QUIET)]
        found = seconds(first_outside(EPOCH + timedelta(seconds=at), start, end, zone))
        assert found == _outside(all_, at, start, end), (zone, at, start, end)


def _outside(all_: tuple[Spell, ...], at: int, start: time, end: time) -> int:
    """Walk along the wall: within one spell the span ends at its end or at the spell's own."""
    place = next(ix for ix, spell in enumerate(all_) if at < spell.end)
    while True:
        spell = all_[place]
        shown = at + spell.offset
        since, length = (
            (shown - wall(date(1970, 1, 1), start)) % DAY,
            (wall(date.min, end) - wall(date.min, start)) % DAY,
        )
        if since >= length:
            return at
        at += length - since
        if at < spell.end:
            return at
        at, place = spell.end, place + 1


@pytest.mark.parametrize("zone", ZONES)
def test_W11_and_T_quiet_hours_hold_from_their_first_second_to_their_last_every_day(zone: str) -> None:
    """W11: 07:59:59 and 21:00:00 are held, 08:00:00 and 20:59:59 go."""
    all_ = spells(zone)
    quiet = time(21), time(8)
    for day in list(days())[::7]:
        for clock, second, held in (("08:00", -1, True), ("08:00", 0, False), ("21:00", -1, False), ("21:00", 0, True)):
            moment = fires(all_, wall(day, time.fromisoformat(clock)))
            assert moment is not None
            at = EPOCH + timedelta(seconds=moment + second)
            until = first_outside(at, *quiet, zone)
            assert (until > at) is held
            if held:
                assert until == local_instant(day + timedelta(days=clock == "21:00"), time(8), zone)


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
def test_every_date_and_its_offset_come_to_their_clock_time_on_their_day(zone: str) -> None:
    all_ = spells(zone)
    before = Offset("-3d", Duration("3d", days=3), before=True)
    hours_before = Offset("-2h", Duration("2h", seconds=2 * HOUR), before=True)
    for number, day in enumerate(list(days())[5:-5]):
        clock = CLOCKS[number % len(CLOCKS)]
        said = day.isoformat()
        moment = fires(all_, wall(day, clock))
        assert moment is not None
        assert instant_of(said, None, clock, zone) == EPOCH + timedelta(seconds=moment)
        assert instant_of(said, hours_before, clock, zone) == EPOCH + timedelta(seconds=moment - 2 * HOUR)
        earlier = fires(all_, wall(day - timedelta(days=3), clock))
        assert earlier is not None
        assert instant_of(said, before, clock, zone) == EPOCH + timedelta(seconds=earlier)


def test_T5_a_birthday_comes_exactly_once_in_every_year_that_the_calendar_has() -> None:
    day = date(1992, 1, 1)
    while day < date(1993, 1, 1):
        for year in range(2026, 2032):
            found = {rule: yearly(day, year, rule) for rule in ("feb28", "mar1")}
            assert all(each.year == year for each in found.values())
            if (day.month, day.day) != (2, 29) or year == 2028:
                assert set(found.values()) == {date(year, day.month, day.day)}
            else:
                assert found == {"feb28": date(year, 2, 28), "mar1": date(year, 3, 1)}
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "left_out"),
    [("Pacific/Apia", "2011-12-30"), ("Pacific/Kiritimati", "1994-12-31"), ("Pacific/Enderbury", "1994-12-31")],
)
def test_a_day_that_a_zone_left_out_is_passed_over_by_every_kind_of_wait(zone: str, left_out: str) -> None:
    missing = date.fromisoformat(left_out)
    eve, morrow = missing - timedelta(days=1), missing + timedelta(days=1)
    assert [day_exists(day, zone) for day in (eve, missing, morrow)] == [True, False, True]
    all_ = spells(
        zone,
        EPOCH + timedelta(days=(eve - date(1970, 1, 1)).days - 5),
        EPOCH + timedelta(days=(eve - date(1970, 1, 1)).days + 9),
    )
    for clock in CLOCKS:
        assert fires(all_, wall(missing, clock)) is None
        evening, after = local_instant(eve, clock, zone), local_instant(morrow, clock, zone)
        assert after - evening == timedelta(days=1)  # two dates further, and yet one day later
        assert next_clock_time(evening, clock, zone) == after
        assert next_clock_time(evening, clock, zone, (WEEKDAYS[missing.weekday()],)) == after + timedelta(days=6)
        assert add(evening, Duration("1d", days=1), zone) == after
        assert add(local_instant(eve - timedelta(days=13), clock, zone), Duration("2w", days=14), zone) == after
        assert instant_of(eve.isoformat(), Offset("1d", Duration("1d", days=1), before=False), clock, zone) == after


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2027-01-31", "2027-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2026-10-31", "2026-11-30"),
        ("2026-12-31", "2027-01-31"),
    ],
)
def test_the_31st_plus_a_month_is_the_last_day_of_the_next_in_every_zone(day: str, expected: str) -> None:
    for zone in ZONES:
        at = local_instant(date.fromisoformat(day), time(9), zone)
        assert add(at, Duration("1mo", months=1), zone) == local_instant(date.fromisoformat(expected), time(9), zone)
