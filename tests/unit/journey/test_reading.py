"""What is wrong in a journey is said at the word that is wrong, all at once, with the mend."""

from __future__ import annotations

from textwrap import dedent

import pytest

from engine.document import read_document
from engine.grammar import Reader
from engine.journey.journey import Journey, read_journey
from engine.journey.machine import compile_journey

GOOD = """\
    journey: cart
    topic: offers
    trigger: {event: cart_updated, key: event.cart_id}
    exit:
      - {event: order_completed, key: event.cart_id, reason: bought}
    steps:
      - wait: 1h
      - {id: reminder, send: cart_reminder, via: email}
      - branch:
          - when: {event.total: {gte: 100}}
            do:
              - {id: voucher, send: voucher, via: [whatsapp, sms]}
          - otherwise: []
      - wait_for: {event: product_viewed, timeout: 1d}
        then: [{exit: came_back}]
"""


def read(source: str, stem: str = "cart") -> tuple[Journey | None, list[str]]:
    node, problems = read_document(dedent(source).encode(), f"journeys/{stem}.yaml")
    reader = Reader(f"journeys/{stem}.yaml")
    journey = read_journey(node, reader, stem) if node is not None else None
    return journey, [str(problem) for problem in [*problems, *reader.problems]]


def problems(source: str) -> list[str]:
    return [problem.removeprefix("journeys/cart.yaml:") for problem in read(source)[1]]


def test_a_journey_compiles_to_states_in_file_order_that_go_on_to_each_other() -> None:
    journey, found = read(GOOD)
    assert found == []
    assert journey is not None
    machine = compile_journey(journey)
    ways = {name: [target for _, target in state.targets()] for name, state in machine.states.items()}
    assert machine.start == "steps.0"
    assert ways == {
        "steps.0": ["reminder"],
        "reminder": ["steps.2"],
        "steps.2": ["voucher", "product_viewed"],
        "voucher": ["product_viewed"],
        "product_viewed": ["steps.3.then.0", None],
        "steps.3.then.0": [],
    }


