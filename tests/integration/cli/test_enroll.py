"""`alur enroll` lets people in under the journey's own rules, whatever its trigger is."""

from __future__ import annotations

import pytest

from tests.integration.cli.desk import CONFIG, Desk, identify

REWARD = """
    journey: reward
    topic: offers
    trigger: {enters: vip}
    entry: {where: {contact.points: {gte: 50}}}
    steps:
      - wait: 1d
"""
SALE = """
    journey: sale
    topic: offers
    trigger: {manual: true}
    steps:
      - {id: hello, send: hello, via: sms}
"""


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """Ani has many points, Budi some, Citra few; nobody is inside."""
    desk.write("journeys/reward.yaml", REWARD)
    desk.takes(
        identify("ani", points=150, email="ani@example.com"), identify("budi", points=60), identify("citra", points=1)
    )
    assert desk.alur("apply", "--yes").code == 0
    return desk


def _inside(desk: Desk) -> list[str]:
    with desk.app() as app, app.engine.connect() as conn:
        rows = conn.exec_driver_sql(
            "SELECT c.user_id FROM enrollment e JOIN contact c ON c.id = e.contact_id ORDER BY e.id"
        )
        return [row[0] for row in rows]


def test_one_person_is_let_in_once(shop: Desk) -> None:
    done = shop.alur("enroll", "reward", "--contact", "ani@example.com", "--output", "json")
    assert (done.code, done.json) == (0, [{"result": "entered", "people": 1}])
    shop.settles(minutes=5)
    assert _inside(shop) == ["ani"]
    again = shop.alur("enroll", "reward", "--contact", "ani")
    assert again.code == 1
    assert "already_in" in again.out
    refused = shop.alur("enroll", "reward", "--contact", "citra")
    assert (refused.code, "not_admitted" in refused.out) == (1, True)
    shop.settles(minutes=5)
    assert _inside(shop) == ["ani"]


def test_a_segment_is_let_in_as_a_whole_and_a_dry_run_enrolls_nobody(shop: Desk) -> None:
    dry = shop.alur("enroll", "reward", "--segment", "vip", "--dry-run")
    assert (dry.code, "would let in 1 of 1 person" in dry.err) == (0, True)
    shop.settles(minutes=5)
    assert _inside(shop) == []
    done = shop.alur("enroll", "reward", "--segment", "vip")
    assert (done.code, "1 person knocks at reward" in done.err) == (0, True)
    shop.settles(minutes=5)
    assert _inside(shop) == ["ani"]


def test_what_is_handed_over_is_the_event_and_must_be_an_object(shop: Desk) -> None:
    assert shop.alur("enroll", "welcome", "--contact", "ani", "--properties", '{"plan": "pro"}').code == 0
    shop.settles(minutes=5)
    with shop.app() as app, app.engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT event FROM enrollment").scalar_one() == {"plan": "pro"}
    for wrong in ("[1]", "{plan}"):
        done = shop.alur("enroll", "welcome", "--contact", "ani", "--properties", wrong)
        assert (done.code, "--properties" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("rewrad", "--contact", "ani"), 1, "no journey 'rewrad' (did you mean 'reward'?)"),
        (("reward", "--contact", "dewi"), 1, "dewi"),
        (("reward", "--segment", "vpi"), 1, "no segment 'vpi' (did you mean 'vip'?)"),
        (("reward",), 2, "either one person or a segment"),
        (("reward", "--contact", "ani", "--segment", "vip"), 2, "either one person or a segment"),
    ],
)
def test_what_is_not_there_is_named(shop: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = shop.alur("enroll", *arguments)
    assert done.code == code
    assert said in " ".join(done.err.replace("│", " ").split())


def test_nobody_enters_a_removed_journey(shop: Desk) -> None:
    (shop.root / "journeys/reward.yaml").unlink()
    assert shop.alur("apply", "--yes").code == 0
    done = shop.alur("enroll", "reward", "--contact", "ani")
    assert (done.code, "was removed" in done.err) == (1, True)


def test_status_tells_when_a_schedule_comes_next(shop: Desk) -> None:
    weekly = REWARD.replace("{enters: vip}", '{schedule: "0 9 * * mon", segment: vip}').replace("reward", "weekly")
    shop.write("journeys/weekly.yaml", weekly)
    assert shop.alur("apply", "--yes").code == 0
    (row,) = shop.alur("status", "--output", "json").json["schedules"]
    assert (row["journey"], row["last"], row["missed"]) == ("weekly", None, 0)
    assert row["next"] is not None
    assert "weekly" in shop.alur("status").out.partition("Schedules, broadcasts and backfills")[2]


def test_until_somebody_works_why_says_that_it_waits(shop: Desk) -> None:
    shop.settles(minutes=5)
    assert shop.alur("why", "budi", "--replay").out == "Nothing has been decided yet.\n"
    shop.alur("enroll", "reward", "--contact", "budi")
    waiting, enrolled = shop.alur("why", "budi").out.splitlines()[-2:]
    assert waiting == "Waits to be taken up by `alur run` or `alur work`:"
    assert enrolled.endswith("  reward: somebody enrolled them")
    assert [each["kind"] for each in shop.alur("why", "budi", "--output", "json").json["waiting"]] == ["manual"]
    shop.settles(minutes=5)
    assert "Waits to be" not in shop.alur("why", "budi").out
    assert "reward: somebody enrolled them" in shop.alur("why", "budi").out


def test_a_decision_is_made_again_as_it_was_whatever_config_says_now(shop: Desk) -> None:
    shop.write("config.yaml", CONFIG + "    delivery: {holdout: 40%, priority: 80}\n")
    shop.write("journeys/sale.yaml", SALE)
    assert shop.alur("apply", "--yes").code == 0
    for person in ("ani", "budi", "citra"):
        shop.alur("enroll", "sale", "--contact", person)
    shop.settles(minutes=5)
    shop.write("config.yaml", CONFIG)
    for person in ("ani", "budi", "citra"):
        again = shop.alur("why", person, "--replay", "--output", "json").json
        assert {each["result"] for each in again} == {"same"}
