"""`alur plan`: every change step by step, who stands where and where they go, whom it lets in, and what speaks against it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from tests.integration.cli.desk import WELCOME, Desk, identify, track

CONSENT = {"consent": ["offers"]}
EDITED = WELCOME.replace("wait: 1d", "wait: 2d")


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    """The journey is applied; two people wait in it, on the step without an id."""
    desk.write("journeys/welcome.yaml", WELCOME.replace("- wait: 1d", "- {id: pause, wait: 1d}"))
    assert desk.alur("apply", "--yes").code == 0
    for name in ("ani", "budi"):
        desk.takes(identify(name, phone=f"+62812345678{len(name)}{len(name)}", first_name=name, **CONSENT))
        desk.takes(track("signed_up", name, plan="pro"))
    desk.settles(seconds=1)
    return desk


def edit(desk: Desk, **changes: str) -> None:
    source = WELCOME.replace("- wait: 1d", "- {id: pause, wait: 1d}")
    for old, new in changes.items():
        source = source.replace(f"{old}:", f"{new}:", 1)
    desk.write("journeys/welcome.yaml", source)


def welcome(wait: str = "1d", id: str = "pause", migrate: str | None = None) -> str:
    source = WELCOME.replace("- wait: 1d", f"- {{id: {id}, wait: {wait}}}")
    return source if migrate is None else source + f"    in_flight: {{migrate: {migrate}}}\n"


def lines(desk: Desk, *arguments: str) -> list[str]:
    return [line.strip() for line in desk.alur("plan", *arguments).out.splitlines()]


def test_under_pin_it_says_what_changes_and_who_stays_on_which_version(waiting: Desk) -> None:
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    said = lines(waiting)
    assert "~ pause: wait: 1d -> 2d" in said
    assert "2 people under way stay on the version they entered" in said
    assert any(line.startswith("2 on pause (wait 1d), stay on it in ") for line in said)


def test_under_migrate_it_says_where_they_go(waiting: Desk) -> None:
    waiting.write("journeys/welcome.yaml", welcome(id="nap", migrate="{pause: nap}"))
    said = lines(waiting)
    assert "2 people under way move to the new version" in said
    assert "2 on pause (wait 1d), go to nap" in said
    done = waiting.alur("apply", "--yes")
    assert done.err == "applied: 1 changed journey, 2 people moved\n"


def test_an_id_that_vanished_under_people_is_refused_until_the_map_covers_it(waiting: Desk) -> None:
    waiting.write("journeys/welcome.yaml", welcome(id="nap", migrate="{}"))
    for command in (("plan",), ("apply", "--yes")):
        done = waiting.alur(*command)
        assert done.code == 1
        assert "refused: journey 'welcome': 2 people stand on 'pause': the new version has no step 'pause'" in done.err
    assert waiting.alur("plan", "-o", str(waiting.root / "p.plan")).code == 1
    assert not (waiting.root / "p.plan").exists()


def test_a_renamed_id_gets_a_warning_under_pin(waiting: Desk) -> None:
    waiting.write("journeys/welcome.yaml", welcome(id="nap"))
    assert any("'pause' seems to be called 'nap' now" in line for line in lines(waiting))


def test_a_template_that_wants_what_a_running_version_lacks_is_refused(waiting: Desk) -> None:
    waiting.write("templates/sms/hello.txt", "Halo {{ contact.first_name }}, {{ vars.code }}\n")
    waiting.write(
        "journeys/welcome.yaml", welcome().replace("send: hello, via: sms}", "send: hello, via: sms, vars: {code: X}}")
    )
    done = waiting.alur("plan")
    assert done.code == 1
    assert "the template 'hello' wants vars.code, and the version" in done.err
    assert "gives 'again' no such variable" in done.err
    assert "'hello' no such" not in done.err  # that message is behind everybody


def test_a_broadcast_says_whom_it_lets_in_without_those_who_could_not_be_reached(desk: Desk) -> None:
    desk.takes(identify("ani", phone="+6281234567890", points=200, **CONSENT))
    desk.takes(identify("budi", phone="+6281234567891", points=200))
    desk.takes(identify("citra", points=200, **CONSENT))
    desk.takes(identify("dewi", phone="+6281234567893", points=5, **CONSENT))
    desk.write(
        "journeys/sale.yaml",
        """
        journey: sale
        topic: offers
        trigger: {at: "2099-01-01T09:00:00+07:00", segment: vip}
        delivery: {throttle: 1/h}
        steps:
          - {send: hello, via: sms}
    """,
    )
    said = lines(desk)
    assert (
        "lets in 1 person at 2099-01-01 09:00:00, by who is in its segments today; 2 more could not be reached" in said
    )
    assert "segment vip: 3 people" in said
    with desk.app() as app, app.engine.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM segment_member")) == 0  # it only looked


def test_a_backfill_counts_once_and_an_event_nobody(desk: Desk) -> None:
    desk.takes(identify("ani", phone="+6281234567890", points=200, **CONSENT))
    source = """
        journey: vips
        topic: offers
        trigger: {enters: vip}
        entry: {backfill: true}
        steps:
          - {id: hi, wait: WAIT}
          - {send: hello, via: sms}
    """
    desk.write("journeys/vips.yaml", source.replace("WAIT", "1h"))
    assert "lets in 1 person now, by who is in its segments today" in lines(desk)
    assert desk.alur("apply", "--yes").code == 0
    desk.settles(seconds=5)
    desk.write("journeys/vips.yaml", source.replace("WAIT", "2h"))
    planned = json.loads(desk.alur("plan", "--output", "json").out)
    assert [(j["name"], j["lets_in"]) for j in planned["journeys"]] == [("vips", None)]


def test_an_event_that_never_came_gets_a_warning(desk: Desk) -> None:
    desk.takes(track("signed_in", "ani"))
    assert any("no event 'signed_up' is among the last" in line for line in lines(desk))


def test_a_kept_plan_is_applied_as_it_is_and_without_a_question(waiting: Desk) -> None:
    kept = str(waiting.root / "friday.plan")
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    assert waiting.alur("plan", "-o", kept).code == 0
    assert "~ pause: wait: 1d -> 2d" in "\n".join(json.loads((waiting.root / "friday.plan").read_text())["text"])
    done = waiting.alur("apply", kept, "--note", "slower")
    assert (done.code, done.err) == (0, "applied: 1 changed journey\n")


@pytest.mark.parametrize("moves", ["the files", "what is applied"])
def test_a_kept_plan_is_refused_when_the_ground_has_moved(waiting: Desk, moves: str) -> None:
    kept = str(waiting.root / "friday.plan")
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    waiting.alur("plan", "-o", kept)
    if moves == "what is applied":
        waiting.alur("apply", "--yes")
    else:
        waiting.write("journeys/welcome.yaml", welcome(wait="3d"))
    done = waiting.alur("apply", kept)
    assert done.code == 1
    assert f"the ground of this plan has moved: journey welcome has changed in {moves}" in done.err


def test_a_file_that_is_no_plan_is_told_apart(desk: Desk) -> None:
    done = desk.alur("apply", str(desk.root / "config.yaml"))
    assert done.code == 1
    assert "is no plan: `alur plan -o FILE` writes one" in done.err


def test_people_of_a_removed_journey_finish_unless_they_are_ended(waiting: Desk) -> None:
    (waiting.root / "journeys/welcome.yaml").unlink()
    assert "2 people under way finish" in lines(waiting)
    assert waiting.alur("apply", "--yes").code == 0
    assert waiting.alur("plan").err == "nothing to apply: what runs is what the files say\n"
    assert "2 people leave as removed" in waiting.alur("plan", "--end").out
    assert waiting.alur("apply", "--yes", "--end").err == "applied: 2 people left removed journeys\n"
    with waiting.app() as app, app.engine.connect() as conn:
        assert [tuple(row) for row in conn.execute(text("SELECT state, reason FROM enrollment"))] == [
            ("ended", "removed")
        ] * 2
        assert conn.scalar(text("SELECT count(*) FROM signal WHERE kind = 'timer'")) == 0


def test_it_draws_what_changes(waiting: Desk) -> None:
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    done = waiting.alur("plan", "--mermaid", "--draw", str(waiting.root / "pictures"))
    assert "changed: wait 2d" in done.out
    assert "wait 2d · changed" in (waiting.root / "pictures/welcome.svg").read_text()


def test_a_live_picture_has_the_people_of_its_version_and_tells_of_the_others(waiting: Desk) -> None:
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    waiting.alur("apply", "--yes")
    done = waiting.alur("draw", "welcome", "--live")
    assert "wait 2d<br/>0 people" in done.out
    (said,) = done.err.splitlines()
    assert said.startswith("2 people on the older version ")
    older = waiting.alur("draw", "welcome", "--live", "--version", said.split()[-3], "-o", str(waiting.root / "x.svg"))
    assert older.code == 0
    assert "2 on this step" in (waiting.root / "x.svg").read_text()
    assert waiting.alur("draw", "welcome", "--version", "x").code == 2
    assert "there are" in waiting.alur("draw", "welcome", "--live", "--version", "zz").err
