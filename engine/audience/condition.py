"""Reading conditions: the one place where a key of a condition finds its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.audience.conditions import KINDS
from engine.audience.conditions.combined import together
from engine.audience.kind import CONDITION_SCHEMA, Condition, ConditionKind, Place, SegmentUse
from engine.document import Mapping, Node, Scalar, Sequence
from engine.grammar import INVALID, Invalid, Reader, shown, suggestion

__all__ = ["Condition", "ConditionType", "SegmentUse", "read_condition"]

_MOST_ASKED = 200  # keys, at every depth; keeps a statement within PostgreSQL's 65,535 parameters


@dataclass(frozen=True)
class ConditionType:
    """The grammar type of a condition.

    `tested` inside a `where`; `matched=False` where no `wait_for` can come before, `enrolled=False` where nobody is under
    way yet.
    """

    tested: bool = False
    matched: bool = True
    enrolled: bool = True
    expected: str = "a condition such as {contact.city: Jakarta}"

    def read(self, node: Node, reader: Reader) -> Any:
        return read_condition(node, reader, tested=self.tested, matched=self.matched, enrolled=self.enrolled)

    def schema(self) -> dict[str, Any]:
        return CONDITION_SCHEMA


def read_condition(
    node: Node, reader: Reader, *, tested: bool = False, matched: bool = True, enrolled: bool = True
) -> Condition | Invalid:
    """The condition, or `INVALID` after reporting. Uses what `reader` knows is declared, and `reader.has_event`."""
    if _asked(node) > _MOST_ASKED:
        return reader.refuse(node, f"a condition asks at most {_MOST_ASKED} things; make a segment of a part of it")
    return _read(node, Place(reader, tested, matched, _read, enrolled=enrolled))


def _asked(node: Node) -> int:
    match node:
        case Scalar():
            return 0
        case Sequence():
            return sum(_asked(item) for item in node.items)
        case Mapping():
            return sum(1 + _asked(value) for _, value in node)


def _read(node: Node, place: Place) -> Condition | Invalid:
    if not isinstance(node, Mapping):
        return place.reader.refuse(node, f"expected a condition such as {{contact.city: Jakarta}}, found {shown(node)}")
    if not node.pairs:
        return place.reader.refuse(node, "a condition names at least one thing, such as contact.city")
    parts = [_read_key(key, value, place) for key, value in node]
    good = tuple(part for part in parts if isinstance(part, Condition))
    return together(good, node.line) if len(good) == len(parts) else INVALID


def _read_key(key: Scalar, value: Node, place: Place) -> Condition | Invalid:
    kind = next((kind for kind in KINDS if any(_begins(key.text, word) for word in kind.words)), None)
    if kind is not None:
        return kind.read(key, value, place)
    return place.reader.refuse(key, f"unknown condition '{key.text}'{_hint(key.text, KINDS)}")


def _begins(text: str, word: str) -> bool:
    return text.startswith(word) if word.endswith(".") else text == word


def _hint(text: str, kinds: tuple[ConditionKind, ...]) -> str:
    words = [word for kind in kinds for word in kind.words]
    root, dot, rest = text.partition(".")
    if f"{root}." in words:
        example = "a field, such as contact.city" if root == "contact" else f"a property, such as {root}.total"
        return f": name {example}"
    whole = [word for word in words if not word.endswith(".")]
    close = suggestion(text, whole)
    if dot and not close:
        family = [word for word in whole if word.startswith(f"{root}.")]
        roots = suggestion(root, [word.removesuffix(".") for word in words if word.endswith(".")])
        return f" (one of: {', '.join(family)})" if family else roots.replace("'?)", f".{rest}'?)")
    return close or f" (one of: {', '.join(words)})"
