"""References to the environment in config.yaml: `${NAME}` and `${NAME:-default}`, found and filled in."""

from __future__ import annotations

import re
from collections import abc
from dataclasses import dataclass, field, replace

from engine.document import Mapping, Node, Oversized, Scalar, Sequence, read_document, word_value
from engine.errors import Problem

# YAML would read the braces as a mapping inside `{...}`. Two characters that nobody types stand in for them while it
# reads, one for one, so that every column stays right.
_OPEN, _CLOSE = "\ue000", "\ue001"
_IN_FILE = re.compile(rb"""\$\{([A-Za-z0-9_.-]*(?::-[^{}'"\n]*)?)\}""")
REFERENCE = re.compile(rf"\$(?:{_OPEN}|\{{)([A-Za-z_][A-Za-z0-9_]*)(?::-([^{_CLOSE}}}]*))?(?:{_CLOSE}|\}})")
_MALFORMED = re.compile(rf"\$[{_OPEN}{{][^{_CLOSE}}}]*[{_CLOSE}}}]?")

Position = tuple[int, int]


@dataclass
class Filled:
    """A document whose references hold their values.

    `raw`: what the file says, for the values that hold references, by position. `failed`: the positions of values
    that could not be filled in; their problems are in `problems`.
    """

    node: Node | None
    problems: list[Problem]
    raw: dict[Position, str] = field(default_factory=dict)
    failed: set[Position] = field(default_factory=set)

    def is_whole(self, node: Node) -> bool:
        """True for a value that is one reference and nothing else."""
        return REFERENCE.fullmatch(self.raw.get((node.line, node.column), "")) is not None


def read_with_environment(data: bytes, file: str, environment: abc.Mapping[str, str]) -> Filled:
    """Read a document and fill in its references. An empty variable counts as unset, as in a shell's `:-`.

    An unset one without a default is a problem at its value. Filled-in text is never looked at for references again.
    """
    node, problems = read_document(_IN_FILE.sub(f"${_OPEN}\\1{_CLOSE}".encode(), data), file)
    filled = Filled(None, [replace(problem, message=_restored(problem.message)) for problem in problems])
    if node is not None:
        filled.node = _filled(node, file, environment, filled)
    return filled


def references(text: str) -> list[tuple[str, str | None]]:
    """Name and default (None: it must be set) of every reference in the text."""
    return [(found[1], found[2]) for found in REFERENCE.finditer(text)]


def fill_in(text: str, environment: abc.Mapping[str, str]) -> str:
    """The text with its references replaced. Raises `LookupError` naming a variable that is neither set nor has a default;
    as everywhere an empty one counts as unset.
    """

    def value(found: re.Match[str]) -> str:
        known = environment.get(found[1]) or found[2]
        if known is None:
            raise LookupError(f"the environment variable {found[1]} is not set: set it, in .env for example")
        return known

    return REFERENCE.sub(value, text)


def _filled(node: Node, file: str, environment: abc.Mapping[str, str], result: Filled) -> Node:
    match node:
        case Scalar():
            return _filled_scalar(node, file, environment, result)
        case Sequence():
            items = tuple(_filled(item, file, environment, result) for item in node.items)
            return Sequence(items, node.line, node.column)
        case Mapping():
            pairs = tuple(
                (replace(key, text=_restored(key.text)), _filled(value, file, environment, result))
                for key, value in node
            )
            return Mapping(pairs, node.line, node.column)


def _filled_scalar(node: Scalar, file: str, environment: abc.Mapping[str, str], result: Filled) -> Scalar:
    if "$" not in node.text:
        return node
    rest = REFERENCE.sub("", node.text)
    malformed = _MALFORMED.search(rest)
    if malformed is not None:
        return _failed(
            node, f"'{_restored(malformed[0])}' is no reference: write ${{NAME}} or ${{NAME:-default}}", file, result
        )
    found = list(REFERENCE.finditer(node.text))
    if not found:
        return node
    for name, default in ((each[1], each[2]) for each in found):
        if default is None and not environment.get(name):
            return _failed(
                node, f"the environment variable {name} is not set: set it, in .env for example", file, result
            )
    result.raw[node.line, node.column] = _restored(node.text)
    text = REFERENCE.sub(lambda each: environment.get(each[1]) or each[2] or "", node.text)
    if not result.is_whole(node):
        return replace(node, value=text, text=text)
    value = word_value(text)
    return Scalar(text if isinstance(value, Oversized) else value, text, False, node.line, node.column)


def _failed(node: Scalar, message: str, file: str, result: Filled) -> Scalar:
    result.problems.append(Problem(file, node.line, node.column, message))
    result.failed.add((node.line, node.column))
    return node


def _restored(text: str) -> str:
    return text.replace(_OPEN, "{").replace(_CLOSE, "}")
