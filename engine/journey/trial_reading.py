"""How `tests:` is read: strictly, each problem at its word, names checked against the journey's own steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.audience.condition import read_condition
from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar, Sequence
from engine.grammar import (
    INVALID,
    Choice,
    Field,
    Invalid,
    Number,
    Reader,
    Shape,
    Text,
    shown,
    suggestion,
)
from engine.journey.instant import INSTANT
from engine.journey.trial import (
    OBSERVED,
    WITHHELD,
    Act,
    Consents,
    Enrolls,
    ExpectContact,
    ExpectCount,
    ExpectExit,
    ExpectSend,
    ExpectWithheld,
    Given,
    Happens,
    Identifies,
    Reacts,
    Span,
    Suppresses,
    Trial,
)
from engine.journey.trial_words import CHANNEL, Between, ContactType, Data, Items, Topics


@dataclass(frozen=True)
class Cast:
    """What a test may name: `sends` are the send steps with the channels of each, `exits` the ways in which the journey can
    end, `variants` those of its experiments.
    """

    sends: Mapping[str, Collection[str]]
    exits: Collection[str]
    variants: Collection[str]


# --- given ------------------------------------------------------------------------------------------------------------

_TIMES: Final = {
    "at": Field(INSTANT, "when it happens", required=True, example="2026-03-01T20:30:00+07:00"),
    "received_at": Field(INSTANT, "when Alur learns of it, if that is another time"),
}
_WHEN: Final = "2026-03-01T21:00:00+07:00"
_MESSAGE_ID: Final = Field(Text(), "its message id; one that has come before is taken for the same")
_MESSAGE: Final = Shape(
    "a reaction",
    {
        "step": Field(Text(), "the id of a send step", required=True),
        "was": Field(Choice(OBSERVED, "reaction"), "what became of its newest message", required=True),
    },
)
_ENROLL: Final = Shape("enroll", {"properties": Field(Data(), "what 'event' is in the journey", default={})})

GIVEN: Final = {
    "event": Shape(
        "a given event",
        {
            **_TIMES,
            "event": Field(Text(), "the event's name", required=True, example="order_completed"),
            "properties": Field(Data(), "its properties", default={}),
            "message_id": _MESSAGE_ID,
        },
        lambda event, properties, message_id, **_: Happens(event, properties, message_id),
        example={"at": _WHEN, "event": "order_completed", "properties": {"total": 90000}},
    ),
    "identify": Shape(
        "a given identify",
        {**_TIMES, "identify": Field(Data(), "traits", required=True), "message_id": _MESSAGE_ID},
        lambda identify, message_id, **_: Identifies(identify, message_id),
        example={"at": _WHEN, "identify": {"city": "Bandung"}},
    ),
    "consent": Shape(
        "a given consent",
        {**_TIMES, "consent": Field(Topics(), "what the person says", required=True, example={"offers": "out"})},
        lambda consent, **_: Consents(consent),
        example={"at": _WHEN, "consent": {"offers": "out"}},
    ),
    "suppress": Shape(
        "a given suppression",
        {**_TIMES, "suppress": Field(CHANNEL, "the channel of the address", required=True)},
        lambda suppress, **_: Suppresses(suppress),
        example={"at": _WHEN, "suppress": "email"},
    ),
    "message": Shape(
        "a given reaction",
        {**_TIMES, "message": Field(_MESSAGE, "what became of a message", required=True)},
        lambda message, **_: Reacts(**message),
        example={"at": _WHEN, "message": {"step": "reminder", "was": "clicked"}},
    ),
    "enroll": Shape(
        "a given enrollment",
        {**_TIMES, "enroll": Field(_ENROLL, "by hand", required=True)},
        lambda enroll, **_: Enrolls(enroll["properties"]),
        example={"at": _WHEN, "enroll": {"properties": {"code": "NADA10"}}},
    ),
}


def _read_given(node: Node, reader: Reader, cast: Cast | None) -> Given | Invalid:
    verb = _verb(node, GIVEN, reader, "a given item")
    if isinstance(verb, Invalid):
        return INVALID
    assert isinstance(node, MappingNode)
    act: Act | Invalid = GIVEN[verb].read(node, reader)
    if isinstance(act, Invalid):
        return INVALID
    if isinstance(act, Reacts) and cast is not None:
        message = node.get("message")
        assert isinstance(message, MappingNode)
        _known_send(message.get("step"), reader, cast)
    times = {name: INSTANT.read(at, reader) for name in _TIMES if (at := node.get(name)) is not None}
    return Given(times["at"], times.get("received_at", times["at"]), act, node.line)


# --- expect -----------------------------------------------------------------------------------------------------------

_COUNT: Final = Number(whole=True, least=0)
_AT: Final = Field(INSTANT, "exactly then, to the second")

EXPECT: Final = {
    "send": Shape(
        "an expected send",
        {
            "send": Field(Text(), "the id of a send step", required=True, example="cart_reminder"),
            "via": Field(CHANNEL, "by this channel"),
            "at": _AT,
            "between": Field(Between(), "from the first instant to the last"),
            "variant": Field(Text(), "to somebody in this variant"),
        },
        example={"send": "reminder", "via": "email", "at": _WHEN},
    ),
    "withheld": Shape(
        "an expected withheld send",
        {
            "withheld": Field(Text(), "the id of a send step", required=True),
            "reason": Field(Choice(WITHHELD, "reason"), "why"),
        },
        example={"withheld": "reminder", "reason": "no_consent"},
    ),
    "exit": Shape(
        "an expected exit",
        {"exit": Field(Text(), "the reason", required=True, example="bought"), "at": _AT},
        example={"exit": "bought", "at": _WHEN},
    ),
    "goal": Shape(
        "an expected goal",
        {"goal": Field(_COUNT, "how many passages reached it", required=True)},
        example={"goal": 1},
    ),
    "sends": Shape(
        "expected sends", {"sends": Field(_COUNT, "how many messages went out", required=True)}, example={"sends": 0}
    ),
    "entries": Shape(
        "expected entries", {"entries": Field(_COUNT, "how many passages began", required=True)}, example={"entries": 1}
    ),
}


def _read_expected(node: Node, reader: Reader, cast: Cast | None) -> Any:
    if isinstance(node, MappingNode) and node.pairs and all(key.text.startswith("contact.") for key, _ in node):
        condition = read_condition(node, reader, matched=False)
        return INVALID if isinstance(condition, Invalid) else ExpectContact(condition, node.line)
    verb = _verb(node, EXPECT, reader, "an expectation", ("contact.FIELD",))
    if isinstance(verb, Invalid):
        return INVALID
    assert isinstance(node, MappingNode)
    values = EXPECT[verb].read(node, reader)
    if isinstance(values, Invalid):
        return INVALID
    if cast is not None:
        _check_names(verb, node, reader, cast)
    line = node.line
    match verb:
        case "send":
            if values["at"] is not None and values["between"] is not None:
                return reader.refuse(node.key("between") or node, "an expected send has 'at' or 'between', not both")
            return ExpectSend(
                values["send"], values["via"], values["between"] or _second(values["at"]), values["variant"], line
            )
        case "withheld":
            return ExpectWithheld(values["withheld"], values["reason"], line)
        case "exit":
            return ExpectExit(values["exit"], _second(values["at"]), line)
        case _:
            return ExpectCount(verb, values[verb], line)  # type: ignore[arg-type]  # the three that are left


def _second(at: datetime | None) -> Span | None:
    return None if at is None else Span(at.replace(microsecond=0), at.replace(microsecond=0))


def _check_names(verb: str, node: MappingNode, reader: Reader, cast: Cast) -> None:
    """The words that the journey itself must know."""
    if verb in ("send", "withheld"):
        step, via = node.get(verb), node.get("via")
        known = _known_send(step, reader, cast)
        takes = cast.sends[step.text] if known and isinstance(step, Scalar) else ()
        if takes and isinstance(via, Scalar) and via.text not in takes:
            reader.refuse(via, f"this step never goes by {via.text} (its 'via': {', '.join(takes)})")
        _known(node.get("variant"), cast.variants, "variant", reader)
    elif verb == "exit":
        reason = node.get("exit")
        if isinstance(reason, Scalar) and reason.text not in cast.exits:
            hint = suggestion(reason.text, cast.exits) or f" (one of: {', '.join(sorted(cast.exits))})"
            reader.refuse(reason, f"the journey never ends as '{reason.text}'{hint}")


def _known_send(step: Node | None, reader: Reader, cast: Cast) -> bool:
    return _known(step, cast.sends, "send step", reader)


def _known(node: Node | None, names: Collection[str], what: str, reader: Reader) -> bool:
    if not isinstance(node, Scalar) or node.text in names:
        return True
    hint = suggestion(node.text, names) or f" (the journey has: {', '.join(sorted(names)) or 'none'})"
    reader.refuse(node, f"unknown {what} '{node.text}'{hint}")
    return False


def _verb(
    node: Node, verbs: Mapping[str, Shape], reader: Reader, what: str, also: tuple[str, ...] = ()
) -> str | Invalid:
    """Which of the verbs the mapping speaks; exactly one."""
    listed = ", ".join((*verbs, *also))
    if not isinstance(node, MappingNode):
        return reader.refuse(node, f"expected {what} (one of: {listed}), found {shown(node)}")
    found = [key for key, _ in node if key.text in verbs]
    if len(found) > 1:
        return reader.refuse(found[1], f"{what} has one verb, this one has '{found[0].text}' and '{found[1].text}'")
    if found:
        return found[0].text
    word = next((key for key, _ in node if key.text not in _BESIDE), None)
    if word is None:
        return reader.refuse(node, f"{what} lacks its verb (one of: {listed})")
    hint = suggestion(word.text, verbs) or f" (one of: {listed})"
    return reader.refuse(word, f"unknown word '{word.text}' in {what}{hint}")


_BESIDE: Final = ("at", "received_at", "properties", "message_id", "via", "between", "variant", "reason")

# --- the whole --------------------------------------------------------------------------------------------------------


_ABOUT_CONTACT: Final = {
    "type": "object",
    "title": "what holds of the contact at the end",
    "allOf": [{"$ref": "#/definitions/condition"}],
    "patternProperties": {r"^contact\.": {}},
    "additionalProperties": False,
    "minProperties": 1,
}


def trial_shape(cast: Cast | None = None) -> Shape:
    """One test, whose names are checked against `cast` (None: the steps could not be read, so nothing is known of them)."""
    return Shape(
        "a test",
        {
            "name": Field(Text(), "what must come out, in a sentence", required=True, example="buyer gets no reminder"),
            "contact": Field(
                ContactType(),
                "the person; exists before anything happens",
                required=True,
                example={"user_id": "ani", "email": "ani@example.com", "consent": ["offers"]},
            ),
            "given": Field(
                Items("things that happen", lambda node, reader: _read_given(node, reader, cast), GIVEN.values()),
                "what happens",
                default=(),
            ),
            "from": Field(INSTANT, "when the clock begins; without it at the first thing given", example=_WHEN),
            "until": Field(INSTANT, "when it ends; without it when nothing is left to happen", example=_WHEN),
            "expect": Field(
                Items(
                    "expectations",
                    lambda node, reader: _read_expected(node, reader, cast),
                    EXPECT.values(),
                    1,
                    (_ABOUT_CONTACT,),
                ),
                "what must have come of it",
                required=True,
            ),
        },
    )


@dataclass(frozen=True)
class TestsType:
    """The list behind `tests:`. What it names stands in `steps`, so it is read by `read_trials` when those are known."""

    __test__ = False  # a word of the language, nothing for pytest
    expected: str = "a list of tests"

    def read(self, node: Node, reader: Reader) -> Any:
        return node

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": trial_shape().schema()}


def read_trials(node: Node | None, reader: Reader, cast: Cast | None) -> tuple[Trial, ...]:
    """The tests of a journey; those with problems, which `reader` is told, are left out."""
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        reader.refuse(node, f"expected a list of tests, found {shown(node)}")
        return ()
    shape = trial_shape(cast)
    seen: dict[str, int] = {}
    found = [_read_trial(item, reader, shape, seen) for item in node.items]
    return tuple(trial for trial in found if isinstance(trial, Trial))


def _read_trial(node: Node, reader: Reader, shape: Shape, seen: dict[str, int]) -> Trial | Invalid:
    values = shape.read(node, reader)
    if isinstance(values, Invalid):
        return INVALID
    assert isinstance(node, MappingNode)
    name = values["name"]
    if name in seen:
        return reader.refuse(node.get("name") or node, f"the name '{name}' is taken by the test on line {seen[name]}")
    seen[name] = node.line
    given = tuple(sorted(values["given"], key=lambda item: item.arrival))
    start = values["from"] or (given[0].arrival if given else None)
    if start is None:
        return reader.refuse(
            node, "a test in which nothing is given needs 'from', the instant at which its clock begins"
        )
    if given and given[0].arrival < start:
        return reader.refuse(node.get("from") or node, f"line {given[0].line} arrives before the clock begins here")
    last = given[-1].arrival if given else start
    until = values["until"]
    if until is not None and until < last:
        return reader.refuse(node.get("until") or node, "the clock ends here before everything given has arrived")
    if until is not None and until - start > _LONGEST:
        return reader.refuse(node.get("until") or node, f"a test takes at most {_LONGEST.days} days")
    return Trial(name, values["contact"], given, start, until, values["expect"], node.line)


_LONGEST: Final = timedelta(days=3660)


def topics_named(journey: Node) -> Iterator[Scalar]:
    """Every topic that the tests of a journey name, where they do; which there are stands in config.yaml."""
    tests = journey.get("tests") if isinstance(journey, MappingNode) else None
    for test in tests.items if isinstance(tests, Sequence) else ():
        if not isinstance(test, MappingNode):
            continue
        contact, given = test.get("contact"), test.get("given")
        for item in (contact, *(given.items if isinstance(given, Sequence) else ())):
            consent = item.get("consent") if isinstance(item, MappingNode) else None
            if isinstance(consent, MappingNode):
                yield from (key for key, _ in consent)
            elif isinstance(consent, Sequence):
                yield from (topic for topic in consent.items if isinstance(topic, Scalar))
