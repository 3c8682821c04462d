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
from engine.grammar import INVALID, NAME, Choice, Field, Invalid, MentionType, Reader, Shape, Text, shown, suggestion
from engine.journey.in_flight import InFlight, InFlightType, check_targets
from engine.journey.reach import check_steps, refuse_unreachable, walk
from engine.journey.rules import ENTRY, Entry, ExitRule, ExitRules, Goal, GoalType, check_entry
from engine.journey.steps import KINDS
from engine.journey.steps.base import Step, StepsReader
from engine.journey.steps.exit import Exit
from engine.journey.steps.experiment import Experiment
from engine.journey.steps.send import Send
from engine.journey.steps.wait_for import awaited_events
from engine.journey.trial import Trial
from engine.journey.trial_reading import Cast, TestsType, read_trials
from engine.journey.triggers import EventTrigger, Trigger, TriggerType, event_named, has_event

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

    def draft(self) -> Draft:
        """What others ask of it."""
        return _draft(self.name, self.kind, self.trigger, self.entry, self.exits, self.steps)

    @property
    def comes_back(self) -> bool:
        """Whether somebody may enter again and again, with nothing to bound it."""
        return self.entry.reentry.rule == "always"

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


@dataclass(frozen=True)
class Draft:
    """A journey's file as far as it reads; of a good one, all that others ask of it. What does not read has been told.

    `steps` are the outermost steps that read well, those inside one that does not among them; `lost` are those that don't.
    """

    name: str
    kind: str | None
    has_event: bool
    trigger: Trigger | None
    comes_back: bool
    exits: tuple[ExitRule, ...] | None
    steps: tuple[Step, ...]
    lost: tuple[Node, ...] = ()


def _draft(
    name: str, kind: str, trigger: Trigger, entry: Entry, exits: tuple[ExitRule, ...], steps: tuple[Step, ...]
) -> Draft:
    return Draft(name, kind, trigger.has_event, trigger, entry.reentry.rule == "always", exits, steps)


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
    steps = [_read_step(item, reader, f"{path}.{number}", _read_steps) for number, item in enumerate(node.items)]
    refuse_unreachable(steps, node, reader)
    return INVALID if any(step is INVALID for step in steps) else tuple(steps)


def _read_step(node: Node, reader: Reader, path: str, read_steps: StepsReader) -> Any:
    if not isinstance(node, Mapping):
        return reader.refuse(node, f"expected a step (one of: {', '.join(KINDS)}), found {shown(node)}")
    verbs = [key for key, _ in node if key.text in KINDS]
    if len(verbs) > 1:
        return reader.refuse(verbs[1], f"a step has one verb, this one has '{verbs[0].text}' and '{verbs[1].text}'")
    if verbs:
        return KINDS[verbs[0].text].read(node, reader, path, read_steps)
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
        "topic": Field(MentionType("topic", NAME), "a topic of config.yaml; required for marketing", example="offers"),
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
    trigger, steps = (node.get("trigger"), node.get("steps")) if isinstance(node, Mapping) else (None, None)
    reader.has_event, reader.started_by = has_event(trigger), event_named(trigger)
    reader.met = frozenset(awaited_events(steps)) if steps is not None else frozenset()
    values = JOURNEY.read(node, reader)
    if not isinstance(node, Mapping):
        return None
    _check(node, reader, stem)
    check_entry(node, reader)
    if values is INVALID:
        draft = read_draft(node, reader, stem)
    else:
        draft = _draft(*(values[key] for key in ("journey", "kind", "trigger", "entry", "exit", "steps")))
    tests = read_trials(node.get("tests"), reader, _cast(draft)) if tested else ()
    check_steps(draft.steps, draft.lost, reader, has_goal=node.get("goal") is not None)
    if not draft.lost:
        check_targets(node, [step.id or step.spot.path for step in walk(draft.steps)], reader)
    if values is INVALID or len(reader.problems) > before:
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


def read_draft(node: Mapping, reader: Reader, stem: str) -> Draft:
    """What the file of a journey with problems says all the same. Tells nothing: `reader` has read it before."""
    silent = Reader(reader.file, reader.declared)
    silent.has_event, silent.started_by, silent.met = reader.has_event, reader.started_by, reader.met
    kept: list[Step] = []
    lost: list[Node] = []

    def keep(node: Node, reader: Reader, path: str) -> Any:
        if not isinstance(node, Sequence):
            return INVALID
        steps = []
        for number, item in enumerate(node.items):
            inside = len(kept)
            steps.append(step := _read_step(item, reader, f"{path}.{number}", keep))
            if step is INVALID:
                lost.append(item)
            else:
                kept[inside:] = [step]
        return INVALID if INVALID in steps else tuple(steps)

    kind, trigger, entry, exits, steps = (node.get(key) for key in ("kind", "trigger", "entry", "exit", "steps"))
    came = TriggerType().read(trigger, silent) if trigger is not None else INVALID
    door = ENTRY.read(entry, silent) if entry is not None else INVALID
    ways = ExitRules().read(exits, silent) if exits is not None else ()
    if steps is not None and keep(steps, silent, "steps") is INVALID and not lost:
        lost.append(steps)
    return Draft(
        name=stem,
        kind=kind.text if isinstance(kind, Scalar) else "marketing",
        has_event=reader.has_event,
        trigger=None if isinstance(came, Invalid) else came,
        comes_back=isinstance(door, Entry) and door.reentry.rule == "always",
        exits=None if isinstance(ways, Invalid) else ways,
        steps=tuple(kept),
        lost=tuple(lost),
    )


def _cast(draft: Draft) -> Cast | None:
    """What the tests may name; None when steps or exit rules don't read, so that nothing is told twice."""
    if draft.lost or draft.exits is None:
        return None
    steps = list(walk(draft.steps))
    sends = {step.id: step.via for step in steps if isinstance(step, Send)}
    ends = {step.reason for step in steps if isinstance(step, Exit)}
    variants = {variant.name for step in steps if isinstance(step, Experiment) for variant in step.variants}
    return Cast(sends, ENDS | ends | {rule.reason for rule in draft.exits}, variants)


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
