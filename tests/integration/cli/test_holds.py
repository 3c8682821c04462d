"""`alur pause`, `resume` and `cancel`: what is stopped stays stopped until it is let go, and nothing is lost by it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.app import system_clock
from engine.run.advance import advance
from engine.run.drain import Drain
from tests.integration.cli.desk import Desk, identify, track


@pytest.fixture
def town(desk: Desk) -> Desk:
    """One contact has just signed up; her first message is due."""
    desk.alur("apply", "--yes")
    desk.clock.move_to(system_clock())
    desk.takes(
        identify("ani", first_name="Ani", phone="0812-3456-7890", consent=["offers"]),
        track("signed_up", "ani", plan="free"),
    )
    return desk


def _sends(desk: Desk) -> list[str]:
    with desk.app() as app, app.engine.connect() as conn:
        return list(conn.scalars(text("SELECT state FROM send ORDER BY id")))


def _holds(desk: Desk) -> list[tuple[str, str, str]]:
    return [
        (hold["scope"], hold["name"], hold["reason"]) for hold in desk.alur("status", "--output", "json").json["holds"]
    ]


def test_a_paused_journey_takes_no_step_until_it_is_resumed(town: Desk) -> None:
    done = town.alur("pause", "welcome", "--reason", "wrong voucher")
    assert (done.code, done.out, done.err) == (0, "", "journey welcome is held. To let it go on: alur resume welcome\n")
    town.settles(hours=1)
    assert _sends(town) in ([], ["planned"])
    assert _holds(town) == [("journey", "welcome", "wrong voucher")]
    assert "journey welcome is held since" in town.alur("why", "ani").out
    assert "paused" in town.alur("status").out
    assert town.alur("resume", "welcome").err == "journey welcome goes on\n"
    town.settles(minutes=1)
    assert _sends(town) == ["accepted"]


def test_a_paused_channel_keeps_its_messages_in_the_outbox(town: Desk) -> None:
    town.alur("pause", "sms")
    town.settles(minutes=1)
    assert _sends(town) == ["planned"]
    text = town.alur("why", "ani").out
    assert "hello by sms waits in the outbox, to be tried " in text
    assert "channel sms is held since " in text
    town.alur("resume", "sms")
    town.settles(minutes=1)
    assert _sends(town) == ["accepted"]


def test_pausing_twice_says_who_did_it_first_and_resuming_twice_does_nothing(town: Desk) -> None:
    town.alur("pause", "welcome", "--reason", "first")
    again = town.alur("pause", "welcome", "--reason", "second")
    assert again.code == 0
    assert again.err.startswith("journey welcome is held already: first, by ")
    assert len(_holds(town)) == 1
    town.alur("resume", "welcome")
    assert town.alur("resume", "welcome").err == "journey welcome is not held: nothing to do\n"


def test_a_cancelled_journey_is_held_as_cancelled(town: Desk) -> None:
    assert town.alur("cancel", "welcome").code == 0
    assert _holds(town) == [("journey", "welcome", "cancelled")]


def test_a_cancelled_send_run_keeps_back_what_is_due_until_it_is_resumed(town: Desk) -> None:
    with town.app() as app, app.post() as post:
        drain = Drain(post, 1)
        with drain.opened() as run:
            assert advance(app.engine, app.machines, app.zone, app.clock()).planned == 1
            done = town.alur("cancel", str(run.id))
            (row,) = town.alur("status", "--output", "json").json["runs"]
            assert (row["state"], row["counts"]) == ("running", {"planned": 1})
            assert run.drain_now().total == 0
        drain.close()
    assert done.err == f"send run {run.id} is cancelled; 1 send kept back. To let it go on: alur resume {run.id}\n"
    assert _holds(town) == [("run", str(run.id), "cancelled")]
    assert [(row["id"], row["state"]) for row in town.alur("status", "--output", "json").json["runs"]] == [
        (run.id, "cancelled")
    ]
    town.settles(minutes=1)
    assert _sends(town) == ["planned"]
    assert town.alur("resume", str(run.id)).err == f"send run {run.id} goes on\n"
    town.settles(minutes=1)
    assert _sends(town) == ["accepted"]


def test_a_send_run_that_is_over_can_not_be_cancelled(town: Desk) -> None:
    town.settles(minutes=1)
    done = town.alur("cancel", "1")
    assert done.code == 1
    assert done.err == "alur: send run 1 is finished already; to stop what comes next, pause its journey or channel\n"
    assert _holds(town) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", "welcom"), "alur: no journey 'welcom' (did you mean 'welcome'?)\n"),
        (("pause", "email"), "alur: no journey 'email'; there are sms, welcome\n"),
        (("pause", "1"), "alur: no journey '1'; there are sms, welcome\n"),
        (("resume", "wellcome"), "alur: no journey 'wellcome' (did you mean 'welcome'?)\n"),
        (("cancel", "99"), "alur: no send run 99: `alur status` shows the latest\n"),
        (("cancel", "9" * 30), f"alur: no journey '{'9' * 30}'; there are welcome\n"),
    ],
)
def test_an_unknown_name_is_an_error_that_says_which_was_meant(
    town: Desk, arguments: tuple[str, ...], said: str
) -> None:
    done = town.alur(*arguments)
    assert (done.code, done.err) == (1, said)


def test_before_anything_is_applied_it_says_so(desk: Desk) -> None:
    done = desk.alur("cancel", "welcome")
    assert (done.code, done.err) == (1, "alur: no journey 'welcome'; nothing is applied yet: run `alur apply`\n")
