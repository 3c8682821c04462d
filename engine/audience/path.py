"""Paths into nested properties, such as `items.0.sku` and `items.*.sku`."""

from __future__ import annotations

import re

from engine.document import Node
from engine.grammar import Invalid, Reader

_MOST_PARTS = 20
_MOST_STARS = 3


def read_path(text: str, root: str, node: Node, reader: Reader) -> tuple[str, ...] | Invalid:
    """The parts after `root.` (all, if `root` is empty); refused at the node when empty, in brackets, or too deep."""
    path = text.removeprefix(root + ".") if root else text
    parts = tuple(path.split("."))
    if "[" in path or "]" in path:
        meant = re.sub(r"\[(\*|\d+)\]", r".\1", text)
        return reader.refuse(node, f"'{text}': list positions are written with dots, e.g. '{meant}'")
    if not all(parts):
        return reader.refuse(
            node, f"'{text}': a name is missing in the path, which looks like {root + '.' if root else ''}address.city"
        )
    if parts[0] == "*":
        return reader.refuse(node, f"'{text}': '*' stands for the items of a list, so a name comes first")
    if len(parts) > _MOST_PARTS or parts.count("*") > _MOST_STARS:
        return reader.refuse(node, f"'{text}': at most {_MOST_PARTS} parts, of which {_MOST_STARS} may be '*'")
    return parts


def steps(parts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The parts between the stars: `items.*.sku` is (("items",), ("sku",))."""
    found: list[list[str]] = [[]]
    for part in parts:
        if part == "*":
            found.append([])
        else:
            found[-1].append(part)
    return tuple(tuple(step) for step in found)
