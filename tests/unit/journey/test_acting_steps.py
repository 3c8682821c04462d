"""The steps that act, `update`, `emit`, `webhook` and `start`: how they are read, what is refused, what they decide."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import pytest

from engine.document import read_document
from engine.grammar import Declared, FieldType, Reader
from engine.journey.change import AddTo, Change, SetField, carry_out
from engine.journey.circles import circles
from engine.journey.decide import decide
from engine.journey.journey import Journey, read_journey
from engine.journey.machine import compile_journey
from engine.journey.steps.webhook import Request, faults
from engine.journey.values import Decision, EmitEvent, Enrollment, Facts, PlanCall, Signal, StartJourney, UpdateContact

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIELDS: dict[str, FieldType] = {
    "points": "number", "plan": "text", "vip": "boolean", "birthday": "date", "seen": "datetime", "likes": "list",
    "home.floor": "number",
}  # fmt: skip


def read(steps: str, name: str = "j", trigger: str = "{event: began}") -> tuple[Journey | None, list[str]]:
    source = f"journey: {name}\ntopic: offers\ntrigger: {trigger}\nsteps:\n{indent(steps, '  ')}\n"
    node, problems = read_document(source.encode(), f"journeys/{name}.yaml")
    reader = Reader(f"journeys/{name}.yaml", Declared(FIELDS))
    journey = read_journey(node, reader, name) if node is not None else None
    return journey, [str(problem).removeprefix(f"journeys/{name}.yaml:") for problem in [*problems, *reader.problems]]


def good(steps: str, name: str = "j", trigger: str = "{event: began}") -> Journey:
    journey, problems = read(steps, name, trigger)
    assert journey is not None, problems
    return journey


def change(update: str) -> Change:
    (step,) = good(f"- update: {update}").steps
    found = getattr(step, "change")  # noqa: B009  a step is known by its protocol here
    assert isinstance(found, Change)
    return found


def entered(journey: Journey, **event: Any) -> Decision:
    """What is decided about somebody whose enrollment has just come to the first step."""
    machine = compile_journey(journey)
    here = Enrollment(
        7, 1, "", "active", machine.start, 1, 1, NOW, NOW, NOW, event=event, arriving=True, matched={"m": 1}
    )
    decision = decide(machine, here, Signal("event", NOW), Facts(1, "UTC"), NOW)
    assert isinstance(decision, Decision)
    return decision


# --- update -----------------------------------------------------------------------------------------------------------


def test_an_update_is_read_by_the_types_of_its_fields() -> None:
    found = change(
        "{contact.points: 1.50, contact.plan: 7, contact.vip: true, contact.birthday: 1990-05-01, contact.likes: rock, "
        "contact.seen: 2026-03-01T09:00:00+07:00, contact.home.floor: {add: -2}, contact.nick: 12, contact.old: null, "
        "contact.timezone: Asia/Jakarta, contact.locale: id, contact.list: [a, 1]}"
    )
    assert found.fields == (
        SetField(("points",), 1.5), SetField(("plan",), "7"), SetField(("vip",), True), SetField(("birthday",), "1990-05-01"),
        SetField(("likes",), ["rock"]), SetField(("seen",), "2026-03-01T09:00:00+07:00"), AddTo(("home", "floor"), -2, True),
        SetField(("nick",), 12), SetField(("old",), None), SetField(("timezone",), "Asia/Jakarta"),
        SetField(("locale",), "id"), SetField(("list",), ["a", 1]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ("{}", "an update changes something"),
        ("{contact.email: a@b.id}", "'contact.email' can't be set by a journey: it says who the contact is"),
        ("{contact.user_id: x}", "'contact.user_id' can't be set by a journey"),
        ("{contact.tags: [a]}", "'contact.tags' can't be set by a journey: it is changed by tags: {add: [..]"),
        ("{tier: gold}", "unknown key 'tier' in an update (did you mean 'contact.tier'?)"),
        ("{tag: {add: a}}", "unknown key 'tag' in an update (did you mean 'tags'?)"),
        ("{contact.points: many}", "contact.points is a number, found 'many'"),
        ("{contact.points: [1]}", "contact.points is declared as number in config.yaml, found a list"),
        ("{contact.plan: {add: 1}}", "contact.plan is declared as text in config.yaml: nothing can be added to it"),
        ("{contact.points: {ad: 1}}", "expected a value for contact.points or {add: NUMBER}"),
        ('{contact.points: {add: "1"}}', "expected a number, found '1'"),
        ("{contact.nick: 49.90}", "'49.90' could be a number or a text: write 49.9, or quote it"),
        ('{contact.nick: "{{ event.x }}"}', "'{{ event.x }}': an update takes values as they are written"),
        ("{contact.nick: }", "expected a value for contact.nick (null removes it)"),
        ("{contact.timezone: WIB}", "unknown time zone 'WIB' (did you mean 'Asia/Jakarta'?)"),
        ("{contact.items.*.sku: a}", "'contact.items.*.sku' is no field that can be set"),
        ("{contact.a: 1, contact.a.b: 2}", "'contact.a.b' is a part of 'contact.a'"),
        ("{tags: {}}", "tags lacks 'add' or 'remove'"),
        ("{tags: {add: [a, b], remove: b}}", "the tag 'b' is both added and removed"),
        ("{consent: {offers: in}}", "consent can only be taken away here"),
        ("{consent: {offers: no}}", "expected 'out', found 'no'"),
        ("{consent: offers}", "expected topics, such as {offers: out}, found 'offers'"),
    ],
)
def test_an_update_that_can_not_be_meant_is_refused_with_the_mend(update: str, said: str) -> None:
    _, problems = read(f"- update: {update}")
    assert any(said in problem for problem in problems), problems


def test_an_update_stops_the_decision_so_that_what_follows_is_decided_on_the_new_profile() -> None:
    decision = entered(good("- update: {contact.points: {add: 1}}\n- exit: done"))
    assert decision.again
    assert decision.enrollment is not None
    assert (decision.enrollment.step, decision.enrollment.arriving) == ("steps.1", True)
    assert decision.effects == (UpdateContact("steps.0", 1, Change((AddTo(("points",), 1, True),))),)


def test_a_change_counts_a_missing_number_from_nothing_and_leaves_what_it_is_given_alone() -> None:
    traits = {"home": {"city": "Solo"}, "points": 0.1, "tags": "old", "timezone": "WIB"}
    done = carry_out(
        change("{contact.points: {add: 0.2}, contact.sum: {add: 3}, contact.home.city: null, tags: {add: new}, contact.timezone: Asia/Jakarta}"),
        {"locale": None, "timezone": None},
        traits,
    )  # fmt: skip
    assert done.traits == {"home": {}, "points": 0.3, "sum": 3, "tags": ["old", "new"]}
    assert done.columns == {"locale": None, "timezone": "Asia/Jakarta"}
    assert set(done.names) == {"home", "points", "sum", "tags", "timezone"}
    assert traits["home"] == {"city": "Solo"}
    again = carry_out(change("{contact.sum: 3, tags: {add: [old], remove: gone}}"), done.columns, done.traits)
    assert (again.names, again.refused) == ((), ())


@pytest.mark.parametrize(
    ("before", "said"), [("many", "is no number"), (True, "is no number"), (2**63 - 1, "too large")]
)
def test_what_can_not_be_added_to_is_told(before: Any, said: str) -> None:
    done = carry_out(change("{contact.points: {add: 1}}"), {}, {"points": before})
    assert done.traits == {"points": before}
    assert said in done.refused[0]


# --- emit and start ---------------------------------------------------------------------------------------------------


def test_an_emit_and_a_start_go_on_at_once_with_what_they_hand_over() -> None:
    decision = entered(
        good('- emit: told\n  properties: {a: "{{ event.x }}", b: [1, {c: true}]}\n- start: other'), x="y"
    )
    assert decision.effects == (
        EmitEvent("steps.0", 1, "told", {"a": "{{ event.x }}", "b": [1, {"c": True}]}, {"m": 1}),
        StartJourney("steps.1", "other", {"x": "y"}, NOW),
    )
    assert decision.enrollment is not None
    assert decision.enrollment.reason == "completed"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("- emit: Order Completed", "expected a name of lower-case letters"),
        ("- emit: a\n  properties: [1]", "expected a mapping of names to values, found a list"),
        ('- emit: a\n  properties: {x: [ok, "{{ x.__class__ }}"]}', "6:26: '{{ x.__class__ }}'"),
        ("- emit: a\n  property: {x: 1}", "unknown key 'property' in an emit step (did you mean 'properties'?)"),
        ("- start: [a]", "expected a name of lower-case letters"),
    ],
)
def test_an_emit_or_start_that_can_not_be_meant_is_refused(steps: str, said: str) -> None:
    _, problems = read(steps)
    assert any(said in problem for problem in problems), problems


def test_journeys_that_start_each_other_in_a_circle_are_told_at_every_place_that_leads_around() -> None:
    journeys = [
        good("- wait: 1d\n- start: b", "a"),
        good("- wait: 1d", "b", "{finished: a}"),
        good("- start: a", "c", "{finished: b}"),
        good("- start: d", "d"),
        good("- start: a\n- start: elsewhere", "e"),
    ]
    found = [(circle.journey, circle.step and circle.step.spot.line, circle.label()) for circle in circles(journeys)]
    assert found == [
        ("a", 6, "a -> b -> c -> a"),
        ("b", None, "a -> b -> c -> a"),
        ("c", 5, "c -> a -> b -> c"),
        ("c", None, "b -> c -> a -> b"),
        ("d", 5, "d -> d"),
    ]


# --- webhook ----------------------------------------------------------------------------------------------------------


def test_a_webhook_is_called_and_the_enrollment_stays_until_the_call_has_ended() -> None:
    journey = good("- id: crm\n  webhook: {url: https://crm.example.com}\n  on_failure: exit")
    first = entered(journey)
    assert first.effects == (PlanCall("crm", 1, 1, NOW),)
    assert first.enrollment is not None
    assert first.enrollment.step == "crm"
    machine = compile_journey(journey)
    ends = {}
    for state, visit in (("answered", 1), ("failed", 1), ("failed", 0)):
        signal = Signal("call", NOW, visit, data={"state": state})
        decision = decide(machine, first.enrollment, signal, Facts(1, "UTC"), NOW)
        assert isinstance(decision, Decision)
        ends[state, visit] = decision.enrollment.reason if decision.enrollment else None
    assert ends == {("answered", 1): "completed", ("failed", 1): "exit", ("failed", 0): None}


@pytest.mark.parametrize(
    ("webhook", "said"),
    [
        ("{method: POST}", "webhook lacks 'url'"),
        (
            "{url: crm.example.com}",
            "expected a URL such as https://crm.example.com/hooks/alur, found 'crm.example.com'",
        ),
        ("{url: ftp://crm.example.com}", "expected a URL"),
        ("{url: https://crm.example.com/#a}", "expected a URL"),
        ('{url: "https://crm.example.com/{{ contact.id }}"}', "a url is not rendered"),
        ("{url: https://ani:pw@crm.example.com}", "a user name in a url is refused"),
        ("{url: https://crm.example.com?api_key=abc}", "a secret is typed in here"),
        ("{url: https://crm.example.com, method: PATHC}", "unknown method 'PATHC' (did you mean 'PATCH'?)"),
        ("{url: https://crm.example.com, method: GET, body: a}", "a GET has no body"),
        ("{url: https://crm.example.com, body: 5}", "expected a mapping or list (sent as JSON), or text, found '5'"),
        ('{url: https://crm.example.com, body: "{% raw %}"}', "'{% raw %}'"),
        ("{url: https://crm.example.com, secret: hunter2}", "a secret is typed in here"),
        ('{url: https://crm.example.com, secret: "${A:-hunter2}"}', "a secret is typed in here"),
        ('{url: https://crm.example.com, secret: "a${A}"}', "a secret is typed in here"),
        ("{url: https://crm.example.com, secret: ${A}}", 'a reference to the environment needs quotes: "${NAME}"'),
        ("{url: https://crm.example.com, headers: {Authorization: Bearer x}}", "a secret is typed in here"),
        ("{url: https://crm.example.com, headers: {X-Api-Key: x}}", "a secret is typed in here"),
        ("{url: https://crm.example.com, headers: {Idempotency-Key: x}}", "is set by Alur itself"),
        ("{url: https://crm.example.com, headers: {X-A: a, x-a: b}}", "the header 'x-a' stands twice"),
        ("{url: https://crm.example.com, headers: {X A: a}}", "'X A' can't be the name of a header"),
        ('{url: https://crm.example.com, headers: {X-A: "a\\nb"}}', "a header is one line of ASCII"),
    ],
)
def test_a_webhook_that_can_not_be_meant_is_refused_and_a_secret_is_never_quoted(webhook: str, said: str) -> None:
    _, problems = read(f"- webhook: {webhook}")
    assert any(said in problem for problem in problems), problems
    assert not any("hunter2" in problem for problem in problems)


def test_a_webhook_may_take_its_url_headers_and_secret_from_the_environment() -> None:
    good(
        '- webhook:\n    url: ${HOOK}\n    headers: {Authorization: "Bearer ${TOKEN}"}\n    secret: ${SECRET}\n    body: hello'
    )  # fmt: skip


def test_a_request_that_this_workspace_can_not_make_is_told_by_what_is_missing() -> None:
    request = Request("http://127.0.0.1/${A:-x}", headers=(("X-A", "${B}"),), secret="${C}")
    assert list(faults(request, {"B": "b"}, ())) == [
        ("secret", "the environment variable C is not set: set it, in .env for example"),
    ]
    ((key, internal),) = faults(Request("http://localhost:8080/x"), {}, ())
    assert key == "url"
    assert internal.startswith("'localhost' is an internal address")
