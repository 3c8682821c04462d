"""Rules beside the steps: who may enter again, what ends a journey from outside, and what counts as its goal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.audience.event_match import EVENT_MATCH_FIELDS, EventMatch
from engine.document import Mapping, Node, Scalar, Sequence
from engine.grammar import INVALID, NAME, Choice, Field, Later, Reader, Shape, Text, shown, suggestion
from engine.moments import WINDOW, Window

# --- entry ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reentry:
    """`never`: once per key; `always`; or not before `after` has passed since the last entry of that key."""

    rule: Literal["never", "always", "after"]
    after: timedelta = timedelta()


@dataclass(frozen=True)
class Entry:
    """Who may enter: `where` on contact and event, `reentry`, what a trigger does while one is active, age and season."""

    where: Condition | None = None
    reentry: Reentry = Reentry("never")
    again: Literal["ignore", "restart"] = "ignore"
    max_age: timedelta = timedelta(hours=24)
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class _ReentryType:
    expected: str = "never, always or {after: 30d}"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Mapping):
            shape = Shape("reentry", {"after": Field(WINDOW, "how long after the last entry", required=True)})
            values = shape.read(node, reader)
            return INVALID if values is INVALID else Reentry("after", values["after"].delta)
        word = Choice(("never", "always"), "reentry").read(node, reader)
        return INVALID if word is INVALID else Reentry(word)


@dataclass(frozen=True)
class _InstantType:
    expected: str = 'an instant with its offset, such as "2026-03-01T09:00:00+07:00"'

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return instant


@dataclass(frozen=True)
class _WindowDelta:
    expected: str = WINDOW.expected

    def read(self, node: Node, reader: Reader) -> Any:
        window = WINDOW.read(node, reader)
        return INVALID if window is INVALID else window.delta


ENTRY = Shape(
    "entry",
    {
        "where": Field(ConditionType(), "who may enter"),
        "reentry": Field(_ReentryType(), "may somebody come back", default=Entry.reentry),
        "again": Field(Choice(("ignore", "restart")), "a trigger while one is under way", default="ignore"),
        "max_age": Field(_WindowDelta(), "oldest event that starts this journey", default=Entry.max_age),
        "start": Field(_InstantType(), "nobody enters before"),
        "end": Field(_InstantType(), "nobody enters from then on"),
        "backfill": Field(Later("backfill"), "enroll those who are in the segment already"),
    },
    build=Entry,
)

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
        reason = {"reason": Field(Text(expected="a reason"), "the name of this way out")}
        if node.key("leaves") is not None:
            shape = Shape("an exit rule", {"leaves": Field(NAME, "the segment", required=True), **reason})
            values = shape.read(node, reader)
            if values is INVALID:
                return INVALID
            return ExitRule(path, values["reason"] or values["leaves"], leaves=values["leaves"])
        if node.key("when") is not None:
            shape = Shape("an exit rule", {"when": Field(ConditionType(), "the condition", required=True), **reason})
            values = shape.read(node, reader)
            return (
                INVALID if values is INVALID else ExitRule(path, values["reason"] or "condition", when=values["when"])
            )
        if node.key("event") is None:
            word = node.pairs[0][0] if node.pairs else node
            hint = suggestion(word.text, ("event", "leaves", "when")) if isinstance(word, Scalar) else ""
            return reader.refuse(word, f"an exit rule needs 'event', 'leaves' or 'when', found {shown(word)}{hint}")
        values = Shape("an exit rule", {**EVENT_MATCH_FIELDS, **reason}).read(node, reader)
        if values is INVALID:
            return INVALID
        match = EventMatch(values["event"], values["where"], values["key"])
        return ExitRule(path, values["reason"] or match.name, match=match)


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


@dataclass(frozen=True)
class GoalType:
    expected: str = "a mapping {event, where, key, within, value}"

    def read(self, node: Node, reader: Reader) -> Any:
        shape = Shape(
            "goal",
            {
                **EVENT_MATCH_FIELDS,
                "within": Field(
                    WINDOW, "how long after entry it still counts", default=Window("7d", timedelta(days=7))
                ),
                "value": Field(_ValuePath(), "the property that says what it is worth", example="event.total"),
            },
        )
        values = shape.read(node, reader)
        if values is INVALID:
            return INVALID
        return Goal(EventMatch(values["event"], values["where"], values["key"]), values["within"], values["value"])
