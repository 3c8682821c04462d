"""A journey as its author wrote it: read from a document, checked in itself, hashed as a version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from engine.audience.condition import SegmentUse
from engine.document import Mapping, Node, Scalar, Sequence, plain
from engine.grammar import INVALID, NAME, Choice, Field, Later, Reader, Shape, Text, shown, suggestion
from engine.journey.rules import ENTRY, Entry, ExitRule, ExitRules, Goal, GoalType
from engine.journey.steps import KINDS
from engine.journey.steps.base import Step
from engine.journey.steps.branch import Branch
from engine.journey.steps.exit import Exit
from engine.journey.steps.send import Send
from engine.journey.steps.wait_for import WaitFor
from engine.journey.triggers import EventTrigger, Trigger, TriggerType

MOST_STEPS = 1000


@dataclass(frozen=True)
class Journey:
    """One journey file. `hash` names the version: it covers all but `description` and `tests`."""

    name: str
    description: str | None
    purpose: str | None
    kind: Literal["marketing", "transactional"]
    topic: str | None
    trigger: Trigger
    entry: Entry
    exits: tuple[ExitRule, ...]
    goal: Goal | None
    steps: tuple[Step, ...]
    hash: str

    def sends(self) -> Iterator[Send]:
        """Every send step, in file order, nested ones too."""
        return (step for step in walk(self.steps) if isinstance(step, Send))

    def segments_used(self) -> Iterator[SegmentUse]:
        """Every segment that a condition of the journey names, with the place where it does."""
        if isinstance(self.trigger, EventTrigger):
            yield from self.trigger.match.segments_used()
        if self.entry.where is not None:
            yield from self.entry.where.segments_used()
        for rule in self.exits:
            yield from rule.segments_used()
        if self.goal is not None:
            yield from self.goal.match.segments_used()
        for step in walk(self.steps):
            yield from step.segments_used()


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """All steps, depth first, in file order."""
    for step in steps:
        yield step
        for inner in step.nested():
            yield from walk(inner)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Steps:
    expected: str = "a list of steps"

    def read(self, node: Node, reader: Reader) -> Any:
        return _read_steps(node, reader, "steps")


def _read_steps(node: Node, reader: Reader, path: str) -> Any:
    if not isinstance(node, Sequence):
        return reader.refuse(node, f"expected a list of steps, found {shown(node)}")
    steps = [_read_step(item, reader, f"{path}.{number}") for number, item in enumerate(node.items)]
    _refuse_unreachable(steps, node, reader)
    return INVALID if any(step is INVALID for step in steps) else tuple(steps)


def _read_step(node: Node, reader: Reader, path: str) -> Any:
    if not isinstance(node, Mapping):
        return reader.refuse(node, f"expected a step (one of: {', '.join(KINDS)}), found {shown(node)}")
    verbs = [key for key, _ in node if key.text in KINDS]
    if len(verbs) > 1:
        return reader.refuse(verbs[1], f"a step has one verb, this one has '{verbs[0].text}' and '{verbs[1].text}'")
    if verbs:
        return KINDS[verbs[0].text].read(node, reader, path, _read_steps)
    word = next((key for key, _ in node if key.text not in ("id", "via", "then", "otherwise", "vars")), None)
    if word is None:
        return reader.refuse(node, f"a step lacks its verb (one of: {', '.join(KINDS)})")
    return reader.refuse(word, f"unknown step '{word.text}'{suggestion(word.text, KINDS)}")


def _never_goes_on(step: Any) -> bool:
    match step:
        case Exit():
            return True
        case Branch(arms=arms):
            return all(any(_never_goes_on(inner) for inner in arm.do) for arm in arms)
        case WaitFor(then=then, otherwise=otherwise):
            return any(map(_never_goes_on, then)) and any(map(_never_goes_on, otherwise))
        case _:
            return False


def _refuse_unreachable(steps: list[Any], node: Sequence, reader: Reader) -> None:
    for step, after in zip(steps, node.items[1:], strict=False):
        if step is not INVALID and _never_goes_on(step):
            reader.refuse(after, "unreachable step: the step before it always ends the journey")
            return


JOURNEY = Shape(
    "a journey",
    {
        "journey": Field(NAME, "the name, same as the file's", required=True, example="welcome"),
        "description": Field(Text(), "what it is for"),
        "purpose": Field(
            Choice(("relationship", "retention", "referral", "recovery"), "purpose"), "groups journeys in reports"
        ),
        "kind": Field(
            Choice(("marketing", "transactional"), "kind"), "marketing needs a topic and consent", default="marketing"
        ),
        "topic": Field(NAME, "a topic of config.yaml"),
        "trigger": Field(TriggerType(), "what brings people in", required=True),
        "entry": Field(ENTRY, "who may enter, and how often", default=Entry()),
        "exit": Field(ExitRules(), "ways out at any time", default=()),
        "goal": Field(GoalType(), "what counts as success"),
        "delivery": Field(Later("delivery"), "quiet hours, caps, holdout, throttle"),
        "in_flight": Field(Choice(("pin",), "in_flight rule"), "people under way stay on their version", default="pin"),
        "steps": Field(_Steps(), "what happens", required=True),
        "tests": Field(Later("tests"), "examples that must come out as written"),
    },
)


def read_journey(node: Node, reader: Reader, stem: str) -> Journey | None:
    """The journey of a file whose name without `.yaml` is `stem`; None when `reader` has problems to tell."""
    before = len(reader.problems)
    trigger = node.get("trigger") if isinstance(node, Mapping) else None
    if isinstance(trigger, Mapping) and trigger.key("event") is None:
        reader.has_event = False
    values = JOURNEY.read(node, reader)
    if not isinstance(node, Mapping):
        return None
    _check(node, reader, stem)
    if values is INVALID or len(reader.problems) > before:
        return None
    _check_ids(values["steps"], reader)
    if len(reader.problems) > before:
        return None
    return Journey(
        name=values["journey"],
        description=values["description"],
        purpose=values["purpose"],
        kind=values["kind"],
        topic=values["topic"],
        trigger=values["trigger"],
        entry=values["entry"],
        exits=values["exit"],
        goal=values["goal"],
        steps=values["steps"],
        hash=version_hash(node),
    )


def version_hash(node: Mapping) -> str:
    """SHA-256 of the parsed journey without `description` and `tests`; comments and layout don't count."""
    rest = {key.text: plain(value) for key, value in node if key.text not in ("description", "tests")}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _check(node: Mapping, reader: Reader, stem: str) -> None:
    name = node.get("journey")
    if isinstance(name, Scalar) and name.text != stem:
        reader.refuse(name, f"journey '{name.text}' must be called '{stem}', like its file")
    kind, topic, steps = node.get("kind"), node.get("topic"), node.get("steps")
    transactional = isinstance(kind, Scalar) and kind.text == "transactional"
    if topic is None and not transactional:
        reader.refuse(node, "a marketing journey lacks 'topic' (which consent it needs)")
    if isinstance(steps, Sequence) and not steps.items:
        reader.refuse(steps, "a journey needs at least one step")


def _check_ids(steps: tuple[Step, ...], reader: Reader) -> None:
    seen: dict[str, Step] = {}
    for number, step in enumerate(walk(steps)):
        if number == MOST_STEPS:
            reader.refuse(
                Scalar("", "", False, step.spot.line, step.spot.column), f"a journey has at most {MOST_STEPS} steps"
            )
            return
        if step.id and step.id in seen:
            at = Scalar(step.id, step.id, False, step.spot.line, step.spot.column)
            first = seen[step.id].spot.line
            reader.refuse(at, f"the step id '{step.id}' is taken by line {first}; give this step an 'id' of its own")
        seen.setdefault(step.id, step)
