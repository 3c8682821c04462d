"""`alur test`: a journey's own tests, played on the real engine under a virtual clock, with failures that can be read."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from xml.etree import ElementTree as ET

import pytest

from engine.cli.new_workspace import write_workspace
from tests.integration.cli.desk import Desk, call
from tests.tutorial import follow_tutorial

NOWHERE = "postgresql://nobody@localhost:1/none"  # tests need no database but the embedded one
ANI = '{user_id: ani, phone: "+6281234567890", timezone: Asia/Jakarta, consent: [offers], first_name: Ani}'
SIGNED_UP = '- {at: "2026-03-01T14:00:00+07:00", event: signed_up, properties: {plan: free}}'
JOURNEY = """\
journey: welcome
topic: offers
trigger: {event: signed_up, where: {event.plan: {exists: true}}}
exit:
  - {event: account_closed, reason: left}
  - {event: order_completed, reason: bought}
goal: {event: order_completed, within: 7d}
steps:
  - {id: hello, send: hello, via: sms}
  - wait: 1d
  - {id: again, send: hello, via: sms}
"""
ROAD = f"""
  - name: two greetings
    contact: {ANI}
    given:
      {SIGNED_UP}
    expect:
      - {{send: hello, via: sms, at: "2026-03-01T14:00:00+07:00"}}
      - {{send: again, at: "2026-03-02T14:00:00+07:00"}}
      - {{exit: completed, at: "2026-03-02T14:00:00+07:00"}}
      - {{sends: 2}}
      - {{entries: 1}}
      - {{goal: 0}}
"""
BACK_IN = '      - {at: "2026-03-01T20:00:00+07:00", consent: {offers: in}}'
WRONG = f"""
  - name: three greetings
    contact: {ANI}
    given:
      {SIGNED_UP}
    expect:
      - {{send: again, at: "2026-03-02T15:00:00+07:00"}}
      - {{exit: left}}
      - {{sends: 3}}
