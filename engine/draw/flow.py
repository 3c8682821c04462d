"""Draws the flow of a journey from its trigger to its end: in one column, or in several when it is long."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from engine.draw import cards
from engine.draw.drawable import COMPLETED, Drawable, Stop, exit_reason
from engine.draw.layout import GAP, Placed, place, stack
from engine.draw.people import Ends, People
from engine.draw.shapes import Card, Path, Shape
from engine.draw.structure import Jump, Structure

TALL = 960.0  # a flow up to this height stays in one column, whatever its width
MOST_COLUMNS = 40
COLUMN_GAP = 64.0
TURN = 20.0  # how far the line between two columns runs below the one and above the other
LANE = 30.0


def flow(machine: Drawable, nesting: Structure, people: People, ends: Ends, beside: float) -> tuple[Shape, ...]:
    """The shapes of the flow, the trigger's top edge at y = 0; `beside` is the width that the rules will take."""
    rows = _rows(machine, nesting, people, ends)
    columns = [rows] if nesting.jumps else _columns(rows, beside)
    shapes, right = _arranged([stack(column) for column in columns])
    return (*shapes, *_lanes(nesting.jumps, shapes, right))


def _rows(machine: Drawable, nesting: Structure, people: People, ends: Ends) -> list[Placed]:
    """Trigger, outermost steps and end, each placed by itself."""

    def card(stop: Stop) -> Card:
        if stop.verb == "exit":
            return cards.ending(stop, ends.at(exit_reason(stop)), people.mark(stop.id))
        return cards.step(stop, people.at(stop.id), people.mark(stop.id))

    top = cards.trigger(machine, people.entered)
    rows = [_row(top, onward=not any(jump.source is None for jump in nesting.jumps))]
    rows += [place([block], card) for block in nesting.blocks]
    if nesting.completes:
        rows.append(_row(cards.completed(ends.at(COMPLETED)), onward=False))
    return rows


def _row(card: Card, *, onward: bool) -> Placed:
    return Placed(-card.box.x, card.box.right, card.box.height, (card,), onward)


def _columns(rows: list[Placed], beside: float) -> list[list[Placed]]:
    """The rows in as few columns as make the picture no higher than wide; in one if no number of columns does."""
    for number in range(1, min(len(rows), MOST_COLUMNS) + 1):
        columns = _split(rows, number)
        height = max(_height(column) for column in columns)
        width = sum(_width(column) + COLUMN_GAP for column in columns) + beside
        if height <= max(TALL, width):
            return columns
    return [rows]


def _split(rows: list[Placed], number: int) -> list[list[Placed]]:
    """At most `number` columns of whole rows, the highest of them as low as can be."""
    most = range(int(_height(rows)) + 2)
    return _filled(rows, most[bisect_left(most, True, key=lambda height: len(_filled(rows, height)) <= number)])


def _filled(rows: list[Placed], height: float) -> list[list[Placed]]:
    """Columns filled one after the other up to `height`; a row that is higher still stands alone."""
    columns: list[list[Placed]] = [[]]
    used = 0.0
    for row in rows:
        used += GAP + row.height
        if columns[-1] and used > height:
            columns.append([])
            used = row.height
        columns[-1].append(row)
    return columns


def _height(rows: list[Placed]) -> float:
    return sum(row.height + GAP for row in rows)


def _width(rows: list[Placed]) -> float:
    return max(row.left for row in rows) + max(row.right for row in rows)


def _arranged(columns: Sequence[Placed]) -> tuple[list[Shape], float]:
    """The columns side by side, joined by lines from the foot of each to the head of the next; and the right edge."""
    shapes: list[Shape] = list(columns[0].shapes)
    x, right = 0.0, columns[0].right
    for before, column in pairwise(columns):
        lane, spine = right + COLUMN_GAP / 2, right + COLUMN_GAP + column.left
        foot = before.height + TURN
        points = ((x, before.height), (x, foot), (lane, foot), (lane, -TURN), (spine, -TURN), (spine, 0.0))
        shapes += [Path(points, arrow=True)] if before.onward else []
        shapes += (shape.moved(spine, 0) for shape in column.shapes)
        x, right = spine, spine + column.right
    return shapes, right


def _lanes(jumps: Sequence[Jump], shapes: Iterable[Shape], right: float) -> list[Shape]:
    """A lane of its own, right of everything, for each way that leaves the nesting."""
    boxes = {shape.id: shape.box for shape in shapes if isinstance(shape, Card)}
    lanes: list[Shape] = []
    for jump in jumps:
        source, target = boxes[jump.source or cards.TRIGGER], boxes[jump.target or cards.END]
        chip = cards.chip(jump.label) if jump.label else None
        half = chip.box.width / 2 if chip else 0.0
        x = right + LANE + half
        begin, end = source.y + source.height * 0.7, target.y + target.height * 0.3
        points = ((source.right, begin), (x, begin), (x, end), (target.right, end))
        lanes.append(Path(points, arrow=True, jump=True))
        if chip is not None:
            lanes.append(chip.moved(x, (begin + end - chip.box.height) / 2))
        right = x + half
    return lanes
