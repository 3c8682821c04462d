"""Rules beside the steps: who may enter again, what ends a journey from outside, and what counts as its goal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.audience.event_match import EVENT_MATCH_FIELDS, EventMatch
from engine.audience.kind import TestedShape
from engine.document import Mapping, Node, Scalar, Sequence
from engine.grammar import (
    INVALID,
    NAME,
    Choice,
    Field,
    Flag,
    MentionType,
    Reader,
    Shape,
    Text,
    any_of,
    shown,
    suggestion,
    text_schema,
)
from engine.journey.instant import INSTANT
from engine.moments import WINDOW, Window

# --- entry ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reentry:
    """`never`: once per key; `always`; or not before `after` has passed since the last entry of that key."""

    rule: Literal["never", "always", "after"]
    after: timedelta = timedelta()


@dataclass(frozen=True)
class Entry:
    """Who may enter: `where` on contact and event, `reentry`, what a trigger does while one is active, age and season.

    `backfill`: those who are in the trigger's segment when the journey is first applied enter, too.
    """

    where: Condition | None = None
    reentry: Reentry = Reentry("never")
    again: Literal["ignore", "restart"] = "ignore"
    max_age: timedelta = timedelta(hours=24)
    start: datetime | None = None
    end: datetime | None = None
    backfill: bool = False


@dataclass(frozen=True)
class _ReentryType:
    expected: str = "never, always or {after: 30d}"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Mapping):
            values = _AFTER.read(node, reader)
            return INVALID if values is INVALID else Reentry("after", values["after"].delta)
        word = _HOW_OFTEN.read(node, reader)
        return INVALID if word is INVALID else Reentry(word)

    def schema(self) -> dict[str, Any]:
        return any_of(_HOW_OFTEN.schema(), _AFTER.schema())


_HOW_OFTEN = Choice(("never", "always"), "reentry")
_AFTER = Shape("reentry", {"after": Field(WINDOW, "how long after the last entry", required=True, example="30d")})


@dataclass(frozen=True)
class _WindowDelta:
    expected: str = WINDOW.expected

    def read(self, node: Node, reader: Reader) -> Any:
        window = WINDOW.read(node, reader)
        return INVALID if window is INVALID else window.delta

    def schema(self) -> dict[str, Any]:
        return WINDOW.schema()


ENTRY = Shape(
    "entry",
    {
        "where": Field(
            ConditionType(matched=False, enrolled=False), "who may enter", example={"contact.country": "ID"}
        ),
        "reentry": Field(_ReentryType(), "may somebody come back", default=Entry.reentry, example={"after": "30d"}),
        "again": Field(
            Choice(("ignore", "restart")), "a trigger while one is under way", default="ignore", example="restart"
        ),
        "max_age": Field(_WindowDelta(), "oldest event that starts this journey", default=Entry.max_age, example="24h"),
        "start": Field(INSTANT, "nobody enters before", example="2026-12-01T00:00:00+07:00"),
        "end": Field(INSTANT, "nobody enters from then on", example="2027-01-01T00:00:00+07:00"),
        "backfill": Field(
            Flag(), "enroll those who are in the segment when the journey is first applied", default=False, example=True
        ),
    },
    build=Entry,
)


def check_entry(journey: Mapping, reader: Reader) -> None:
    """What is wrong with a journey's entry rules beside its trigger, and with a trigger that waits for its own journey."""
    entry, trigger, name = journey.get("entry"), journey.get("trigger"), journey.get("journey")
    backfill = entry.get("backfill") if isinstance(entry, Mapping) else None
    if isinstance(backfill, Scalar) and backfill.value is True:
        word = trigger.pairs[0][0].text if isinstance(trigger, Mapping) and trigger.pairs else ""
        if isinstance(trigger, Mapping) and trigger.key("enters") is None:
            reader.refuse(
                backfill,
                f"'backfill' enrolls the members of a segment: it goes with the trigger 'enters', not '{word}'",
            )
    start, end = (entry.get(key) if isinstance(entry, Mapping) else None for key in ("start", "end"))
    if start is not None and end is not None:
        quiet = Reader(reader.file)  # what is no instant has been told
        first, last = INSTANT.read(start, quiet), INSTANT.read(end, quiet)
        if not quiet.problems and first >= last:
            reader.refuse(end, f"entry ends at {shown(end)}, which is not after its start: nobody could enter")
    finished = trigger.get("finished") if isinstance(trigger, Mapping) else None
    if isinstance(finished, Scalar) and isinstance(name, Scalar) and finished.text == name.text:
        reader.refuse(finished, f"journey {shown(finished)} can't start by its own end: it would go round for ever")