"""


@pytest.fixture
def files(tmp_path: Path, alur_folder: Path) -> Desk:
    desk = Desk.at(tmp_path / "shop", NOWHERE)
    (desk.root / ".alur").symlink_to(alur_folder)
    return desk


def write(files: Desk, *tests: str, journey: str = JOURNEY) -> None:
    (files.root / "journeys/welcome.yaml").write_text(f"{journey}\ntests:{''.join(tests)}")


def test_that_passes_says_so_and_exits_0(files: Desk) -> None:
    write(files, ROAD)
    done = files.alur("test")
    assert (done.code, done.out) == (0, "passed  welcome: two greetings\n"), done
    assert done.err == "1 test: 1 passed\n"


def test_the_journey_of_the_tutorial_passes_its_tests(files: Desk) -> None:
    follow_tutorial(files.root)
    (files.root / "journeys/welcome.yaml").unlink()
    done = files.alur("test", "hello")
    assert (done.code, done.err) == (0, "4 tests: 4 passed\n"), done


def test_that_fails_shows_what_was_expected_what_happened_and_the_persons_story(files: Desk) -> None:
    write(files, ROAD, WRONG)
    done = files.alur("test")
    assert done.code == 1
    assert done.err == "2 tests: 1 passed, 1 failed\n"
    lines = done.out.splitlines()
    assert lines[:3] == ["passed  welcome: two greetings", "failed  welcome: three greetings", ""]
    assert [line for line in lines if "expected" in line] == [
        "  journeys/welcome.yaml:31: expected send again at 2026-03-02T15:00:00+07:00, got again sent by sms at 2026-03-02T14:00:00+07:00",
        "  journeys/welcome.yaml:32: expected exit left, got exit completed at 2026-03-02T14:00:00+07:00",
        "  journeys/welcome.yaml:33: expected sends: 3, got 2: hello sent by sms at 2026-03-01T14:00:00+07:00; again sent by sms at 2026-03-02T14:00:00+07:00",
    ]
    assert "  what happened (times in Asia/Jakarta):" in lines
    assert any(
        line.startswith("    2026-03-01 14:00:00  event       signed_up from test (plan=free)") for line in lines
    )
    assert any("steps.1  over  (wanted wait 1d; found 2026-03-02 14:00:00)" in line for line in lines)


def test_json_and_junit_tell_the_same(files: Desk, tmp_path: Path) -> None:
    write(files, ROAD, WRONG)
    done = files.alur("test", "--output", "json", "--junit", str(tmp_path / "junit.xml"))
    assert done.code == 1
    assert [set(item) for item in done.json] == [{"journey", "test", "outcome", "failures", "seconds"}] * 2
    assert [(item["test"], item["outcome"], len(item["failures"])) for item in done.json] == [
        ("two greetings", "passed", 0),
        ("three greetings", "failed", 3),
    ]
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("2", "1", "0")
    (failure,) = suites.iter("failure")
    assert failure.get("message") == done.json[1]["failures"][0]
    assert "wait 1d" in (failure.text or "")


def test_only_what_is_named_is_played(files: Desk) -> None:
    write(files, ROAD, WRONG)
    assert [item["test"] for item in files.alur("test", "welcome", "-k", "TWO", "--output", "json").json] == [
        "two greetings"
    ]
    unknown = files.alur("test", "welcom")
    assert (unknown.code, unknown.err) == (1, "alur: no journey 'welcom' (did you mean 'welcome'?)\n")
    nothing = files.alur("test", "-k", "four")
    assert nothing.code == 2
    assert "no test's name holds 'four'" in nothing.err


def test_a_broken_journey_is_told_and_the_others_are_played(files: Desk) -> None:
    write(files, ROAD)
    files.write("journeys/other.yaml", "journey: other\ntopic: offers\ntrigger: {event: a}\nstepps: []\n")
    done = files.alur("test", "--output", "json")
    assert done.code == 1
    assert [(item["journey"], item["outcome"]) for item in done.json] == [("other", "error"), ("welcome", "passed")]
    assert "journeys/other.yaml:4:1: unknown key 'stepps'" in done.err
    assert files.alur("test", "welcome").code == 0


def test_without_tests_there_is_nothing_to_do(files: Desk) -> None:
    done = files.alur("test")
    assert (done.code, done.out) == (0, "")
    assert done.err == "no tests in 1 journey: write some under 'tests:' in the journey's file\n"


@pytest.mark.parametrize(
    ("contact", "given", "expect"),
    [
        # late events reach history by their own time, waits by arrival
        (ANI, f'{SIGNED_UP}\n      - {{at: "2026-03-01T20:00:00+07:00", received_at: "2026-03-01T22:00:00+07:00", event: order_completed}}',
         '{exit: bought, at: "2026-03-01T22:00:00+07:00"}, {goal: 1}, {sends: 1}'),
        # the same message id is the same event
        (ANI, f'{SIGNED_UP.replace("}}", "}, message_id: m1}")}\n      {SIGNED_UP.replace("14:00", "15:00").replace("}}", "}, message_id: m1}")}',
         "{entries: 1}, {sends: 2}"),
        # the person takes consent back, and gives it again
        (ANI, f'- {{at: "2026-03-01T13:00:00+07:00", consent: {{offers: out}}}}\n      {SIGNED_UP}\n{BACK_IN}',
         "{withheld: hello, reason: no_consent}, {send: again}, {sends: 1}"),
        # an address that is suppressed later, and one that was before
        (ANI, f'{SIGNED_UP}\n      - {{at: "2026-03-01T20:00:00+07:00", suppress: sms}}',
         "{send: hello}, {withheld: again, reason: suppressed}"),
        (ANI.replace("timezone", "suppressed: [sms], timezone"), SIGNED_UP, "{withheld: hello, reason: suppressed}, {sends: 0}"),
        # what an identify says, and what holds at the end
        (ANI, f'{SIGNED_UP}\n      - {{at: "2026-03-01T20:00:00+07:00", identify: {{points: 120, phone: "+6281234567891"}}}}',
         "{contact.points: {gte: 100}}, {contact.phone: '+6281234567891'}, {contact.user_id: ani}"),
        # consent for a channel that the journey does not use; nobody known by any identity
        ("{user_id: ani, consent: {offers: [email]}}", SIGNED_UP, "{withheld: hello, reason: no_address}, {exit: completed}"),
        ("{consent: [offers]}", SIGNED_UP, "{withheld: hello}, {withheld: again}, {entries: 1}"),
    ],
    ids=["late", "twice", "consent", "suppress", "suppressed", "identify", "channel", "nobody"],
)  # fmt: skip
def test_whatever_is_given_arrives_as_it_would_in_life(files: Desk, contact: str, given: str, expect: str) -> None:
    write(files, f"\n  - name: it\n    contact: {contact}\n    given:\n      {given}\n    expect: [{expect}]\n")
    done = files.alur("test")
    assert done.code == 0, done.out + done.err


def test_a_segment_turns_by_the_clock_to_the_second(files: Desk) -> None:
    files.write(
        "segments/quiet.yaml",
        "segment: quiet\nwhere: {did: {event: signed_up}, did_not: {event: signed_up, within: 3d}}\n",
    )
    write(
        files,
        f"""
  - name: three days later
    contact: {ANI}
    given:
      {SIGNED_UP}
    expect:
      - {{send: hello, at: "2026-03-04T14:00:00+07:00"}}
      - {{entries: 1}}
  - name: nothing but time
    contact: {ANI}
    from: "2026-03-01T14:00:00+07:00"
    until: "2026-12-01T14:00:00+07:00"
    expect: [{{entries: 0}}]
