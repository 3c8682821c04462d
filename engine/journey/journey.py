"""A journey as its author wrote it: read from a document, checked in itself, hashed as a version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.audience.condition import SegmentUse
from engine.config import DELIVERY, Delivery
from engine.document import Mapping, Node, Scalar, Sequence, plain
from engine.grammar import INVALID, NAME, Choice, Field, Reader, Shape, Text, shown, suggestion
from engine.journey.in_flight import InFlight, InFlightType, check_targets
from engine.journey.reach import check_steps, refuse_unreachable, walk
from engine.journey.rules import ENTRY, Entry, ExitRule, ExitRules, Goal, GoalType, check_entry
from engine.journey.steps import KINDS
from engine.journey.steps.base import Step
from engine.journey.steps.exit import Exit
from engine.journey.steps.experiment import Experiment
from engine.journey.steps.send import Send
from engine.journey.trial import Trial
from engine.journey.trial_reading import Cast, TestsType, read_trials
from engine.journey.triggers import EventTrigger, Trigger, TriggerType, has_event

ENDS = frozenset({"completed", "exit", "restarted", "merged", "erased", "removed"})
"""Reasons of an end that nobody names; `exit` is also that of `on_failure: exit`."""


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
    delivery: Delivery = field(default_factory=Delivery)
    in_flight: InFlight = field(default_factory=InFlight)
    tests: tuple[Trial, ...] = ()

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


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Steps:
    expected: str = "a list of steps"

    def read(self, node: Node, reader: Reader) -> Any:
        return _read_steps(node, reader, "steps")

    def schema(self) -> dict[str, Any]:
        return {"allOf": [{"$ref": "#/definitions/steps"}], "minItems": 1}


def _read_steps(node: Node, reader: Reader, path: str) -> Any:
    if not isinstance(node, Sequence):
        return reader.refuse(node, f"expected a list of steps, found {shown(node)}")
    steps = [_read_step(item, reader, f"{path}.{number}") for number, item in enumerate(node.items)]
    refuse_unreachable(steps, node, reader)
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


_TEST = {
    "name": "a buyer gets no reminder",
    "contact": {"user_id": "ani", "email": "ani@example.com", "consent": ["offers"]},
    "given": [{"at": "2026-03-01T20:30:00+07:00", "event": "cart_updated"}],
    "expect": [{"sends": 1}],
}

JOURNEY = Shape(
    "a journey",
    {
        "journey": Field(NAME, "the name, same as the file's", required=True, example="welcome"),
        "description": Field(Text(), "what it is for", example="Remind shoppers of the cart they left."),
        "purpose": Field(
            Choice(("relationship", "retention", "referral", "recovery"), "purpose"),
            "groups journeys in reports",
            example="retention",
        ),
        "kind": Field(
            Choice(("marketing", "transactional"), "kind"),
            "marketing needs a topic and consent",
            default="marketing",
            example="transactional",
        ),
        "topic": Field(NAME, "a topic of config.yaml; required for marketing", example="offers"),
        "trigger": Field(
            TriggerType(),
            "what brings people in",
            required=True,
            example={"event": "cart_updated", "key": "event.cart_id"},
        ),
        "entry": Field(
            ENTRY, "who may enter, and how often", default=Entry(), example={"reentry": "always", "again": "restart"}
        ),
        "exit": Field(
            ExitRules(), "ways out at any time", default=(), example=[{"event": "order_completed", "reason": "bought"}]
        ),
        "goal": Field(
            GoalType(),
            "what counts as success",
            example={"event": "order_completed", "within": "7d", "value": "event.total"},
        ),
        "delivery": Field(
            DELIVERY,
            "quiet hours, caps, holdout, throttle",
            default=Delivery(),
            example={"cap": {"max": 3, "per": "7d"}, "holdout": "10%"},
        ),
        "in_flight": Field(
            InFlightType(),
            "what becomes of people under way when this version is applied: they stay on theirs, or move",
            default=InFlight(),
            example={"migrate": {"old_step": "new_step"}},
        ),
        "steps": Field(
            _Steps(), "what happens", required=True, example=[{"wait": "1h"}, {"send": "reminder", "via": "email"}]
        ),
        "tests": Field(TestsType(), "examples that must come out as written", example=[_TEST]),
    },
)


def read_journey(node: Node, reader: Reader, stem: str, *, tested: bool = True) -> Journey | None:
    """The journey of a file whose name without `.yaml` is `stem`; None when `reader` has problems to tell.

    Without `tested` its `tests` are passed over: what runs must not hang on them.
    """
    before = len(reader.problems)
    reader.has_event = has_event(node.get("trigger") if isinstance(node, Mapping) else None)
    values = JOURNEY.read(node, reader)
    if not isinstance(node, Mapping):
        return None
    _check(node, reader, stem)
    check_entry(node, reader)
    tests = read_trials(node.get("tests"), reader, _cast(node, reader, values)) if tested else ()
    if values is INVALID or len(reader.problems) > before:
        return None
    check_steps(values["steps"], values["goal"], reader)
    check_targets(node, [step.id or step.spot.path for step in walk(values["steps"])], reader)
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
        delivery=values["delivery"],
        in_flight=values["in_flight"],
        tests=tests,
    )


def _cast(node: Mapping, reader: Reader, values: Any) -> Cast | None:
    """What the tests may name. Where another part of the file is wrong, the steps may still be right: nothing is told twice."""
    if node.get("tests") is None:
        return None
    steps, exits = (values["steps"], values["exit"]) if values is not INVALID else _reread(node, reader)
    if steps is INVALID or exits is INVALID:
        return None
    sends = {step.id: step.via for step in walk(steps) if isinstance(step, Send)}
    ends = {step.reason for step in walk(steps) if isinstance(step, Exit)}
    experiments = [step for step in walk(steps) if isinstance(step, Experiment)]
    variants = {variant.name for experiment in experiments for variant in experiment.variants}
    return Cast(sends, ENDS | ends | {rule.reason for rule in exits}, variants)


def _reread(node: Mapping, reader: Reader) -> tuple[Any, Any]:
    silent = Reader(reader.file, reader.fields)
    silent.has_event = reader.has_event
    steps, exits = node.get("steps"), node.get("exit")
    return (
        INVALID if steps is None else _Steps().read(steps, silent),
        () if exits is None else ExitRules().read(exits, silent),
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
