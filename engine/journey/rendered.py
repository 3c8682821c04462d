"""Plain data whose text is rendered like a message: how it is read and checked in a file, and how it is filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.document import Mapping as MappingNode
from engine.document import Node, Plain, Scalar, Sequence, plain
from engine.grammar import INVALID, Reader, shown
from engine.message.program import check
from engine.message.source import plain_source

_MARKS = ("{{", "{%", "{#")


def is_template(text: str) -> bool:
    """Whether anything in the text is filled in; most texts are what they are."""
    return any(mark in text for mark in _MARKS)


def texts(value: Plain) -> Iterator[str]:
    """Every text in the value that has something to fill in, in order."""
    match value:
        case str():
            if is_template(value):
                yield value
        case list():
            for item in value:
                yield from texts(item)
        case dict():
            for item in value.values():
                yield from texts(item)


def render(value: Plain, fill: Callable[[str], str]) -> Plain:
    """The value with every such text filled in; anything else keeps its type."""
    match value:
        case str():
            return fill(value) if is_template(value) else value
        case list():
            return [render(item, fill) for item in value]
        case dict():
            return {name: render(item, fill) for name, item in value.items()}
        case _:
            return value


def check_texts(node: Node, reader: Reader) -> bool:
    """Refuse every template inside the node that does not compile, where it stands; True when all is well."""
    inside: list[Node]
    match node:
        case Scalar():
            if not isinstance(node.value, str) or not is_template(node.value):
                return True
            problems = check(plain_source(node.value, reader.file))[1]
            for problem in problems:
                reader.refuse(node, f"{shown(node)}: {problem.message}")
            return not problems
        case Sequence():
            inside = list(node.items)
        case MappingNode():
            inside = [value for _, value in node]
    good = [check_texts(each, reader) for each in inside]  # all of them, so that every problem is told
    return all(good)


@dataclass(frozen=True)
class RenderedMapping:
    """Names to values of any shape; text among them is rendered."""

    expected: str = "a mapping of names to values"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return plain(node) if check_texts(node, reader) else INVALID

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}
