"""`alur plan`: every change step by step, who stands where and where they go, whom it lets in, and what speaks against it."""

from __future__ import annotations

import json
from datetime import timedelta
from textwrap import dedent

import pytest
from sqlalchemy import text

from tests.integration.cli.desk import CONFIG, WELCOME, Desk, identify, track

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
    assert "the step's vars have no 'code'" in done.err
    assert "'hello' no such" not in done.err  # that message is behind everybody


@pytest.mark.parametrize(
    ("shows", "why"),
    [
        ("event.total", "events.signed_up in config.yaml has no 'total'"),
        ("matched.total", "not everybody who comes here has met the event of a wait_for"),
    ],
)
def test_a_running_version_is_held_to_the_same_data_as_the_files(waiting: Desk, shows: str, why: str) -> None:
    events = "{signed_up: {properties: {plan: text}}, order_completed: {properties: {total: number}}}"
    waiting.write("config.yaml", f"{dedent(CONFIG)}events: {events}\n")
    waiting.write("templates/sms/hello.txt", f"Halo {{{{ {shows} }}}}\n")
    source = welcome().replace("{event: signed_up, where: {event.plan: {exists: true}}}", "{event: order_completed}")
    met = "- wait_for: {event: order_completed, timeout: 1d}\n        otherwise: [{exit: none}]\n      - {id: hello"
    waiting.write("journeys/welcome.yaml", source.replace("- {id: hello", met))
    done = waiting.alur("plan")
    assert "problem" not in done.err, done.err
    (refused,) = [line for line in done.err.splitlines() if line.startswith("refused: ")]
    assert f"the template 'hello' wants {shows}, and the version " in refused
    assert why in refused


def test_a_version_that_config_yaml_no_longer_lets_anybody_read_is_told(waiting: Desk) -> None:
    where = "{event: signed_up, where: {event.plan: {exists: true}}}"
    typed = where.replace("{exists: true}", "pro")
    waiting.write("journeys/welcome.yaml", welcome().replace(where, typed))
    assert waiting.alur("apply", "--yes").code == 0
    waiting.takes(track("signed_up", "ani", plan="pro"), track("signed_up", "dewi", plan="pro"))
    waiting.settles(seconds=1)
    waiting.write("config.yaml", f"{dedent(CONFIG)}events: {{signed_up: {{properties: {{plan: number}}}}}}\n")
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    (warned,) = [line for line in lines(waiting) if "can't be read" in line]
    assert warned.startswith("warning: journey 'welcome': 1 person stands on the version ")
    assert "journeys/welcome.yaml:3:49: event.plan is a number, found 'pro'" in warned


def test_templates_that_have_changed_since_the_last_apply_are_listed(waiting: Desk) -> None:
    assert not any("template" in line for line in lines(waiting))
    waiting.write("templates/sms/hello.txt", "Hai {{ contact.first_name }}\n")
    waiting.write("templates/sms/other.txt", "Baru\n")
    done = waiting.alur("plan")
    assert done.err == "nothing to apply: what runs is what the files say\n"
    assert [" ".join(line.split()) for line in done.out.splitlines() if "template" in line] == [
        "changed template templates/sms/hello.txt goes out as it is now; sent by welcome",
        "new template templates/sms/other.txt no journey sends it",
    ]
    waiting.write("journeys/welcome.yaml", welcome(wait="2d"))
    (change, *templates) = json.loads(waiting.alur("plan", "--output", "json").out)["changes"]
    assert (change["name"], [each["name"] for each in templates]) == (
        "welcome",
        ["templates/sms/hello.txt", "templates/sms/other.txt"],
    )
    assert waiting.alur("apply", "--yes").err == "applied: 1 changed journey\n"
    assert lines(waiting) == []
    (waiting.root / "templates/sms/other.txt").unlink()
    assert [line.split()[0] for line in lines(waiting) if "other.txt" in line] == ["removed"]
    assert all("template" not in change["what"] for each in entries(waiting) for change in each["changes"])


def entries(desk: Desk) -> list[dict[str, list[dict[str, str]]]]:
    found: list[dict[str, list[dict[str, str]]]] = json.loads(desk.alur("history", "--output", "json").out)
    return found


SALE = """
    journey: sale
    topic: offers
    trigger: {at: "AT", segment: vip}
    steps:
      - {send: hello, via: sms}
"""


def test_a_broadcast_that_is_past_or_has_gone_out_gets_a_warning(desk: Desk) -> None:
    start = desk.clock()

    def sale(hours: float, more: str = "") -> str:
        at = start + timedelta(hours=hours)
        return dedent(SALE).replace("AT", at.isoformat(timespec="seconds")) + more

    def warned() -> list[str]:
        return [line for line in lines(desk) if line.startswith("warning: ") and "signed_up" not in line]

    desk.takes(identify("ani", phone="+6281234567890", points=200, **CONSENT))
    desk.write("journeys/sale.yaml", sale(-1))
    (past,) = warned()
    assert past.startswith("warning: nobody will enter: its instant, ")
    desk.write("journeys/sale.yaml", sale(1))
    assert warned() == []
    assert desk.alur("apply", "--yes").code == 0
    desk.settles(hours=2)
    desk.write("journeys/sale.yaml", sale(3))
    (gone,) = warned()
    assert gone.startswith("warning: this broadcast has gone out at ")
    assert gone.endswith(
        "to 1 person: it does not go out again, whatever its 'at' says, unless entry.reentry lets people come back"
    )
    desk.write("journeys/sale.yaml", sale(3, "entry: {reentry: always}\n"))
    (again,) = warned()
    assert again.endswith("to 1 person, and goes out again: entry.reentry lets people come back")


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


def test_a_key_that_the_trigger_does_not_give_gets_a_warning(desk: Desk) -> None:
    desk.write(
        "journeys/welcome.yaml",
        """
        journey: welcome
        topic: offers
        trigger: {event: signed_up}
        goal: {event: bought, key: event.cart_id}
        steps:
          - wait_for: {event: bought, key: event.cart_id, timeout: 1d}
        """,
    )
    told = [line for line in lines(desk) if "gives no key" in line]
    assert [line.partition("'")[2].partition("'")[0] for line in told] == ["goal", "bought"]


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
