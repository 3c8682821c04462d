"""What commands tell about a town in which something has happened: status, why, contacts show, draw, config show."""

from __future__ import annotations

import csv
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import text

from engine.app import system_clock
from tests.integration.cli.desk import Desk, Done, call, identify, track


@pytest.fixture(scope="module")
def town(shared_desk: Desk) -> Desk:
    """Ani said yes, got the first message, and took it back before the second; Budi never said yes; Cici has no name."""
    desk = shared_desk
    assert desk.alur("apply", "--yes").code == 0
    desk.clock.move_to(system_clock())
    desk.takes(
        identify(
            "ani", first_name="Ani", email="Ani@Example.com", phone="0812-3456-7890", points=120, consent=["offers"]
        ),
        track("signed_up", "ani", plan="free"),
        identify("budi", first_name="Budi", phone="0812-3456-7891", timezone="Asia/Jayapura"),
        track("signed_up", "budi", plan="free"),
        identify("cici", phone="0812-3456-7892", consent=["offers"]),
        track("signed_up", "cici", plan="free"),
    )
    desk.settles(minutes=1)
    desk.settles(minutes=1)
    desk.takes(identify("ani", consent={"offers": False}))
    desk.settles(hours=24)
    desk.takes(track("order_completed", "ani", total=90000))
    desk.settles(minutes=1)
    return desk


def _column(done: Done, name: str) -> list[str]:
    return [row[name] for row in csv.DictReader(done.out.splitlines())]


# --- why --------------------------------------------------------------------------------------------------------------


def test_why_tells_the_reason_of_a_withheld_message_in_a_sentence(town: Desk) -> None:
    done = town.alur("why", "ani")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "ani, Ani@example.com, +6281234567890 (times in Asia/Jakarta)"
    sent, withheld = (line for line in lines if "  send  " in line)
    assert sent.endswith("hello to +6281234567890 by sms was accepted by the provider")
    assert withheld.endswith(
        "hello by sms was not sent: the contact has not consented to this topic on this channel, or has taken it back"
    )
    (taken_back,) = (line for line in lines if "taken back" in line)
    assert lines.index(sent) < lines.index(taken_back) < lines.index(withheld)


def test_why_shows_what_came_in_and_each_decision_with_its_place_in_the_file(town: Desk) -> None:
    text = town.alur("why", "ani").out
    assert "event     signed_up from shop (plan=free)" in text
    assert "trigger  entered  (wanted signed_up where (event.plan exists); found plan=free)" in text
    assert "steps.1  over  (wanted wait 1d; found " in text
    assert "goal  reached  (wanted order_completed within 7d; found " in text
    assert text.splitlines()[-1].startswith("welcome: ended as completed on ")


def test_why_tells_everything_in_the_order_of_time(town: Desk) -> None:
    times = _column(town.alur("why", "ani", "--output", "csv"), "at")
    assert len(times) > 8
    assert all(earlier <= later for earlier, later in pairwise(times))


def test_why_says_which_value_a_message_lacked(town: Desk) -> None:
    text = town.alur("why", "cici").out
    assert "hello by sms failed: the message could not be made from this contact's data (" in text
    assert "'contact.first_name' is missing" in text


def test_why_finds_people_by_user_id_address_and_phone_and_shows_their_own_time(town: Desk) -> None:
    for word in ("ani", "ANI@example.com", "0812-3456-7890", "+6281234567890"):
        assert town.alur("why", word).out.startswith("ani, ")
    assert town.alur("why", "budi").out.startswith("budi, +6281234567891 (times in Asia/Jayapura)")


def test_why_gives_programs_all_of_it(town: Desk) -> None:
    found = town.alur("why", "ani", "--journey", "welcome", "--output", "json").json
    assert found["contact"]["known_as"] == ["ani", "Ani@example.com", "+6281234567890"]
    assert [message["reason"] for message in found["messages"]] == [None, "no_consent"]
    assert {event["name"] for event in found["events"]} == {"signed_up", "order_completed"}
    (passage,) = found["journeys"]
    assert passage["decisions"][0]["lines"][0]["path"] == "trigger"