""",
        journey=JOURNEY.replace("{event: signed_up, where: {event.plan: {exists: true}}}", "{enters: quiet}"),
    )  # fmt: skip
    done = files.alur("test")
    assert done.code == 0, done.out + done.err


def test_the_whole_language_can_be_tested(files: Desk) -> None:
    for name in ("nudge", "offer"):
        files.write(f"templates/sms/{name}.txt", "Halo.\n")
    files.write("journeys/cart.yaml", CART)
    files.write("journeys/monday.yaml", MONDAY)
    done = files.alur("test", "--output", "json")
    assert done.code == 0, done.out + done.err
    assert {item["outcome"] for item in done.json} == {"passed"}


CART = f"""\
journey: cart
topic: offers
trigger: {{event: cart_updated, key: event.cart_id}}
exit: [{{event: order_completed, key: event.cart_id, reason: bought}}]
delivery: {{quiet_hours: {{from: "21:00", to: "08:00", then: wait}}}}
steps:
  - wait: 1h
  - {{id: reminder, send: hello, via: sms}}
  - id: click
    wait_for: {{when: {{message: {{step: reminder, was: clicked}}}}, timeout: 23h}}
    then: [{{update: {{contact.points: {{add: 10}}}}}}]
    otherwise: [{{send: nudge, via: sms}}]
  - experiment:
      name: price
      variants:
        high: {{weight: 50, do: [{{id: high, send: offer, via: sms}}]}}
        low: {{weight: 50, do: [{{id: low, send: offer, via: sms}}]}}

tests:
  - name: a click is worth ten points
    contact: {ANI}
    given:
      - {{at: "2026-03-01T09:00:00+07:00", event: cart_updated, properties: {{cart_id: c1}}}}
      - {{at: "2026-03-01T12:00:00+07:00", message: {{step: reminder, was: clicked}}}}
    expect:
      - {{send: reminder, at: "2026-03-01T10:00:00+07:00"}}
      - {{contact.points: 10}}
      - {{sends: 2}}
      - {{exit: completed, at: "2026-03-01T12:00:00+07:00"}}
  - name: quiet hours hold a reminder until the morning
    contact: {ANI}
    given:
      - {{at: "2026-03-01T20:30:00+07:00", event: cart_updated, properties: {{cart_id: c1}}}}
    expect:
      - {{send: reminder, at: "2026-03-02T08:00:00+07:00"}}
      - {{send: nudge, between: ["2026-03-03T07:00:00+07:00", "2026-03-03T08:00:00+07:00"]}}
  - name: by hand, with what is handed over
    contact: {ANI}
    given:
      - {{at: "2026-03-01T09:00:00+07:00", enroll: {{properties: {{cart_id: c7}}}}}}
      - {{at: "2026-03-01T09:30:00+07:00", event: order_completed, properties: {{cart_id: c7}}}}
    expect: [{{exit: bought}}, {{entries: 1}}, {{sends: 0}}]
  - name: ani sees the {{variant}} price in every run
    contact: {ANI}
    given:
      - {{at: "2026-03-01T09:00:00+07:00", event: cart_updated, properties: {{cart_id: c1}}}}
    expect: [{{send: {{variant}}, variant: {{variant}}}}, {{sends: 3}}]
