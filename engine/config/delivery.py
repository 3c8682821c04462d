"""The `delivery:` mapping of a journey and of config.yaml: its shape, and what is refused in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.config.types import RateType
from engine.config.values import Cap, Delivery, QuietHours
from engine.document import Mapping, Node, Scalar
from engine.grammar import INVALID, Choice, Field, ListOf, Number, Percent, Reader, Shape, text_schema
from engine.moments import CLOCK, WINDOW, ZONE

MEDIA: Final = ("email", "sms", "whatsapp", "push")
"""The channels that quiet hours may name."""

_LOUD: Final = QuietHours.channels


@dataclass(frozen=True)
class TimezoneType:
    """Whose clock quiet hours go by."""

    expected: str = "contact, or a time zone such as Asia/Jakarta"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.text == "contact":
            return "contact"
        return ZONE.read(node, reader)

    def schema(self) -> dict[str, Any]:
        return text_schema()


_QUIET_HOURS = Shape(
    "quiet hours",
    {
        "from": Field(CLOCK, "held from this local time on", required=True, example="21:00"),
        "to": Field(CLOCK, "sent again at this local time", required=True, example="08:00"),
        "channels": Field(
            ListOf(Choice(MEDIA, "channel"), single=True, least=1), "the channels they hold for", default=_LOUD
        ),
        "then": Field(
            Choice(("wait", "skip"), "word"), "wait until they are over, or leave the message out", default="wait"
        ),
    },
    QuietHours,
    rename={"from": "start", "to": "end"},
)


@dataclass(frozen=True)
class QuietHoursType:
    """Hours of the day; a whole day of them is refused."""

    expected: str = _QUIET_HOURS.expected

    def read(self, node: Node, reader: Reader) -> Any:
        hours = _QUIET_HOURS.read(node, reader)
        if hours is not INVALID and hours.start == hours.end:
            at = node.get("to") if isinstance(node, Mapping) else None
            said = f"quiet hours from '{hours.start:%H:%M}' to '{hours.end:%H:%M}' are a whole day, so that nothing would ever go"
            return reader.refuse(at or node, f"{said}; let them end at another time")
        return hours

    def schema(self) -> dict[str, Any]:
        return _QUIET_HOURS.schema()


@dataclass(frozen=True)
class _MostType:
    """The largest number of messages; none at all would be no journey."""

    expected: str = "a whole number of at least 1"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.value == 0 and not node.quoted:
            return reader.refuse(node, "a cap of '0' lets nothing through; write at least 1, or remove the journey")
        return Number(whole=True, least=1).read(node, reader)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1}


_CAP = Shape(
    "a cap",
    {
        "max": Field(_MostType(), "the most marketing messages that one person gets", required=True, example=3),
        "per": Field(WINDOW, "in any such span, over all journeys and channels", required=True, example="7d"),
        "then": Field(
            Choice(("skip", "wait"), "word"), "leave the message out, or wait until there is room", default="skip"
        ),
    },
    lambda **values: Cap(values["max"], values["per"].delta, values["then"]),
)

DELIVERY: Final = Shape(
    "delivery",
    {
        "timezone": Field(TimezoneType(), "whose clock quiet hours go by", example="contact"),
        "quiet_hours": Field(
            QuietHoursType(),
            "the hours of the day in which nothing goes to a person",
            example={"from": "21:00", "to": "08:00", "channels": ["sms", "whatsapp"], "then": "wait"},
        ),
        "cap": Field(
            _CAP, "the most marketing messages that one person gets", example={"max": 3, "per": "7d", "then": "skip"}
        ),
        "holdout": Field(Percent(), "the share of people who get nothing, to compare with", default=0.0, example="10%"),
        "throttle": Field(RateType(), "how fast the journey may send, over all processes", example="500/h"),
        "priority": Field(
            Number(whole=True, least=0, most=100), "who goes first when there is room for one", example=50
        ),
    },
    Delivery,
)
