"""`wait`: a duration, until the clock shows a given hour, or until the date or instant that a field holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, ClassVar, Literal

from engine.audience.condition import Condition, read_condition
from engine.document import Mapping as MappingNode
from engine.document import Node, Scalar
from engine.grammar import INVALID, Choice, Field, Invalid, ListOf, Reader, Shape, any_of, shown, text_schema
from engine.journey.steps.base import (
    Ask,
    Go,
    Ignore,
    Move,
    Spot,
    Stay,
    StepId,
    StepKind,
    StepsReader,
    Straight,
    Visit,
)
from engine.journey.values import Holds
from engine.moments import CLOCK, OFFSET, WAIT, WEEKDAYS, Duration, Offset, add, instant_of, next_clock_time


@dataclass(frozen=True)
class ClockTime:
    """The next local time strictly after arrival, on one of `days` if any are named."""

    until: time
    days: tuple[str, ...] = ()

    def label(self) -> str:
        days = f" on {', '.join(self.days)}" if self.days else ""
        return f"until {self.until:%H:%M}{days}"

    def due(self, arrived_at: datetime, zone: str) -> datetime:
        return next_clock_time(arrived_at, self.until, zone, self.days)


@dataclass(frozen=True)
class Elapse:
    """A duration from arrival on."""

    duration: Duration

    def label(self) -> str:
        return self.duration.text

    def due(self, arrived_at: datetime, zone: str) -> datetime:
        return add(arrived_at, self.duration, zone)


@dataclass(frozen=True)
class FieldTime:
    """The date or instant that a field of the contact or of the starting event holds. `field` is a condition that finds it."""

    name: str
    field: Condition
    offset: Offset | None
    at: time | None
    if_past: Literal["now", "skip"]

    def label(self) -> str:
        before = "before" if self.offset is not None and self.offset.before else "after"
        offset = f"{self.offset.duration.text} {before} " if self.offset else ""
        at = f" at {self.at:%H:%M}" if self.at is not None else ""
        past = "go on" if self.if_past == "now" else "leave out the next step"
        return f"until {offset}{self.name}{at}, if past {past}"

    @property
    def contact_field(self) -> str | None:
        """The contact's field that it looks at, without the parts inside it."""
        root, _, rest = self.name.partition(".")
        return rest.partition(".")[0] if root == "contact" else None


@dataclass(frozen=True)
class Wait(Straight):
    """A pause of a given length, until a clock time, or until what a field says. `beyond`: the state behind the next step."""

    span: Elapse | ClockTime | FieldTime
    beyond: str | None = None

    verb: ClassVar[str] = "wait"

    @property
    def skips(self) -> bool:
        return isinstance(self.span, FieldTime) and self.span.if_past == "skip"

    @property
    def question_path(self) -> str:
        return f"{self.path}.wait.until"

    def leaving_out(self, beyond: str | None) -> Wait:
        """The wait, once it is known what lies behind the next step."""
        return replace(self, beyond=beyond) if self.skips else self

    def label(self) -> str:
        return f"wait {self.span.label()}"

    def targets(self) -> tuple[tuple[str, str | None], ...]:
        if not self.skips or self.beyond == self.next:
            return super().targets()
        return (("", self.next), ("past or missing", self.beyond))

    def move(self, visit: Visit) -> Move:
        signal = visit.signal
        if not visit.arriving:
            if signal.kind == "timer" and signal.visit == visit.enrollment.visit:
                return Go(self.next, wanted=self.label(), found=signal.at.isoformat(), why="over")
            if signal.kind not in ("profile", "moved"):
                return Ignore()
        if isinstance(self.span, FieldTime):
            return self._until_field(visit, self.span)
        due = self.span.due(visit.at if visit.arriving else visit.enrollment.arrived_at, visit.facts.zone)
        return self._set(visit, due)

    def _set(self, visit: Visit, due: datetime) -> Move:
        """The person may have moved to another zone: what is past by its clock is due now."""
        if visit.arriving:
            return Stay(due_at=due)
        return Ignore() if due == visit.enrollment.due_at else Stay(max(due, visit.signal.at), note="moved")

    def _until_field(self, visit: Visit, span: FieldTime) -> Move:
        answer = visit.answer(self.question_path)
        if answer is None:
            return Ask((Holds(self.question_path, span.field),))
        due = instant_of(answer.found, span.offset, span.at, visit.facts.zone)
        if due is not None and (due >= visit.at or not self._says_otherwise(visit, span)):
            return self._set(visit, due)
        why = "missing" if due is None else "past"
        if span.if_past == "skip":
            return Go(self.beyond, self.label(), answer.found, f"{why}: the next step is left out")
        return Go(self.next, self.label(), answer.found, f"{why}: on at once")

    def _says_otherwise(self, visit: Visit, span: FieldTime) -> bool:
        """False when only the person's zone, or the journey, has changed: what lay ahead then is over, not past."""
        if visit.arriving:
            return True
        changed = visit.signal.data.get("changed")
        unknown = changed is None and visit.signal.kind == "profile"
        return span.contact_field is not None and (unknown or span.contact_field in (changed or ()))