def test_the_version_covers_all_but_description_and_tests() -> None:
    first, second = read(GOOD)[0], read("    description: other\n" + GOOD + "# a comment\n")[0]
    third = read(GOOD.replace("1h", "2h"))[0]
    hashes = [journey.hash if journey else None for journey in (first, second, third)]
    assert hashes[0] == hashes[1] != hashes[2] is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("- wait: 1h", "- wiat: 1h"), "7:5: unknown step 'wiat' (did you mean 'wait'?)"),
        (("wait: 1h", "wait: 1x"), "7:11: expected a duration such as 90m, 24h, 1d, 2w or 3mo, found '1x'"),
        (("via: email", "via: e-mail"), "8:46: unknown channel 'e-mail' (did you mean 'email'?)"),
        (("topic: offers", "topik: offers"), "2:1: unknown key 'topik' in a journey (did you mean 'topic'?)"),
        (
            ("{exit: came_back}", "{exit: a}, {wait: 1h}"),
            "15:23: unreachable step: the step before it always ends the journey",
        ),
        (("          - otherwise: []\n", ""), "10:7: branch lacks 'otherwise'"),
        ((", timeout: 1d", ""), "14:15: wait_for lacks 'timeout'"),
        (("journey: cart", "journey: card"), "1:10: journey 'card' must be called 'cart', like its file"),
        (
            ("{event: cart_updated, key: event.cart_id}", "{evnt: a}"),
            "3:11: unknown trigger 'evnt' (did you mean 'event'?)",
        ),
        (("via: email}", "via: email, expires: 1mo}"), "8:62: '1mo': months have no fixed length here"),
        (("via: email}", "via: email, on_failure: stop}"), "8:65: unknown rule 'stop' (one of: continue, exit)"),
        (("- wait: 1h", "- wait: {until: contact.}"), "7:19: 'contact.': a name is missing in the path"),
        (("- wait: 1h", "- wait: {until: customer.due}"), "7:19: expected a field such as contact.renewal_date"),
        (("- wait: 1h", "- wait: {until: contact.due, offset: 3}"), "7:40: expected an offset such as -3d, 2w or -2h"),
        (("- wait: 1h", '- wait: {until: "09:00", offset: 3d}'), "7:28: unknown key 'offset' in a wait until a clock"),
        (("- wait: 1h", "- repeat: {every: 1d, do: [{wait: 1h}]}"), "7:13: repeat lacks 'up_to'"),
        (("- wait: 1h", "- repeat: {up_to: 3, every: 1d, do: []}"), "7:13: a repeat needs at least one step"),
        (
            ("- wait: 1h", "- repeat: {up_to: 3, do: [{send: x, via: email}]}"),
            "7:5: a repeat without 'every' needs a wait or wait_for on every way through its steps",
        ),
        (
            ("- wait: 1h", "- repeat: {up_to: 40, do: [{repeat: {up_to: 30, do: [{wait: 1h}]}}]}"),
            "7:30: rounds within rounds multiply: these are 1200, at most 1000 are allowed",
        ),
        (
            ("- wait: 1h", "- experiment: {name: x, variants: {a: {weight: 50, do: []}, b: {weight: 40, do: []}}}"),
            "7:37: the weights add up to 90, not to 100",
        ),
        (
            ("- wait: 1h", "- experiment: {name: x, variants: {a: {weight: 100, do: []}}}"),
            "7:37: an experiment needs at least two variants",
        ),
        (
            (
                "- wait: 1h",
                "- experiment: {name: x, variants: {a: {weight: 50, do: []}, b: {weight: 50, do: []}}, winner: {by: goal}}",
            ),
            "7:5: the winner of experiment 'x' is found by goal, and the journey has none",
        ),
        (
            ("id: voucher", "id: reminder"),
            "12:13: the step id 'reminder' is taken by line 8; give this step an 'id' of its own",
        ),
        (("- wait: 1h", "- {wait: 1h, send: x}"), "7:16: a step has one verb, this one has 'wait' and 'send'"),
        (
            ("timeout: 1d}", "when: {contact.a: 1}, timeout: 1d}"),
            "14:16: wait_for can't have 'event' too: write one of event, when",
        ),
        (
            ("{event: order_completed, key: event.cart_id, reason: bought}", "{leaves: vip, event: order_completed}"),
            "5:19: an exit rule can't have 'event' too: write one of event, leaves, when",
        ),
        (
            ("{event: cart_updated, key: event.cart_id}", "{enters: vip, at: soon}"),
            "3:24: an enters trigger can't have 'at' too: write one of event, enters, leaves, date, dates, schedule,",
        ),
        (
            ("- wait: 1h", '- repeat: {up_to: "3", every: 1d, do: [{wait: 1h}]}'),
            "7:21: expected a whole number from 1 to 1000, found '3': remove the quotes",
        ),
        (("wait: 1h", 'wait: "1\\nh"'), "7:11: expected a duration such as 90m, 24h, 1d, 2w or 3mo, found '1\\nh'"),
        (("via: email", "via: [email, sms, email]"), "8:59: channel 'email' stands in 'via' twice"),
        (
            ("via: email", "via: []"),
            "8:46: expected one of email, sms, whatsapp, or a list of such, found an empty list",
        ),
        (
            ("id: reminder", "id: Reminder!"),
            "8:10: expected a name of lower-case letters, digits and _, starting with a letter, found 'Reminder!'",
        ),
        (
            ("topic: offers", "topic:"),
            "2:1: expected a name of lower-case letters, digits and _, starting with a letter, found nothing",
        ),
    ],
)
def test_an_error_stands_at_the_wrong_word_and_says_the_mend(wrong: tuple[str, str], said: str) -> None:
    assert wrong[0] in GOOD
    found = problems(GOOD.replace(*wrong, 1))
    assert any(problem.startswith(said) for problem in found), found


def test_an_otherwise_that_is_not_the_last_arm_is_told_once() -> None:
    otherwise = "          - otherwise: []\n"
    arm = "          - when: {event.total: {gte: 100}}\n"
    assert problems(GOOD.replace(otherwise, "").replace(arm, otherwise + arm)) == [
        "10:9: 'otherwise' must be the last arm: those after it are never reached"
    ]


