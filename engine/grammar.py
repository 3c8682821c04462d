"""Types of the text language: each reads a node into a value and reports what is wrong, where and how to mend it.

A shape is declared once, as data; reading, error messages, the JSON Schema and the reference pages follow from it.
Readers never raise for bad input: they add a `Problem` to the `Reader` and return `INVALID`, so that one pass finds
every problem of a file.
"""

from __future__ import annotations

import difflib
import re
from collections import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from engine.document import Mapping, Node, Scalar, Sequence, plain, word_value
from engine.errors import Problem

FieldType = Literal["text", "number", "boolean", "date", "datetime", "list"]
Types = abc.Mapping[str, FieldType]
"""Declared types by path, such as `address.city`."""


@dataclass(frozen=True, eq=False)
class Declared:
    """What config.yaml declares: the types of a contact's fields, and of the properties of events by the event's name."""

    fields: Types = field(default_factory=dict)
    events: abc.Mapping[str, Types] = field(default_factory=dict)


class Invalid:
    """The one value that stands for 'already reported'; whoever meets it says nothing more."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = Invalid()


@dataclass(frozen=True)
class Mention:
    """A name that is defined elsewhere, where the file says it, so that an unknown one is refused at its word."""

    what: Literal["step", "template", "topic", "journey", "segment"]
    name: str
    line: int
    column: int


class Reader:
    """Collects the problems of one file while it is read."""

    def __init__(self, file: str, declared: Declared | None = None) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.declared = declared or Declared()
        self.has_event = True  # false where no event starts a person: 'event.PATH' is refused there
        self.started_by: str | None = None  # the event that the trigger names
        self.tested: str | None = None  # the event that the `where` tests which is being read
        self.met: abc.Set[str] = frozenset()  # the events of which one is `matched`
        self.mentions: list[Mention] = []

    def refuse(self, at: Node, message: str) -> Invalid:
        """Record a problem at the node and return `INVALID`, so that a reader can `return reader.refuse(..)`."""
        self.problems.append(Problem(self.file, at.line, at.column, message))
        return INVALID


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'wait'?)`, or nothing when no known word is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def shown(node: Node) -> str:
    """How an error quotes a value: the word itself, or what kind of collection stands there."""
    match node:
        case Scalar(text="", quoted=False):
            return "nothing"
        case Scalar():
            return f"'{node.text[:60]}'"
        case Sequence():
            return "a list" if node.items else "an empty list"
        case Mapping():
            return "a mapping"


class Type(Protocol):
    """What may stand at one place of the language."""

    def read(self, node: Node, reader: Reader) -> Any:
        """The value, or `INVALID` after reporting."""
        ...

    @property
    def expected(self) -> str:
        """What an error says should stand here, e.g. 'a duration such as 90m or 1d'."""
        ...

    def schema(self) -> dict[str, Any]:
        """The same as a fragment of JSON Schema (draft-07), never stricter than `read`.

        Editors read YAML by their own rules: `1h` and `09:00` reach a schema as strings, `100` as an integer. What refers to
        itself says `{"$ref": "#/definitions/NAME"}`, NAME being one of `engine.journey.schema.definitions`.
        """
        ...


SCALAR: Final[dict[str, Any]] = {"type": ["string", "number", "boolean"]}
"""Any word, in JSON Schema."""

_UNQUOTED: Final = {"boolean": ("true", "false"), "number": ("0", "7", "12", "-3", "1.5", "20260301")}


def text_schema(pattern: str | None = None, **more: Any) -> dict[str, Any]:
    """Text in JSON Schema. Without quotes an editor takes `true` and `12` for something else, so those are allowed too
    where the pattern lets them through.
    """
    if pattern is None:
        return SCALAR | more
    also = [kind for kind, words in _UNQUOTED.items() if any(re.fullmatch(pattern, word) for word in words)]
    return {"type": ["string", *also] if also else "string", "pattern": f"^(?:{pattern})$", **more}


def any_of(*ways: dict[str, Any]) -> dict[str, Any]:
    """One of several fragments of JSON Schema."""
    return {"anyOf": list(ways)}


@dataclass(frozen=True)
class Text:
    """Free text; numbers and true/false as they are written."""

    pattern: str | None = None
    expected: str = "text"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Scalar) or node.value is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if self.pattern is not None and re.fullmatch(self.pattern, node.text) is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return node.text

    def schema(self) -> dict[str, Any]:
        return text_schema(self.pattern)


NAME = Text(r"[a-z][a-z0-9_]*", "a name of lower-case letters, digits and _, starting with a letter")


@dataclass(frozen=True)
class MentionType:
    """A name that must be known elsewhere; the reader keeps it with its place."""

    what: Literal["step", "template", "topic", "journey", "segment"]
    name: Text

    @property
    def expected(self) -> str:
        return self.name.expected

    def read(self, node: Node, reader: Reader) -> Any:
        name = self.name.read(node, reader)
        if name is not INVALID:
            reader.mentions.append(Mention(self.what, name, node.line, node.column))
        return name

    def schema(self) -> dict[str, Any]:
        return self.name.schema()


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    what: str = "value"

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and node.text in self.words:
            return node.text
        if isinstance(node, Scalar):
            hint = suggestion(node.text, self.words) or f" (one of: {', '.join(self.words)})"
            return reader.refuse(node, f"unknown {self.what} '{node.text}'{hint}")
        return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Number:
    """A whole or decimal number within bounds."""

    whole: bool = False
    least: float | None = None
    most: float | None = None

    @property
    def expected(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.least is not None and self.most is not None:
            return f"{kind} from {self.least:g} to {self.most:g}"
        if self.least is not None:
            return f"{kind} of at least {self.least:g}"
        return kind

    def read(self, node: Node, reader: Reader) -> Any:
        value = _number(node) if isinstance(node, Scalar) and not node.quoted else None
        good = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        if not good or not self._within(value):
            quoted = isinstance(node, Scalar) and node.quoted and isinstance(word_value(node.text), int | float)
            return reader.refuse(
                node, f"expected {self.expected}, found {shown(node)}{': remove the quotes' if quoted else ''}"
            )
        return value

    def _within(self, value: Any) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.least, "maximum": self.most}
        return {"type": "integer" if self.whole else "number"} | {k: v for k, v in bounds.items() if v is not None}


_NUMBER = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,2})?", re.ASCII)


def _number(node: Scalar) -> Any:
    """The word as a number: what is text by itself, such as `1.10`, is read by the type of its field."""
    if not isinstance(node.value, str) or _NUMBER.fullmatch(node.text) is None:
        return node.value
    number = float(node.text)
    return int(number) if number.is_integer() else number


@dataclass(frozen=True)
class Flag:
    """true or false."""

    expected: str = "true or false"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Percent:
    """`10%`, `0.5%`; read as a share from 0 to 1."""

    expected: str = "a percentage such as 10%"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)(%?)", text)
        if found is None or float(found[1]) > 100:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if not found[2]:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)} (write {text}%)")
        return float(found[1]) / 100

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\d{1,3}(\.\d{1,6})?%$"}


@dataclass(frozen=True)
class ListOf:
    """A list; with `single`, one bare item may stand for a list of one."""

    item: Type
    single: bool = False
    least: int = 0

    @property
    def expected(self) -> str:
        return f"{self.item.expected}, or a list of such" if self.single else f"a list of {self.item.expected}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Sequence):
            if self.single:
                value = self.item.read(node, reader)
                return INVALID if value is INVALID else (value,)
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if len(node.items) < self.least:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        values = [self.item.read(item, reader) for item in node.items]
        return INVALID if any(value is INVALID for value in values) else tuple(values)

    def schema(self) -> dict[str, Any]:
        item = self.item.schema()
        items = {"type": "array", "items": item, "minItems": self.least}
        return any_of(item, items) if self.single else items


@dataclass(frozen=True)
class Anything:
    """Any value, as plain data; for traits, variables and the like."""

    expected: str = "a value"

    def read(self, node: Node, reader: Reader) -> Any:
        return plain(node)

    def schema(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Later:
    """A word of the contract that this version does not run yet; refused where it stands."""

    what: str
    expected: str = "(not supported yet)"

    def read(self, node: Node, reader: Reader) -> Any:
        return reader.refuse(node, f"'{self.what}' is not supported yet")

    def schema(self) -> dict[str, Any]:
        return {"not": {}}


@dataclass(frozen=True)
class Field:
    """One key of a mapping."""

    type: Type
    about: str
    required: bool = False
    default: Any = None
    example: Any = None

    def schema(self) -> dict[str, Any]:
        """The type's fragment with what an editor shows: description, example, and the default where it is one word."""
        fragment = self.type.schema()
        told: dict[str, Any] = {"description": self.about}
        if self.example is not None:
            told["examples"] = [self.example]
        if isinstance(self.default, str | int | bool):
            told["default"] = self.default
        # Draft-07 ignores whatever stands beside a `$ref`.
        return {"allOf": [fragment], **told} if "$ref" in fragment else {**fragment, **told}


