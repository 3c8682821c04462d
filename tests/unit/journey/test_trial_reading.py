"""What is wrong in `tests:` is said at the word that is wrong, also where it names what the journey does not have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent, indent

import pytest

from engine.document import read_document
from engine.grammar import Reader
from engine.journey.journey import Journey, read_journey
from engine.journey.trial import ExpectCount, ExpectSend, Happens, Trial

JOURNEY = """\
journey: cart
topic: offers
trigger: {event: cart_updated, key: event.cart_id}
exit:
  - {event: order_completed, key: event.cart_id, reason: bought}
steps:
  - wait: 1h
  - {id: reminder, send: cart_reminder, via: [sms, email]}
"""
NAMED = """
- name: a test
  contact: {user_id: ani, consent: [offers]}
"""


def read(tests: str) -> tuple[Journey | None, list[str]]:
    source = f"{JOURNEY}tests:\n{indent(dedent(tests).strip(), '  ')}\n"
    node, problems = read_document(source.encode(), "journeys/cart.yaml")
    assert node is not None, problems
    reader = Reader("journeys/cart.yaml")
    journey = read_journey(node, reader, "cart")
    return journey, [str(problem).removeprefix("journeys/cart.yaml:") for problem in sorted(reader.problems)]


def trial(tests: str) -> Trial:
    journey, problems = read(tests)
    assert journey is not None, problems
    return journey.tests[0]


def refused(item: str, among: str = "expect") -> str:
    """The one problem of an item in an otherwise good test, without its place."""
    given = item if among == "given" else '{at: "2026-03-01T09:00:00+07:00", event: a}'
    expect = item if among == "expect" else "{sends: 0}"
    journey, problems = read(f"{NAMED}\n  given: [{given}]\n  expect: [{expect}]\n")
    assert journey is None
    (problem,) = problems
    return problem.split(": ", 1)[1]


def test_a_test_is_read_whole() -> None:
    found = trial("""
        - name: a test
          contact: {user_id: ani, tags: [vip], consent: {offers: [email]}, suppressed: [sms], points: 5}
          given:
            - {at: "2026-03-01T10:00:00+07:00", event: order_completed, received_at: "2026-03-01T12:00:00+07:00"}
            - {at: "2026-03-01T11:00:00+07:00", event: cart_updated, properties: {cart_id: c1}, message_id: m1}
          until: "2026-03-02T00:00:00+07:00"
          expect:
            - {send: reminder, via: email, at: "2026-03-01T12:00:00+07:00"}
            - {withheld: reminder, reason: no_consent}
            - {exit: bought, at: "2026-03-01T12:00:00+07:00"}
            - {sends: 0}
            - {contact.points: {gte: 5}}
    """)
    assert found.contact == {
        "user_id": "ani", "tags": ["vip"], "consent": {"offers": ["email"]}, "suppressed": ["sms"], "points": 5,
    }  # fmt: skip
    assert [item.act for item in found.given] == [
        Happens("cart_updated", {"cart_id": "c1"}, "m1"), Happens("order_completed", {}, None),
    ]  # fmt: skip
    assert found.start == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert found.until == datetime(2026, 3, 1, 17, tzinfo=UTC)
    send, _, _, sends, _ = found.expect
    assert isinstance(send, ExpectSend)
    assert send.via == "email"
    assert sends == ExpectCount("sends", 0, sends.line)


def test_a_second_is_a_second_long() -> None:
    found = trial(
        NAMED
        + '  given: [{at: "2026-03-01T09:00:00+07:00", event: a}]\n  expect: [{send: reminder, at: "2026-03-01T10:00:00+07:00"}]'
    )
    (send,) = found.expect
    assert isinstance(send, ExpectSend)
    assert send.when is not None
    ten = datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert [send.when.holds(ten + timedelta(milliseconds=by)) for by in (-1, 0, 999, 1000)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("{send: remindr}", "unknown send step 'remindr' (did you mean 'reminder'?)"),
        ("{send: reminder, via: whatsapp}", "this step never goes by whatsapp (its 'via': sms, email)"),
        ("{send: reminder, via: smoke}", "unknown channel 'smoke' (one of: email, sms, whatsapp)"),
        ("{send: reminder, variant: b}", "unknown variant 'b' (the journey has: none)"),
        ("{withheld: reminder, reason: no_consend}", "unknown reason 'no_consend' (did you mean 'no_consent'?)"),
        ("{exit: boght}", "the journey never ends as 'boght' (did you mean 'bought'?)"),
        ("{exits: bought}", "unknown word 'exits' in an expectation (did you mean 'exit'?)"),
        ("{send: reminder, sends: 1}", "an expectation has one verb, this one has 'send' and 'sends'"),
        ("{sends: -1}", "expected a whole number of at least 0, found '-1'"),
        ("{goal: many}", "expected a whole number of at least 0, found 'many'"),
        ("{contact.tier: {eqq: gold}}", "unknown operator 'eqq' (did you mean 'eq'?)"),
        ("sends", "expected an expectation (one of: send, withheld, exit, goal, sends, entries, contact.FIELD), found 'sends'"),
    ],
)  # fmt: skip
def test_what_no_journey_can_fulfil_is_refused(item: str, said: str) -> None:
    assert refused(item) == said


def test_an_instant_without_its_offset_is_refused() -> None:
    for among, item in (
        ("expect", '{exit: bought, at: "2026-03-01T09:00:00"}'),
        ("given", '{at: "2026-03-01T09:00:00", event: a}'),
    ):
        said = "expected an instant with its offset, such as \"2026-03-01T09:00:00+07:00\", found '2026-03-01T09:00:00'"
        assert refused(item, among) == said


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("event: a", "a given event lacks 'at' (when it happens)"),
        ("message: {step: remind, was: clicked}", "unknown send step 'remind' (did you mean 'reminder'?)"),
        ("message: {step: reminder, was: clickd}", "unknown reaction 'clickd' (did you mean 'clicked'?)"),
        ("consent: {offers: no}", "unknown statement 'no' (one of: in, out)"),
        ("suppress: mail", "unknown channel 'mail' (did you mean 'email'?)"),
        ("evnt: a", "unknown word 'evnt' in a given item (did you mean 'event'?)"),
        ("enroll: {propertis: {a: 1}}", "unknown key 'propertis' in enroll (did you mean 'properties'?)"),
    ],
)
def test_what_nobody_can_give_is_refused(item: str, said: str) -> None:
    at = "" if said.startswith("a given event lacks") else 'at: "2026-03-01T09:00:00+07:00", '
    assert refused(f"{{{at}{item}}}", "given") == said


def test_a_test_in_which_nothing_is_given_needs_a_beginning() -> None:
    assert read(NAMED + "  expect: [{sends: 0}]")[1] == [
        "10:5: a test in which nothing is given needs 'from', the instant at which its clock begins"
    ]


def test_the_clock_must_run_while_things_are_given() -> None:
    for key, instant in (("from", "2026-03-01T09:00:01+07:00"), ("until", "2026-03-01T08:59:59+07:00")):
        _, problems = read(
            f'{NAMED}  {key}: "{instant}"\n  given: [{{at: "2026-03-01T09:00:00+07:00", event: a}}]\n  expect: [{{sends: 0}}]'
        )
        assert len(problems) == 1, problems


def test_two_tests_of_one_name_could_not_be_told_apart() -> None:
    one = NAMED + '  from: "2026-03-01T09:00:00+07:00"\n  expect: [{sends: 0}]\n'
    assert read(one + one)[1] == ["15:11: the name 'a test' is taken by the test on line 10"]


def test_where_the_trigger_is_wrong_too_the_tests_are_checked_all_the_same() -> None:
    source = JOURNEY.replace("trigger: {event: cart_updated", "trigger: {evnt: cart_updated")
    source += (
        'tests:\n  - {name: x, contact: {user_id: a}, from: "2026-03-01T09:00:00+07:00", expect: [{send: nudge}]}\n'
    )
    node, _ = read_document(source.encode(), "cart.yaml")
    assert node is not None
    reader = Reader("cart.yaml")
    assert read_journey(node, reader, "cart") is None
    assert "unknown send step 'nudge' (the journey has: reminder)" in {problem.message for problem in reader.problems}


def test_what_runs_does_not_hang_on_its_tests() -> None:
    node, _ = read_document(f"{JOURNEY}tests: [{{name: of an older Alur}}]\n".encode(), "cart.yaml")
    assert node is not None
    journey = read_journey(node, Reader("cart.yaml"), "cart", tested=False)
    assert journey is not None
    assert journey.tests == ()