""".replace("{variant}", "high")

MONDAY = f"""\
journey: monday
topic: offers
trigger: {{schedule: "0 9 * * mon", timezone: Asia/Jakarta, segment: vip}}
steps: [{{send: hello, via: sms}}]

tests:
  - name: each Monday at nine, once one is important
    contact: {ANI}
    given:
      - {{at: "2026-03-05T12:00:00+07:00", identify: {{points: 100}}}}
    until: "2026-03-20T00:00:00+07:00"
    expect:
      - {{send: hello, at: "2026-03-09T09:00:00+07:00"}}
      - {{send: hello, at: "2026-03-16T09:00:00+07:00"}}
      - {{entries: 2}}
"""


def test_what_can_not_be_played_is_an_error_that_says_where(files: Desk) -> None:
    write(files, ROAD.replace("+6281234567890", "12"))
    done = files.alur("test", "--output", "json")
    assert done.code == 1
    (item,) = done.json
    assert item["outcome"] == "error"
    assert "contact.phone" in item["failures"][0]


def test_people_who_go_in_and_out_of_a_segment_for_ever_are_an_error_and_no_endless_wait(files: Desk) -> None:
    files.write("segments/gold.yaml", "segment: gold\nwhere: {contact.tier: gold}\n")
    head = "topic: offers\nentry: {reentry: always}\nsteps: "
    up = f"journey: up\ntrigger: {{leaves: gold}}\n{head}[{{update: {{contact.tier: gold}}}}]\n"
    files.write("journeys/up.yaml", up)
    down = f"journey: welcome\ntrigger: {{enters: gold}}\n{head}[{{update: {{contact.tier: none}}}}]"
    given = '{at: "2026-03-01T14:00:00+07:00", identify: {tier: gold}}'
    write(files, f"\n  - {{name: round, contact: {ANI}, given: [{given}], expect: [{{entries: 1}}]}}", journey=down)
    done = files.alur("test", "--output", "json")
    (item,) = done.json
    assert item["outcome"] == "error"
    assert "go in and out of segments without end at 2026-03-01T07:00:00+00:00" in item["failures"][0]


def test_a_hundred_tests_take_less_than_half_a_minute(files: Desk) -> None:
    write(files, *(ROAD.replace("two greetings", f"number {number}") for number in range(100)))
    began = monotonic()
    done = files.alur("test")
    seconds = monotonic() - began
    assert done.code == 0, done.out
    assert done.err == "100 tests: 100 passed\n"
    assert seconds < 30, f"{seconds:.1f} s"


def test_the_shipped_journeys_pass_theirs(tmp_path: Path, alur_folder: Path) -> None:
    root = tmp_path / "shop"
    write_workspace(root)
    (root / ".alur").symlink_to(alur_folder)
    done = call("test", "--workspace", str(root), "--output", "json")
    assert done.code == 0, done.out
    played = {item["journey"] for item in done.json}
    assert played == {"birthday", "cart_abandonment", "drip", "welcome", "win_back"}
    assert any("night" in item["test"] for item in done.json)


def test_schedules_that_come_round_for_nobody_keep_no_test_waiting(files: Desk) -> None:
    hourly = MONDAY.partition("\ntests:")[0].replace("0 9 * * mon", "0 * * * *")
    files.write("journeys/monday.yaml", hourly)
    write(files, ROAD)
    began = monotonic()
    done = files.alur("test")
    assert done.code == 0, done.out
    assert monotonic() - began < 20  # 9,600 hours would take minutes