_CLOCK_SHAPE = Shape(
    "a wait until a clock time",
    {
        "until": Field(CLOCK, "a local clock time", required=True, example="09:00"),
        "days": Field(ListOf(Choice(WEEKDAYS, "weekday"), single=True, least=1), "only on these weekdays", default=()),
    },
    build=ClockTime,
)


@dataclass(frozen=True)
class _FieldType:
    """`contact.FIELD` or `event.PATH`, as the condition that finds its value."""

    expected: str = "a field such as contact.renewal_date or event.departs_at"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Scalar) or not node.text.startswith(_ROOTS):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if "*" in node.text.split("."):
            return reader.refuse(node, f"'{node.text}' is a list; one value is needed here")
        root, _, path = node.text.partition(".")
        events = reader.declared.events
        types = reader.declared.fields if root == "contact" else events.get(reader.started_by or "", {})
        declared = types.get(path)
        if declared not in (None, "date", "datetime"):
            return reader.refuse(
                node, f"{node.text} is declared as {declared} in config.yaml; a wait needs a date or datetime"
            )
        word = Scalar("exists", "exists", False, node.line, node.column)
        yes = Scalar(True, "true", False, node.line, node.column)
        exists = MappingNode(((word, yes),), node.line, node.column)
        condition = read_condition(MappingNode(((node, exists),), node.line, node.column), reader)
        return INVALID if isinstance(condition, Invalid) else (node.text, condition)

    def schema(self) -> dict[str, Any]:
        return text_schema(r"(?:contact|event)\.[^*]+", examples=["contact.renewal_date", "event.departs_at"])


_ROOTS = ("contact.", "event.")


def _build_field_time(
    until: tuple[str, Condition], offset: Offset | None, at: time | None, if_past: Literal["now", "skip"]
) -> FieldTime:
    name, field = until
    return FieldTime(name, field, offset, at, if_past)


_FIELD_SHAPE = Shape(
    "a wait until a date or instant",
    {
        "until": Field(_FieldType(), "the field that holds it", required=True, example="contact.renewal_date"),
        "offset": Field(OFFSET, "before (-) or after it", example="-3d"),
        "at": Field(CLOCK, "local clock time on its date; a date without it means 09:00", example="09:00"),
        "if_past": Field(
            Choice(("now", "skip"), "rule"), "past or missing: go on, or leave out the next step", default="skip"
        ),
    },
    build=_build_field_time,
)


@dataclass(frozen=True)
class SpanType:
    """What stands behind `wait:`."""

    expected: str = 'a duration such as 1h or 2d, {until: "09:00"}, or {until: contact.FIELD}'

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, MappingNode):
            until = node.get("until")
            named = isinstance(until, Scalar) and "." in until.text
            return (_FIELD_SHAPE if named else _CLOCK_SHAPE).read(node, reader)
        duration = WAIT.read(node, reader)
        return INVALID if duration is INVALID else Elapse(duration)

    def schema(self) -> dict[str, Any]:
        return any_of(WAIT.schema(), _CLOCK_SHAPE.schema(), _FIELD_SHAPE.schema())


_SHAPE = Shape(
    "a wait step",
    {
        "wait": Field(SpanType(), "how long", required=True, example="1h"),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    return (
        INVALID if values is INVALID else Wait(values["id"] or "", Spot(path, node.line, node.column), values["wait"])
    )


KIND = StepKind(
    "wait", "a pause", _read, _SHAPE,
    """
- wait: 1h
- wait: {until: "09:00", days: [mon, fri]}
- wait: {until: contact.renewal_date, offset: -3d, at: "09:00", if_past: skip}
- send: renewal_soon
  via: email
""",
)  # fmt: skip
