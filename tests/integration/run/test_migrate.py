"""Editing a live journey: people under way stay on their version, or move as the map says; none is lost, doubled or let in again."""

from __future__ import annotations

from datetime import timedelta
from textwrap import dedent
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from engine.catalog import Definitions, JourneyFile
from engine.grammar import Declared
from engine.run.apply import apply_plan
from engine.run.machines import read_source
from engine.run.migrate import StrandedError
from tests.integration.run.town import NOWHERE, ZONE, Town

DRIP = """
journey: drip
topic: offers
{in_flight}
trigger: {{event: signed_up}}
exit:
  - {{event: closed}}
steps:
  - {{id: pause, wait: {wait}}}
  - {{id: first, send: hello, via: sms}}
  - {{id: answer, wait_for: {{event: replied, timeout: {timeout}}}}}
  - {{id: second, send: bye, via: sms}}
"""


def drip(wait: str = "2h", timeout: str = "1d", migrate: str | None = None) -> str:
    rule = "in_flight: pin" if migrate is None else f"in_flight: {{migrate: {migrate}}}"
    return DRIP.format(in_flight=rule, wait=wait, timeout=timeout)


def enter(town: Town, *names: str) -> list[int]:
    people = [town.person(name) for name in names]
    for person in people:
        town.does(person, "signed_up")
    town.settle()
    return people


def standing(town: Town) -> list[tuple[Any, ...]]:
    with town.engine.connect() as conn:
        query = "SELECT e.step, e.visit, v.id = j.version_id FROM enrollment e JOIN journey j ON j.name = e.journey JOIN journey_version v ON v.id = e.version_id ORDER BY e.id"
        return [tuple(row) for row in conn.execute(text(query))]


