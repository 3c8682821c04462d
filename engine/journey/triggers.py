"""Triggers: what brings a contact into a journey. One class per kind, one line in the registry at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from engine.audience.event_match import EVENT_MATCH_FIELDS, EventMatch
from engine.document import Mapping, Node, Scalar
from engine.grammar import INVALID, NAME, Choice, Field, Later, Reader, Shape, Text, shown, suggestion
from engine.moments import CLOCK, WAIT, Duration, add, local_date, local_instant, yearly


@dataclass(frozen=True)
class EventTrigger:
    """The contact did something; `key` makes one enrollment per value of that property."""

    match: EventMatch

    has_event = True

    def label(self) -> str:
        where = f" where ({self.match.where.label()})" if self.match.where else ""
        key = f", one for each {'.'.join(self.match.key)}" if self.match.key else ""
        return f"{self.match.name}{where}{key}"


@dataclass(frozen=True)
class EntersTrigger:
    """The contact became a member of the segment."""

    segment: str

    has_event = False

    def label(self) -> str:
        return f"enters {self.segment}"


@dataclass(frozen=True)
class DateTrigger:
    """A date of the contact comes round. An occurrence is (contact, local date) and fires at `at` local time."""

    field: str
    repeat: Literal["yearly", "never"]
    offset: Duration | None
    before: bool
    at: time
    leap_day: Literal["feb28", "mar1"]

    has_event = False

    def label(self) -> str:
        offset = f" {'-' if self.before else '+'}{self.offset.text}" if self.offset else ""
        often = "every year on " if self.repeat == "yearly" else ""
        return f"{often}contact.{self.field}{offset} at {self.at:%H:%M}"

    def next_after(self, value: date, after: datetime, zone: str) -> tuple[date, datetime] | None:
        """The next occurrence strictly later than `after`: its local date and instant. None: there is none any more."""
        if self.repeat == "never":
            years = [value.year]
        else:
            year = local_date(after, zone).year
            years = [y for y in range(year - 1, year + 3) if y >= value.year]
        for year in years:
            day = value if self.repeat == "never" else yearly(value, year, self.leap_day)
            try:
                day = self._shifted(day)
                instant = local_instant(day, self.at, zone)
            except OverflowError:  # 0001-01-01 and 9999-12-31, as systems write what they don't know
                continue
            if instant > after:
                return day, instant
        return None

    def _shifted(self, day: date) -> date:
        if self.offset is None:
            return day
        noon = datetime.combine(day, time(12), tzinfo=UTC)
        if self.before:
            back = Duration(self.offset.text, 0, -self.offset.days, -self.offset.months)
            return (
                add(noon, back, "UTC").date()
                if not self.offset.seconds
                else (noon - timedelta(seconds=self.offset.seconds)).date()
            )
        return add(noon, self.offset, "UTC").date()


Trigger = EventTrigger | EntersTrigger | DateTrigger


# --- reading ----------------------------------------------------------------------------------------------------------


def _read_event(node: Mapping, reader: Reader) -> Any:
    values = Shape("an event trigger", EVENT_MATCH_FIELDS).read(node, reader)
    return INVALID if values is INVALID else EventTrigger(EventMatch(values["event"], values["where"], values["key"]))


def _read_enters(node: Mapping, reader: Reader) -> Any:
    shape = Shape("an enters trigger", {"enters": Field(NAME, "the segment", required=True)})
    values = shape.read(node, reader)
    return INVALID if values is INVALID else EntersTrigger(values["enters"])


@dataclass(frozen=True)
class _ContactField:
    expected: str = "a field such as contact.birthday"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        name = text.removeprefix("contact.")
        if (
            name == text
            or Text(r"[A-Za-z_][A-Za-z0-9_]*").read(Scalar(name, name, False, node.line, node.column), Reader(""))
            is INVALID
        ):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        declared = reader.fields.get(name)
        if declared not in (None, "date"):
            return reader.refuse(
                node, f"contact.{name} is declared as {declared} in config.yaml; a date trigger needs a date"
            )
        return name


@dataclass(frozen=True)
class _Offset:
    """`-3d` or `7d`: calendar days, weeks or months before or after."""

    expected: str = "an offset in days, weeks or months such as -3d"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        bare = Scalar(text.lstrip("-"), text.removeprefix("-"), False, node.line, node.column)
        duration = WAIT.read(bare, reader)
        if duration is INVALID:
            return INVALID
        if duration.seconds:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return (text.startswith("-"), duration)


def _read_date(node: Mapping, reader: Reader) -> Any:
    shape = Shape(
        "a date trigger",
        {
            "date": Field(_ContactField(), "the contact's field that holds the date", required=True),
            "repeat": Field(Choice(("yearly", "never")), "every year, or once", default="yearly"),
            "offset": Field(_Offset(), "days before (-) or after", default=(False, None)),
            "at": Field(CLOCK, "local clock time", default=time(9)),
            "leap_day": Field(Choice(("feb28", "mar1")), "29 February in common years", default="feb28"),
        },
    )
    values = shape.read(node, reader)
    if values is INVALID:
        return INVALID
    before, offset = values["offset"]
    return DateTrigger(values["date"], values["repeat"], offset, before, values["at"], values["leap_day"])


def _later(word: str) -> Callable[[Mapping, Reader], Any]:
    def read(node: Mapping, reader: Reader) -> Any:
        return Later(f"trigger '{word}'").read(node.key(word) or node, reader)

    return read


KINDS: dict[str, Callable[[Mapping, Reader], Any]] = {
    "event": _read_event,
    "enters": _read_enters,
    "date": _read_date,
    **{word: _later(word) for word in ("leaves", "dates", "schedule", "at", "finished", "manual")},
}


@dataclass(frozen=True)
class TriggerType:
    """What stands behind `trigger:`; exactly one kind."""

    expected: str = "a mapping with one of " + ", ".join(KINDS)

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        for word, read in KINDS.items():  # 'at' is also a key of a date trigger, so the order of the registry decides
            if node.key(word) is not None:
                return read(node, reader)
        if not node.pairs:
            return reader.refuse(node, f"trigger lacks its kind (one of: {', '.join(KINDS)})")
        key = node.pairs[0][0]
        return reader.refuse(key, f"unknown trigger '{key.text}'{suggestion(key.text, KINDS)}")