# --- exit and goal ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExitRule:
    """One way out: an event since the trigger, a segment left since entry, or a condition. Exactly one is set."""

    path: str
    reason: str
    match: EventMatch | None = None
    leaves: str | None = None
    when: Condition | None = None

    def label(self) -> str:
        if self.match is not None:
            return self.match.label()
        if self.leaves is not None:
            return f"leaves {self.leaves}"
        return self.when.label() if self.when is not None else ""

    def segments_used(self) -> tuple[SegmentUse, ...]:
        """Segments that its conditions name; `leaves` is not among them."""
        part = self.match or self.when
        return part.segments_used() if part is not None else ()


@dataclass(frozen=True)
class ExitRules:
    """The list behind `exit:`."""

    expected: str = "a list of {event, where, key, reason}, {leaves, reason} or {when, reason}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Sequence):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        rules = [self._rule(item, reader, f"exit.{number}") for number, item in enumerate(node.items)]
        return INVALID if any(rule is INVALID for rule in rules) else tuple(rules)

    def _rule(self, node: Node, reader: Reader, path: str) -> Any:
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected an exit rule, found {shown(node)}")
        if node.key("leaves") is not None:
            values = _LEAVES_RULE.read(node, reader)
            if values is INVALID:
                return INVALID
            return ExitRule(path, values["reason"] or values["leaves"], leaves=values["leaves"])
        if node.key("when") is not None:
            values = _WHEN_RULE.read(node, reader)
            return (
                INVALID if values is INVALID else ExitRule(path, values["reason"] or "condition", when=values["when"])
            )
        if node.key("event") is None:
            word = node.pairs[0][0] if node.pairs else node
            hint = suggestion(word.text, ("event", "leaves", "when")) if isinstance(word, Scalar) else ""
            return reader.refuse(word, f"an exit rule needs 'event', 'leaves' or 'when', found {shown(word)}{hint}")
        values = _EVENT_RULE.read(node, reader)
        if values is INVALID:
            return INVALID
        match = EventMatch(values["event"], values["where"], values["key"])
        return ExitRule(path, values["reason"] or match.name, match=match)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": any_of(*(rule.schema() for rule in EXIT_RULES.values()))}


_WAYS_OUT = ("event", "leaves", "when")
_REASON = {"reason": Field(Text(expected="a reason"), "the name of this way out", example="bought")}
_EVENT_RULE = TestedShape(
    "an exit rule",
    {**EVENT_MATCH_FIELDS, **_REASON},
    example={"event": "order_completed", "key": "event.cart_id", "reason": "bought"},
    kinds=_WAYS_OUT,
)
_LEAVES_RULE = Shape(
    "an exit rule",
    {"leaves": Field(MentionType("segment", NAME), "the segment", required=True), **_REASON},
    example={"leaves": "new_subscribers", "reason": "grown_up"},
    kinds=_WAYS_OUT,
)
_WHEN_RULE = Shape(
    "an exit rule",
    {"when": Field(ConditionType(), "the condition", required=True), **_REASON},
    example={"when": {"contact.plan": "premium"}, "reason": "upgraded"},
    kinds=_WAYS_OUT,
)
EXIT_RULES = {"event": _EVENT_RULE, "leaves": _LEAVES_RULE, "when": _WHEN_RULE}


@dataclass(frozen=True)
class Goal:
    """The first matching event within the window after entry; `value` is the path of its worth inside the properties."""

    match: EventMatch
    within: Window
    value: tuple[str, ...] | None

    def label(self) -> str:
        return f"{self.match.label()} within {self.within.text}"


@dataclass(frozen=True)
class _ValuePath:
    expected: str = "a path such as event.total"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        parts = tuple(text.split("."))
        if parts[0] != "event" or len(parts) < 2 or not all(parts):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return parts[1:]

    def schema(self) -> dict[str, Any]:
        return text_schema(r"event\..+")


@dataclass(frozen=True)
class GoalType:
    expected: str = "a mapping {event, where, key, within, value}"

    def read(self, node: Node, reader: Reader) -> Any:
        values = GOAL.read(node, reader)
        if values is INVALID:
            return INVALID
        return Goal(EventMatch(values["event"], values["where"], values["key"]), values["within"], values["value"])

    def schema(self) -> dict[str, Any]:
        return GOAL.schema()


GOAL = TestedShape(
    "goal",
    {
        **EVENT_MATCH_FIELDS,
        "within": Field(
            WINDOW, "how long after entry it still counts", default=Window("7d", timedelta(days=7)), example="30d"
        ),
        "value": Field(_ValuePath(), "the property that says what it is worth", example="event.total"),
    },
)