def test_under_pin_a_shortened_wait_ends_when_it_would_have(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    town.later(minutes=90)
    town.apply(drip(wait="1h"))
    town.settle()
    assert (town.sends(), standing(town)) == ([], [("pause", 1, False)])
    town.later(minutes=31)
    town.settle()
    assert town.sends() == [("hello", "planned")]


def test_a_shortened_wait_that_is_over_releases_now(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    town.later(minutes=90)
    town.apply(drip(wait="1h", migrate="{}"))
    town.settle()
    assert town.sends() == [("hello", "planned")]
    assert standing(town) == [("first", 2, True)]


def test_a_lengthened_wait_extends_from_arrival_and_fires_once(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    town.later(minutes=90)
    town.apply(drip(wait="3h", migrate="{}"))
    town.later(minutes=85)
    town.settle()
    assert town.sends() == []
    town.later(minutes=5)
    town.settle()
    town.later(hours=1)
    town.settle()
    assert town.sends() == [("hello", "planned")]


def test_a_wait_that_is_over_and_not_decided_yet_still_extends(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    town.later(minutes=121)
    town.apply(drip(wait="3h", migrate="{}"))
    town.settle()
    assert town.sends() == []
    town.later(hours=1)
    town.settle()
    assert town.sends() == [("hello", "planned")]


def test_a_longer_timeout_keeps_waiting_and_the_event_still_counts(town: Town) -> None:
    town.apply(drip(wait="1h"))
    ani, _ = enter(town, "ani", "budi")
    town.later(hours=1)
    town.settle()
    town.ends()
    town.later(hours=20)
    town.apply(drip(wait="1h", timeout="3d", migrate="{}"))
    town.settle()
    town.later(hours=20)
    town.settle()
    assert standing(town) == [("answer", 3, True), ("answer", 3, True)]
    town.does(ani, "replied")
    town.settle()
    assert standing(town) == [("second", 4, True), ("answer", 3, True)]


def test_a_message_in_the_outbox_stays_and_is_of_the_new_version(town: Town) -> None:
    town.apply(drip(wait="1h"))
    enter(town, "ani")
    town.later(hours=1)
    town.settle()
    town.apply(drip(wait="1h", timeout="2d", migrate="{}").replace("send: hello", "send: hallo"))
    town.settle()
    assert town.sends() == [("hallo", "planned")]
    town.ends()
    assert standing(town) == [("answer", 3, True)]


def test_the_map_moves_people_to_another_wait_with_their_time_of_arrival(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    town.later(minutes=30)
    town.apply(drip(wait="1h", migrate="{pause: nap}").replace("id: pause", "id: nap"))
    town.later(minutes=29)
    town.settle()
    assert (town.sends(), standing(town)) == ([], [("nap", 2, True)])
    town.later(minutes=1)
    town.settle()
    assert town.sends() == [("hello", "planned")]


def test_the_map_onto_a_send_sends_it_once_however_often_it_was_sent_before(town: Town) -> None:
    town.apply(drip(wait="1h"))
    enter(town, "ani", "budi")
    town.later(hours=1)
    town.settle()
    town.ends()
    town.apply(drip(migrate="{answer: first}").replace("id: answer", "id: other"))
    town.settle()
    assert town.sends() == [("hello", "accepted")] * 2  # its key is taken: they go on from it
    assert standing(town) == [("other", 5, True)] * 2
    town.apply(drip(migrate="{other: second}").replace("id: answer", "id: last"))
    town.settle()
    assert [sent for sent, _ in town.sends()] == ["hello", "hello", "bye", "bye"]


def test_people_on_a_step_without_an_id_must_be_named_by_the_map(town: Town) -> None:
    source = drip().replace("id: pause, ", "")
    town.apply(source)
    enter(town, "ani")
    with pytest.raises(StrandedError, match="1 person stands on 'steps.0': it has no id"):
        town.apply(drip(wait="1h", migrate="{}").replace("id: pause, ", ""))
    assert standing(town) == [("steps.0", 1, True)]
    town.apply(drip(wait="1h", migrate="{steps.0: pause}"))
    assert standing(town) == [("pause", 2, True)]


def test_a_step_that_is_gone_while_people_stand_on_it_refuses_the_whole_apply(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    with pytest.raises(StrandedError, match=r"1 person stands on 'pause': the new version has no step 'pause'"):
        town.apply(
            drip(migrate="{}").replace("id: pause", "id: nap"), drip().replace("journey: drip", "journey: other")
        )
    with town.engine.connect() as conn:
        assert list(conn.scalars(text("SELECT name FROM journey"))) == ["drip"]


def test_who_was_pinned_on_an_older_version_moves_too(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    town.apply(drip(wait="3h"))
    enter(town, "budi")
    town.apply(drip(wait="4h", migrate="{}"))
    assert standing(town) == [("pause", 1, True), ("pause", 1, True)]


def test_a_paused_journey_moves_its_people_when_it_goes_on(town: Town) -> None:
    town.apply(drip())
    enter(town, "ani")
    with town.engine.begin() as conn:
        conn.execute(
            text("INSERT INTO hold (scope, name, reason, by, at) VALUES ('journey', 'drip', 'x', 'x', :now)"),
            {"now": town.now},
        )
    town.later(minutes=90)
    town.apply(drip(wait="1h", migrate="{}"))
    town.settle()
    assert town.sends() == []
    with town.engine.begin() as conn:
        conn.execute(text("UPDATE hold SET lifted_at = :now"), {"now": town.now})
    town.settle()
    assert town.sends() == [("hello", "planned")]


def test_the_new_versions_exit_rules_hold_at_once(town: Town) -> None:
    town.apply(drip())
    (ani,) = enter(town, "ani")
    town.does(ani, "bought")
    town.settle()
    town.apply(drip(migrate="{}").replace("event: closed", "event: bought"))
    town.settle()
    assert town.enrollments() == [("ended", None, "bought")]


def crowd(town: Town, people: int) -> None:
    """So many people stand on the wait of `drip`, as if they had entered now."""
    with town.engine.begin() as conn:
        for statement in (
            (
                "INSERT INTO contact (user_id, traits, created_at, updated_at) "
                "SELECT 'p' || n, '{}', :now, :now FROM generate_series(1, :people) n"
            ),
            (
                "INSERT INTO enrollment (journey, version_id, contact_id, state, step, visit, entered_at, enrolled_at, arrived_at, due_at) "
                "SELECT j.name, j.version_id, c.id, 'active', 'pause', 1, :now, :now, :now, :due FROM contact c, journey j"
            ),
            (
                "INSERT INTO signal (contact_id, enrollment_id, journey, kind, at, visit) "
                "SELECT contact_id, id, journey, 'timer', due_at, 1 FROM enrollment"
            ),
        ):
            conn.execute(text(statement), {"now": town.now, "due": town.now + timedelta(hours=2), "people": people})


def everybody_stands_on(town: Town, step: str, people: int) -> None:
    """Each once, with one message and nothing left to decide."""
    with town.engine.connect() as conn:
        active = "SELECT count(*), count(DISTINCT contact_id) FROM enrollment WHERE state = 'active' AND step = :step"
        assert conn.execute(text(active), {"step": step}).one() == (people, people)
        assert conn.scalar(text("SELECT count(*) FROM enrollment")) == people
        assert conn.execute(text("SELECT count(*), count(DISTINCT enrollment_id) FROM send")).one() == (people, people)
        assert conn.scalar(text("SELECT count(*) FROM signal")) == 0


@pytest.mark.parametrize("migrate", [None, "{pause: nap}"])
def test_C24_editing_with_ten_thousand_people_in_waits_loses_doubles_and_lets_in_nobody(
    town: Town, migrate: str | None
) -> None:
    town.apply(drip())
    crowd(town, 10_000)
    town.later(minutes=90)
    town.apply(drip(wait="1h", migrate=migrate).replace("id: pause", "id: nap"))
    town.settle()
    with town.engine.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM send")) == (0 if migrate is None else 10_000)
    town.later(minutes=60)
    town.settle()
    everybody_stands_on(town, "first", 10_000)


def test_people_who_are_decided_while_they_are_moved_end_up_whole(town: Town) -> None:
    town.apply(drip())
    crowd(town, 2_000)
    town.later(hours=2)  # every wait is over: some are decided before the edit, the rest after it
    faults: list[Exception] = []

    def work() -> None:
        try:
            while town.advance(100).contacts:
                pass
        except Exception as error:  # noqa: BLE001  handed to the test
            faults.append(error)

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    town.apply(drip(wait="1h", migrate="{pause: nap}").replace("id: pause", "id: nap"))
    for worker in workers:
        worker.join()
    town.settle()
    assert faults == []
    assert {row[2] for row in standing(town)} == {True}
    everybody_stands_on(town, "first", 2_000)


LOOP = """
journey: loop
topic: offers
{in_flight}
trigger: {{event: signed_up}}
steps:
  - {{id: nap, wait: 5m}}
  - id: {id}
    repeat:
      up_to: 3
      every: 1d
      do:
        - {{id: tip, send: tip, via: sms}}
        - {{id: rest, wait: {rest}}}
"""


def test_rounds_are_counted_on_and_no_round_is_sent_twice(town: Town) -> None:
    town.apply(LOOP.format(in_flight="in_flight: pin", id="weekly", rest="2h"))
    enter(town, "ani")
    town.later(minutes=5)
    town.settle()
    town.ends()
    town.later(minutes=90)
    town.apply(LOOP.format(in_flight="in_flight: {migrate: {weekly: daily}}", id="daily", rest="1h"))
    for _ in range(4):
        town.settle()
        town.ends()
        town.later(days=1)
    with town.engine.connect() as conn:
        assert list(conn.scalars(text("SELECT round FROM send ORDER BY id"))) == [1, 2, 3]
    town.settle()
    assert town.enrollments() == [("ended", None, "completed")]


def test_nobody_is_put_into_the_midst_of_a_repeat(town: Town) -> None:
    town.apply(LOOP.format(in_flight="in_flight: pin", id="weekly", rest="2h"))
    enter(town, "ani")
    edited = LOOP.format(in_flight="in_flight: {migrate: {nap: rest}}", id="weekly", rest="1h").replace(
        "id: nap", "id: doze"
    )
    with pytest.raises(StrandedError, match="'rest' stands inside the repeat 'weekly', which they have not begun"):
        town.apply(edited)
    town.apply(edited.replace("nap: rest", "nap: weekly"))
    town.settle()
    assert town.sends() == [("tip", "planned")]


def test_another_journey_hears_that_people_of_a_removed_one_were_ended(town: Town) -> None:
    farewell = """
    journey: farewell
    topic: offers
    trigger: {finished: drip, reason: removed}
    steps:
      - {id: last, wait: 1h}
    """
    town.apply(drip(), farewell)
    enter(town, "ani")
    files = Definitions(
        {"farewell": JourneyFile(read_source("farewell", dedent(farewell), Declared()), dedent(farewell), NOWHERE)}, {}
    )
    apply_plan(town.engine, files, ZONE, town.now, "test", end=True)
    town.settle()
    assert town.enrollments("journey", "state", "reason") == [
        ("drip", "ended", "removed"),
        ("farewell", "active", None),
    ]