def test_all_problems_of_a_file_are_told_in_one_go() -> None:
    found = problems(
        GOOD.replace("wait: 1h", "wait: 1x").replace("via: email", "via: post").replace("topic: offers", "topic: 1 2")
    )
    assert [problem.split(":")[0] for problem in sorted(found)] == ["2", "7", "8"]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("repeat: {up_to: 3.0, every: 1d, do: [{wait: 1h}]}", None),
        ("repeat: {up_to: 3.5, every: 1d, do: [{wait: 1h}]}", "4:26: expected a whole number from 1 to 1000, found '3.5'"),
        ("experiment: {name: e, variants: {a: {weight: 33.30, do: []}, b: {weight: 66.70, do: []}}}", None),
        ("experiment: {name: e, variants: {a: {weight: 1e2, do: []}, b: {weight: 00, do: []}}}", None),
        ("repeat: {up_to: 1_0, every: 1d, do: [{wait: 1h}]}", "4:26: expected a whole number from 1 to 1000, found '1_0'"),
    ],
)  # fmt: skip
def test_a_number_may_be_written_in_any_of_its_forms_where_a_number_stands(steps: str, problem: str | None) -> None:
    found = problems(f"    journey: cart\n    topic: offers\n    trigger: {{event: a}}\n    steps: [{{{steps}}}]\n")
    assert found == ([] if problem is None else [problem])


def test_marketing_without_a_topic_is_refused_and_transactional_needs_none() -> None:
    assert problems(GOOD.replace("    topic: offers\n", ""))[0].startswith("1:1: a marketing journey lacks 'topic'")
    assert problems(GOOD.replace("topic: offers", "kind: transactional")) == []


@pytest.mark.parametrize("trigger", ["{enters: lapsed}", '{date: contact.birthday, at: "09:00"}'])
def test_where_no_event_starts_people_the_event_can_not_be_used(trigger: str) -> None:
    source = GOOD.replace("{event: cart_updated, key: event.cart_id}", trigger)
    assert any("event.total" in problem or "event" in problem for problem in problems(source))


def test_over_a_thousand_steps_are_refused() -> None:
    steps = "".join(f"      - {{wait: 1h, id: w{number}}}\n" for number in range(1001))
    source = f"    journey: cart\n    topic: offers\n    trigger: {{event: a}}\n    steps:\n{steps}"
    assert problems(source) == ["1005:5: a journey has at most 1000 steps"]


A_B = "{name: x, variants: {a: {weight: 100, do: [{exit: a}]}, b: {weight: 0, do: []}}}"


@pytest.mark.parametrize(
    ("steps", "reached"),
    [
        (f"[{{experiment: {A_B}}}, {{wait: 1h}}]", False),
        ("[{repeat: {up_to: 2, every: 1d, do: [{exit: a}]}}, {wait: 1h}]", False),
        ("[{repeat: {up_to: 2, every: 1d, while: {contact.a: 1}, do: [{exit: a}]}}, {wait: 1h}]", True),
        ("[{wait: {until: contact.due}}, {exit: a}, {wait: 1h}]", True),
        ("[{wait: {until: contact.due, if_past: now}}, {exit: a}, {wait: 1h}]", False),
        ("[{wait_for: {event: a, timeout: 1d}, then: [{wait: {until: contact.due}}]}, {exit: a}, {wait: 1h}]", True),
    ],
)
def test_a_step_that_nobody_can_come_to_is_refused(steps: str, reached: bool) -> None:
    found = problems(f"    journey: cart\n    topic: offers\n    trigger: {{event: a}}\n    steps: {steps}\n")
    assert found == [] if reached else "unreachable step" in found[0]


@pytest.mark.parametrize(
    "do",
    [
        "[{wait: 1h}]",
        "[{wait_for: {event: a, timeout: 1d}}]",
        "[{branch: [{when: {contact.a: 1}, do: [{wait: 1h}]}, {otherwise: [{wait: 2h}]}]}]",
    ],
)
def test_a_repeat_without_every_may_take_its_time_from_its_steps(do: str) -> None:
    steps = f"[{{repeat: {{up_to: 3, do: {do}}}}}]"
    assert problems(f"    journey: cart\n    topic: offers\n    trigger: {{event: a}}\n    steps: {steps}\n") == []


def test_two_experiments_of_one_name_are_refused() -> None:
    one = A_B.replace("[{exit: a}]", "[]")
    steps = f"[{{id: one, experiment: {one}}}, {{id: two, experiment: {one}}}]"
    found = problems(f"    journey: cart\n    topic: offers\n    trigger: {{event: a}}\n    steps: {steps}\n")
    assert "the experiment 'x' is that of line 4; give this one another name" in found[0]