def test_replay_makes_every_decision_again_and_finds_it_the_same(town: Desk) -> None:
    again = town.alur("why", "ani", "--replay", "--output", "json").json
    assert {decision["signal"] for decision in again} >= {"event", "send"}
    assert {decision["result"] for decision in again} == {"same"}


def test_replay_names_a_decision_that_comes_out_otherwise_and_exits_with_1(town: Desk) -> None:
    put = text("UPDATE trace SET decided = :decided WHERE id = :id")
    with town.app() as app, app.engine.begin() as conn:
        trace, decided = conn.execute(
            text("SELECT id, decided FROM trace WHERE decided <> '' ORDER BY id LIMIT 1")
        ).one()
        conn.execute(put, {"decided": "another", "id": trace})
    try:
        done = town.alur("why", "ani", "--replay", "--output", "json")
        assert done.code == 1
        assert "different" in {decision["result"] for decision in done.json}
    finally:
        with town.app() as app, app.engine.begin() as conn:
            conn.execute(put, {"decided": decided, "id": trace})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("why", "dodi"),
            "alur: no contact 'dodi': give a user id, an e-mail address or a phone number that Alur has seen\n",
        ),
        (("contacts", "show", "dodi"), "alur: no contact 'dodi': give a user id"),
        (("why", "ani", "--journey", "welcom"), "alur: no journey 'welcom' (did you mean 'welcome'?)\n"),
        (("why", "ani", "--journey", "xyz"), "alur: no journey 'xyz'; there are welcome\n"),
        (("draw", "welcom"), "alur: no journey 'welcom' (did you mean 'welcome'?)\n"),
    ],
)
def test_an_unknown_name_is_an_error_that_says_which_was_meant(
    town: Desk, arguments: tuple[str, ...], said: str
) -> None:
    done = town.alur(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(said)


# --- status -----------------------------------------------------------------------------------------------------------


def test_status_accounts_for_every_send_and_gives_each_reason(town: Desk) -> None:
    found = town.alur("status", "--output", "json").json
    (journey,) = found["journeys"]
    assert (journey["entered"], journey["ended"], journey["goals"]) == (3, 3, 1)
    assert {state: count for state, count in journey["sends"].items() if count} == {
        "accepted": 1,
        "withheld": 3,
        "failed": 2,
    }
    assert {(row["state"], row["reason"], row["sends"]) for row in found["reasons"]} == {
        ("withheld", "no_consent", 3),
        ("failed", "render", 2),
    }
    assert found["queue"]["sends_due"] == 0


def test_status_is_readable(town: Desk) -> None:
    text = town.alur("status").out
    assert text.startswith("Journeys: 1 live; 0 enrollments under way; 3 contacts, 4 events\n")
    assert "Waiting, withheld, failed or unknown" in text
    assert "the contact has not consented to this topic" in text
    assert "Waiting to be sent: nothing" in text
    assert "Held: nothing" in text
    assert "1 accepted" in text
    assert max(map(len, text.partition("Waiting, withheld")[0].splitlines())) <= 80
    assert text.splitlines()[-1].endswith(" in Asia/Jakarta")


def test_status_gives_a_row_per_journey_as_csv(town: Desk) -> None:
    (row,) = csv.DictReader(town.alur("status", "--output", "csv").out.splitlines())
    assert (row["journey"], row["state"], row["entered"], row["accepted"], row["withheld"]) == (
        "welcome",
        "live",
        "3",
        "1",
        "3",
    )


# --- contacts show ----------------------------------------------------------------------------------------------------


def test_contacts_show_has_all_that_is_on_record(town: Desk) -> None:
    found = town.alur("contacts", "show", "ani", "--output", "json").json
    assert {(item["kind"], item["value"]) for item in found["identities"]} == {
        ("user_id", "ani"),
        ("email", "ani@example.com"),
        ("phone", "+6281234567890"),
    }
    assert found["traits"] == {"first_name": "Ani", "points": 120}
    assert {(row["topic"], row["channel"], row["given"]) for row in found["consents"]} == {
        ("offers", channel, False) for channel in ("email", "sms", "whatsapp")
    }
    assert [segment["segment"] for segment in found["segments"]] == ["vip"]
    assert [(row["journey"], row["reason"]) for row in found["journeys"]] == [("welcome", "completed")]


def test_contacts_show_is_readable(town: Desk) -> None:
    text = town.alur("contacts", "show", "ani").out
    for words in (
        "user_id      ani",
        "points       120",
        "offers   sms        no",
        "Suppressed: none",
        "vip",
        "Times in Asia/Jakarta.",
    ):
        assert words in text


# --- draw and config show ---------------------------------------------------------------------------------------------


def test_draw_prints_mermaid_or_writes_a_file(town: Desk) -> None:
    mermaid = town.alur("draw", "welcome").out
    assert mermaid.startswith("flowchart TD\n")
    picture, text = town.root / "welcome.svg", town.root / "welcome.mmd"
    for file in (picture, text):
        done = town.alur("draw", "welcome", "-o", str(file))
        assert (done.code, done.out, done.err) == (0, "", f"drew welcome into {file}\n")
    assert ET.fromstring(picture.read_text()).tag == "{http://www.w3.org/2000/svg}svg"
    assert text.read_text() == mermaid


@pytest.mark.parametrize("live", [(), ("--live",)], ids=["files", "live"])
def test_without_a_name_draw_says_which_there_are_and_draws_all_into_a_folder(
    town: Desk, live: tuple[str, ...]
) -> None:
    done = town.alur("draw", *live)
    assert (done.code, done.out) == (2, "")
    assert "name one of welcome; or draw all of them into a folder, with -o DIR" in " ".join(
        done.err.replace("│", " ").split()
    )
    folder = town.root / "pictures"
    drawn = town.alur("draw", *live, "-o", str(folder))
    assert (drawn.code, drawn.err) == (0, f"drew welcome into {folder / 'welcome.svg'}\n")
    assert ("entered" in (folder / "welcome.svg").read_text()) is bool(live)


def test_draw_refuses_other_kinds_of_files_as_a_wrong_call(town: Desk) -> None:
    done = town.alur("draw", "welcome", "-o", "welcome.png")
    assert done.code == 2
    assert "must end in .svg or .mmd" in done.err


def test_drawing_a_broken_journey_lists_its_problems(town: Desk) -> None:
    town.write("journeys/broken.yaml", "journey: broken\nsteps: []\n")
    done = town.alur("draw", "broken")
    (town.root / "journeys/broken.yaml").unlink()
    assert done.code == 1
    assert done.err.startswith("journeys/broken.yaml:1:1: ")
    assert done.err.count("\n") > 1


def test_config_show_masks_every_secret(town: Desk) -> None:
    for output in ("table", "json", "csv"):
        text = town.alur("config", "show", "--output", output).out
        assert "Toko Alur" in text
        assert "********" in text
        assert "shop-key" not in text
        assert "sssss" not in text
    assert town.alur("config", "show", "--output", "json").json["prefect"]["enabled"] is True


def test_looking_works_while_a_channel_is_misconfigured(town: Desk) -> None:
    good = (town.root / "config.yaml").read_text()
    town.write("config.yaml", good.replace("{adapter: file}", "{adapter: gone}"))
    try:
        for arguments in (("status",), ("why", "ani"), ("pause", "welcome"), ("resume", "welcome")):
            assert town.alur(*arguments).code == 0
    finally:
        town.write("config.yaml", good)


def test_a_database_that_is_away_is_an_error_that_says_so(town: Desk, tmp_path: str) -> None:
    Desk.at(town.root.parent / "away", "postgresql://alur:geheim@localhost:1/alur")
    done = call("status", "--workspace", str(town.root.parent / "away"))
    assert done.code == 1
    assert done.err.startswith("alur: the database 'alur' at localhost is not available: ")
    assert "geheim" not in done.err
