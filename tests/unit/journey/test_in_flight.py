"""`in_flight` is read strictly, and says for every step where people on it go."""

from __future__ import annotations

from textwrap import dedent

import pytest

from engine.document import read_document
from engine.grammar import Reader
from engine.journey.in_flight import InFlight
from engine.journey.journey import Journey, read_journey
from engine.journey.machine import Machine, compile_journey
from engine.journey.moving import Route, Stranded, route

SOURCE = """
journey: drip
topic: offers
trigger: {event: signed_up}
steps:
  - wait: 1h
  - {id: pause, wait: 1d}
  - {id: hello, send: hello, via: sms}
  - id: weekly
    repeat: {up_to: 2, every: 1d, do: [{id: tip, send: tip, via: sms}]}
"""


def read(source: str) -> tuple[Journey | None, list[str]]:
    node, problems = read_document(dedent(source).encode(), "journeys/drip.yaml")
    assert node is not None, problems
    reader = Reader("journeys/drip.yaml")
    return read_journey(node, reader, "drip"), [str(problem) for problem in reader.problems]


def machine(source: str = SOURCE) -> Machine:
    journey, problems = read(source)
    assert journey is not None, problems
    return compile_journey(journey)


def test_without_a_word_people_stay_on_their_version() -> None:
    journey, _ = read(SOURCE)
    assert journey is not None
    assert journey.in_flight == InFlight("pin")


def test_a_map_may_name_old_steps_by_their_path() -> None:
    journey, _ = read(SOURCE + "in_flight: {migrate: {steps.0: pause, old: hello}}\n")
    assert journey is not None
    assert journey.in_flight == InFlight("migrate", {"steps.0": "pause", "old": "hello"})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "{migrate: {old: paus}}",
            "10:28: unknown step 'paus' (did you mean 'pause'?): the new step must be in this file",
        ),
        ("migrate", "10:12: write {migrate: {old_step: new_step}}, or {migrate: {}} when every id has stayed"),
        ("stay", "10:12: unknown in_flight rule 'stay'"),
        ("{migrate: [old]}", "10:22: expected a mapping {old_step: new_step}"),
        ("{migrate: {Old: pause}}", "10:23: expected the id of a step (or its path, such as steps.0), found 'Old'"),
        ("{move: {}}", "10:13: unknown key 'move' in in_flight"),
    ],
)
def test_what_it_does_not_know_is_refused_where_it_stands(written: str, said: str) -> None:
    journey, problems = read(SOURCE.lstrip("\n") + f"in_flight: {written}\n")
    assert journey is None
    assert any(problem.startswith(f"journeys/drip.yaml:{said}") for problem in problems), problems


def test_people_on_an_id_that_stayed_stay_on_it_and_do_nothing_again() -> None:
    assert route(machine(), machine(), InFlight("migrate"), "hello") == Route("hello", "hello")


def test_people_who_are_led_to_another_send_arrive_there_and_on_a_wait_they_wait_on() -> None:
    rule = InFlight("migrate", {"pause": "hello", "hello": "pause"})
    assert route(machine(), machine(), rule, "pause") == Route("pause", "hello", arrives=True)
    assert route(machine(), machine(), rule, "hello") == Route("hello", "pause")


def test_an_id_that_became_another_kind_of_step_is_begun() -> None:
    after = machine(SOURCE.replace("{id: pause, wait: 1d}", "{id: pause, send: hallo, via: sms}"))
    assert route(machine(), after, InFlight("migrate"), "pause") == Route("pause", "pause", arrives=True)


def test_a_step_without_an_id_and_one_that_is_gone_lead_nowhere() -> None:
    after = machine(SOURCE.replace("id: pause", "id: paused"))
    for step, why in (("steps.0", "it has no id"), ("pause", "no step 'pause' (did you mean 'paused'?)")):
        found = route(machine(), after, InFlight("migrate"), step)
        assert isinstance(found, Stranded)
        assert why in found.why


def test_a_repeat_that_is_called_otherwise_keeps_its_rounds() -> None:
    after = machine(SOURCE.replace("id: weekly", "id: daily"))
    found = route(machine(), after, InFlight("migrate", {"weekly": "daily"}), "tip")
    assert found == Route("tip", "tip", laps={"weekly": "daily"}, lap="weekly")