@dataclass(frozen=True)
class Shape:
    """A mapping with known keys; `build` makes the value from the keyword arguments read.

    `what` names the mapping in errors ("unknown key 'wen' in a branch arm"). A key whose type is `Later` is refused at the key.
    """

    what: str
    fields: dict[str, Field]
    build: Callable[..., Any] = dict
    rename: dict[str, str] = field(default_factory=dict)  # key -> argument name, where the key is a Python keyword
    example: Any = None  # a whole mapping, for what is one of several kinds
    kinds: tuple[str, ...] = ()  # the keys by which those several are told apart

    @property
    def expected(self) -> str:
        return f"a mapping ({', '.join(self.fields)})"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        known = {k: f.default for k, f in self.fields.items() if not isinstance(f.type, Later)}
        values: dict[str, Any] = {self.rename.get(k, k): default for k, default in known.items()}
        good = True
        for key, value_node in node:
            spec = self.fields.get(key.text)
            if spec is None:
                reader.refuse(key, self._unknown(key.text))
                good = False
                continue
            at = key if isinstance(spec.type, Later) else value_node
            value = spec.type.read(at, reader)
            good = good and value is not INVALID
            values[self.rename.get(key.text, key.text)] = value
        for name, spec in self.fields.items():
            if spec.required and node.key(name) is None:
                reader.refuse(node, f"{self.what} lacks '{name}' ({spec.about})")
                good = False
        return self.build(**values) if good else INVALID

    def _unknown(self, word: str) -> str:
        if word in self.kinds:
            return f"{self.what} can't have '{word}' too: write one of {', '.join(self.kinds)}"
        return f"unknown key '{word}' in {self.what}{suggestion(word, self.fields)}"

    def schema(self) -> dict[str, Any]:
        fields = {name: spec for name, spec in self.fields.items() if not isinstance(spec.type, Later)}
        required = [name for name, spec in fields.items() if spec.required]
        return {
            "type": "object",
            "title": self.what,
            "properties": {name: spec.schema() for name, spec in fields.items()},
            **({"required": required} if required else {}),
            **({"examples": [self.example]} if self.example is not None else {}),
            "additionalProperties": False,
        }
