"""A segment: a named condition over contacts, as its file says it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.audience.condition import Condition, ConditionType, SegmentUse
from engine.document import Node, Plain
from engine.grammar import NAME, Field, Invalid, Reader, Shape, Text


@dataclass(frozen=True)
class Segment:
    """Everybody for whom `where` holds; the membership is kept in the database and refreshed."""

    name: str
    where: Condition
    description: str | None = None

    def plain(self) -> Plain:
        """What decides who is in it, as JSON; the description is left out."""
        return {"segment": self.name, "where": self.where.plain()}


@dataclass(frozen=True)
class Circle:
    """A segment that refers to itself, over others or at once: `path` begins and ends with its name.

    `at` is the mention in that segment's own file which leads around.
    """

    path: tuple[str, ...]
    at: SegmentUse

    def label(self) -> str:
        return " -> ".join(self.path)


SEGMENT = Shape(
    "a segment",
    {
        "segment": Field(NAME, "the segment's name, same as the file's", required=True, example="loyal"),
        "description": Field(Text(), "what it is for, in a sentence", example="Bought in the last 90 days."),
        "where": Field(
            ConditionType(matched=False, enrolled=False),
            "the condition that makes a member",
            required=True,
            example={"did": {"event": "order_completed", "within": "90d"}},
        ),
    },
    Segment,
    rename={"segment": "name"},
)


def read_segment(node: Node, reader: Reader) -> Segment | Invalid:
    """The segment of a file, or `INVALID` after reporting. It has no `event`, except inside a `where` of `did`."""
    reader.has_event = False
    segment: Segment | Invalid = SEGMENT.read(node, reader)
    return segment


def circles(uses: Mapping[str, Sequence[SegmentUse]]) -> list[Circle]:
    """Each segment that stands on a circle of references, once, with the shortest way around, in the order given. `uses`: what
    each of them refers to.
    """
    found = (_way_around(name, uses) for name in uses)
    return [circle for circle in found if circle is not None]


def _way_around(name: str, uses: Mapping[str, Sequence[SegmentUse]]) -> Circle | None:
    ways: deque[tuple[tuple[str, ...], SegmentUse]] = deque()
    ways.extend(((name, use.name), use) for use in uses[name])
    seen: set[str] = set()
    while ways:
        path, first = ways.popleft()
        if path[-1] == name:
            return Circle(path, first)
        if path[-1] in uses and path[-1] not in seen:
            seen.add(path[-1])
            ways.extend(((*path, each), first) for each in sorted({use.name for use in uses[path[-1]]}))
    return None


def in_order(segments: Iterable[Segment]) -> list[Segment]:
    """The segments, each after those it refers to, so that one pass of refreshes is enough; else by name.

    References to unknown segments are passed over; on a circle the order is by name.
    """
    known = {segment.name: segment for segment in segments}
    ordered: dict[str, Segment] = {}

    def place(name: str, under: frozenset[str]) -> None:
        if name in ordered or name in under or name not in known:
            return
        for needed in sorted(known[name].where.segments()):
            place(needed, under | {name})
        ordered.setdefault(name, known[name])

    for name in sorted(known):
        place(name, frozenset())
    return list(ordered.values())
