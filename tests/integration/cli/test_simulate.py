"""`alur simulate`, as a marketer runs it: files in, totals, timelines and a picture out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.desk import Desk, identify

PEOPLE = """user_id,email,phone,first_name,consent
ani,ani@example.com,081234567890,Ani,offers
budi,budi@example.com,081234567891,Budi,
"""
EVENTS = [
    {"user_id": "ani", "at": "2026-02-20T20:00:00+07:00", "event": "signed_up", "properties": {"plan": "free"}},
    {"user_id": "budi", "at": "2026-03-02T20:00:10+07:00", "event": "signed_up", "properties": {"plan": "free"}},
    {"user_id": "ani", "at": "2026-03-03T20:00:00+07:00", "event": "signed_up", "properties": {"plan": "free"}},
    {"user_id": "cici", "at": "2026-03-04T09:00:00+07:00", "identify": {"phone": "081234567892", "first_name": "Cici", "consent": ["offers"]}},
    {"user_id": "cici", "at": "2026-03-05T09:00:30+07:00", "event": "signed_up", "properties": {"plan": "free"}},
]  # fmt: skip
CURIOUS = """
    journey: curious
    topic: offers
    trigger: {event: signed_up}
    steps:
      - {id: hello, send: hello, via: sms}
      - wait_for: {when: {message: {step: hello, was: clicked}}, timeout: 2d}
        then:
          - exit: clicked
"""
SPAN = ("--from", "2026-03-01", "--until", "2026-03-31")


@pytest.fixture(scope="module")
def desk(shared_desk: Desk) -> Desk:
    """One workspace for all: a stage's server takes seconds to start."""
    return shared_desk


@pytest.fixture(scope="module")
def files(desk: Desk) -> tuple[str, ...]:
    desk.write("people.csv", PEOPLE)
    desk.write("events.jsonl", "\n".join(json.dumps(event) for event in EVENTS))
    return ("--contacts", str(desk.root / "people.csv"), "--events", str(desk.root / "events.jsonl"), *SPAN)


def simulated(desk: Desk, *arguments: str) -> dict[str, object]:
    done = desk.alur("simulate", *arguments, "--output", "json")
    assert done.code == 0, done.err
    (journey,) = done.json["journeys"]
    return dict(journey)


def test_it_tells_who_entered_and_what_was_sent_or_not_and_why(desk: Desk, files: tuple[str, ...]) -> None:
    journey = simulated(desk, "welcome", *files)
    assert journey["entered"] == 3  # what lies before --from starts nothing
    first = journey["steps"][0]  # type: ignore[index]
    assert first["sent"] == {"sms": 2}
    assert first["unsent"] == {"no_consent": 1}


def test_everybodys_timeline_has_exact_times_and_names_no_stranger(desk: Desk, files: tuple[str, ...]) -> None:
    people = desk.root / "timelines.jsonl"
    simulated(desk, "welcome", *files, "--people", str(people))
    lines = [json.loads(line) for line in people.read_text().splitlines()]
    assert [line["contact"] for line in lines] == ["ani", "budi", "cici"]
    entered = lines[1]["timeline"][0]
    assert (entered["what"], entered["at"]) == ("entered", "2026-03-02T13:00:10+00:00")


def test_the_same_files_give_the_same_bytes(desk: Desk, files: tuple[str, ...]) -> None:
    said = []
    for turn in ("1", "2"):
        people = desk.root / f"timelines-{turn}.jsonl"
        done = desk.alur("simulate", *files, "--people", str(people), "--output", "json")
        said.append((done.out, people.read_bytes()))
    assert said[0] == said[1]


def test_people_react_by_a_chance_that_the_seed_names(desk: Desk, files: tuple[str, ...]) -> None:
    def clicks(*arguments: str) -> object:
        return simulated(desk, "curious", *files, "--clicks", "50%", *arguments)["ended"]

    desk.write("journeys/curious.yaml", CURIOUS)
    try:
        assert clicks("--seed", "1") == clicks("--seed", "1") != clicks("--seed", "2")
    finally:
        (desk.root / "journeys/curious.yaml").unlink()


def test_the_picture_shows_the_people_on_the_steps(desk: Desk, files: tuple[str, ...], tmp_path: Path) -> None:
    simulated(desk, "welcome", *files, "-o", str(tmp_path / "welcome.svg"))
    assert "<svg" in (tmp_path / "welcome.svg").read_text()


def test_a_segment_of_the_live_database_is_copied_with_its_history_and_stays_as_it_is(desk: Desk) -> None:
    assert desk.alur("apply", "--yes").code == 0
    desk.takes(identify("vera", phone="081234567893", first_name="Vera", points=5000, consent=["offers"]))
    desk.settles(minutes=2)
    with desk.app() as app, app.engine.connect() as conn:
        before = conn.exec_driver_sql("SELECT count(*) FROM send").scalar_one()
    later = desk.write(
        "later.jsonl",
        '{"user_id": "vera", "at": "2027-03-02T20:00:00+07:00", "event": "signed_up", "properties": {"plan": "free"}}\n',
    )
    events = ("--events", str(later), "--from", "2027-03-01", "--until", "2027-03-10")
    assert simulated(desk, "welcome", "--segment", "vip", *events)["entered"] == 1
    with desk.app() as app, app.engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM send").scalar_one() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("welcom",), "no journey 'welcom' (did you mean 'welcome'?)"),
        (("--from", "yesterday"), "'yesterday' is neither a day"),
        (("--from", "2026-03-02", "--until", "2026-03-01"), "must be later than --from"),
        (("--refresh", "1mo"), "is no span of at least a minute"),
        (("--segment", "nobody"), "nobody is in the segment 'nobody'"),
    ],
)
def test_what_can_not_be_simulated_is_said(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    done = desk.alur("simulate", *arguments)
    assert done.code in {1, 2}
    assert said in done.err.replace("\n", " ").replace("│", "").replace("  ", " ")
