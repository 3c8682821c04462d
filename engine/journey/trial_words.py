"""The words of `tests:`: instants and spans, consent, the person, lists of things."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from engine.consent.statement import CHANNELS
from engine.document import Mapping as MappingNode
from engine.document import Node, Sequence, plain
from engine.grammar import INVALID, NAME, Anything, Choice, Field, ListOf, Reader, Shape, Text, any_of, shown
from engine.journey.instant import INSTANT
from engine.journey.trial import Span
from engine.moments import ZONE

CHANNEL: Final = Choice(CHANNELS, "channel")


@dataclass(frozen=True)
class Between:
    expected: str = "two instants, [first, last]"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Sequence) or len(node.items) != 2:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        first, last = (INSTANT.read(item, reader) for item in node.items)
        if first is INVALID or last is INVALID:
            return INVALID
        if first > last:
            return reader.refuse(node, "'between' takes the earlier instant first")
        return Span(first, last)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": INSTANT.schema(), "minItems": 2, "maxItems": 2}


@dataclass(frozen=True)
class Data:
    """A mapping of any values, as plain data."""

    expected: str = "a mapping"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return plain(node)

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


@dataclass(frozen=True)
class ConsentType:
    """`[offers]`: on every channel; `{offers: [email, sms]}`: on these."""

    expected: str = "a list of topics, or topics with their channels such as {offers: [email]}"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Sequence):
            topics = ListOf(NAME).read(node, reader)
            return INVALID if topics is INVALID else list(topics)
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        channels = {key.text: ListOf(CHANNEL).read(value, reader) for key, value in node}
        return INVALID if INVALID in channels.values() else {topic: list(on) for topic, on in channels.items()}

    def schema(self) -> dict[str, Any]:
        by_channel = {"type": "object", "additionalProperties": ListOf(CHANNEL).schema()}
        return any_of(ListOf(NAME).schema(), by_channel)


@dataclass(frozen=True)
class Topics:
    """`{offers: in}` or `{offers: out}`."""

    expected: str = "topics with 'in' or 'out', such as {offers: out}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode) or not node.pairs:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        words = {key.text: _IN_OUT.read(value, reader) for key, value in node}
        return INVALID if INVALID in words.values() else {topic: word == "in" for topic, word in words.items()}

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": _IN_OUT.schema(), "minProperties": 1}


_IN_OUT: Final = Choice(("in", "out"), "statement")


@dataclass(frozen=True)
class ContactType:
    """The person: known keys, and any other is a trait."""

    expected: str = "a contact such as {user_id: ani, email: ani@example.com, consent: [offers]}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        values = {key.text: CONTACT.get(key.text, _TRAIT).type.read(value, reader) for key, value in node}
        if INVALID in values.values():
            return INVALID
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "properties": {name: spec.schema() for name, spec in CONTACT.items()}}


_TRAIT: Final = Field(Anything(), "a trait")
CONTACT: Final = {
    "user_id": Field(Text(), "what the app calls the person", example="ani"),
    "anonymous_id": Field(Text(), "what a device calls them", example="d-7f3a"),
    "email": Field(Text(), "an address", example="ani@example.com"),
    "phone": Field(Text(), "a number, the WhatsApp address too", example="+6281234567890"),
    "timezone": Field(ZONE, "where the person lives", example="Asia/Jakarta"),
    "locale": Field(Text(), "the person's language", example="id"),
    "tags": Field(ListOf(Text()), "words on the person", example=["vip"]),
    "consent": Field(ConsentType(), "what the person has said yes to", example=["offers"]),
    "suppressed": Field(ListOf(CHANNEL), "channels on which the address must not be used", example=["email"]),
}


@dataclass(frozen=True)
class Items:
    """A list whose items are read by a function."""

    what: str
    item: Callable[[Node, Reader], Any]
    shapes: Collection[Shape]
    least: int = 0
    also: tuple[dict[str, Any], ...] = ()

    @property
    def expected(self) -> str:
        return f"a list of {self.what}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Sequence):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if len(node.items) < self.least:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        values = [self.item(item, reader) for item in node.items]
        return INVALID if any(value is INVALID for value in values) else tuple(values)

    def schema(self) -> dict[str, Any]:
        items = any_of(*(shape.schema() for shape in self.shapes), *self.also)
        return {"type": "array", "items": items, "minItems": self.least}
