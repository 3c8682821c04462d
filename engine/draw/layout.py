"""Places the steps: lists run downwards on a spine, arms stand side by side and meet again below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.draw import cards
from engine.draw.drawable import Stop
from engine.draw.shapes import Card, Chip, Path, Shape
from engine.draw.structure import Arm, Block

GAP = 28.0  # between a step and the next, with its arrow
BUS = 20.0  # from a fork down to the line that spreads to its arms, and from the arms to the line that gathers them
DROP = 18.0  # from that line down to the chips, and from the chips to the steps
ARM_GAP = 36.0
LANE = 24.0  # left of a fork, for the way back of each arm that leads round
NARROW = 12.0  # half the room of an arm without steps and label

Carding = Callable[[Stop], Card]


@dataclass(frozen=True)
class Placed:
    """Shapes around a spine at x = 0, from y = 0 down to `height`. `onward`: a line goes on from (0, height)."""

    left: float
    right: float
    height: float
    shapes: tuple[Shape, ...]
    onward: bool


def place(blocks: Sequence[Block], card: Carding) -> Placed:
    """A list of steps on one spine; `card` draws a step with its top edge centred on (0, 0)."""
    return stack([_block(block, card) for block in blocks])


def stack(rows: Sequence[Placed]) -> Placed:
    """The rows one below the other, with an arrow behind each that leads onward."""
    left = right = y = 0.0
    shapes: list[Shape] = []
    onward = True
    for number, row in enumerate(rows):
        if number:
            if onward:
                shapes.append(Path(((0, y), (0, y + GAP)), arrow=True))
            y += GAP
        shapes += (shape.moved(0, y) for shape in row.shapes)
        left, right, y, onward = max(left, row.left), max(right, row.right), y + row.height, row.onward
    return Placed(left, right, y, tuple(shapes), onward)


def _block(block: Block, card: Carding) -> Placed:
    top = card(block.stop)
    if not block.arms:
        return Placed(-top.box.x, top.box.right, top.box.height, (top,), block.onward)
    return _Fork(top, tuple(_Column.of(arm, card) for arm in block.arms)).placed()


@dataclass(frozen=True)
class _Column:
    """One arm of a fork: its chip, its steps and the room they take to both sides of the arm's own spine."""

    arm: Arm
    chip: Chip | None
    body: Placed

    @classmethod
    def of(cls, arm: Arm, card: Carding) -> _Column:
        return cls(arm, cards.chip(arm.label) if arm.label else None, place(arm.body, card))

    @property
    def left(self) -> float:
        return max(NARROW, self.body.left, -self.chip.box.x if self.chip else 0)

    @property
    def right(self) -> float:
        return max(NARROW, self.body.right, self.chip.box.right if self.chip else 0)


@dataclass(frozen=True)
class _Fork:
    top: Card
    columns: tuple[_Column, ...]

    def placed(self) -> Placed:
        spines = self._spines()
        bus = self.top.box.height + BUS
        row = max((column.chip.box.height for column in self.columns if column.chip), default=0.0)
        start = bus + DROP + row + (DROP + 6 if row else 0)
        gather = start + max(column.body.height for column in self.columns) + BUS
        onward = any(column.arm.onward for column in self.columns)
        height = gather + BUS if onward else gather - BUS
        shapes: list[Shape] = [self.top]
        for column, x in zip(self.columns, spines, strict=True):
            shapes += self._arm(column, x, bus, start, gather, height)
        left = max(-self.top.box.x, *(column.left - x for column, x in zip(self.columns, spines, strict=True)))
        right = max(self.top.box.right, *(column.right + x for column, x in zip(self.columns, spines, strict=True)))
        for column, x in zip(self.columns, spines, strict=True):
            if column.arm.back:
                left += LANE
                shapes.append(self._circle(x, start + column.body.height, -left))
        return Placed(left, right, height, tuple(shapes), onward)

    def _circle(self, x: float, foot: float, lane: float) -> Path:
        """From the foot of an arm around its left side, up and back into the fork."""
        into = (self.top.box.x, self.top.box.height / 2)
        points = ((x, foot), (x, foot + LANE / 2), (lane, foot + LANE / 2), (lane, into[1]), into)
        return Path(points, arrow=True)

    def _spines(self) -> list[float]:
        """Where the arms' spines run; the middle one, or the middle of the middle two, is under the fork."""
        spines = [0.0]
        for column, beside in zip(self.columns[1:], self.columns, strict=False):
            spines.append(spines[-1] + beside.right + ARM_GAP + column.left)
        last = len(spines) - 1
        centre = (spines[last // 2] + spines[(last + 1) // 2]) / 2
        return [x - centre for x in spines]

    def _arm(self, column: _Column, x: float, bus: float, start: float, gather: float, height: float) -> list[Shape]:
        way = [(0.0, self.top.box.height), (0.0, bus), (x, bus), (x, start)]
        back = [(x, start + column.body.height), (x, gather), (0.0, gather), (0.0, height)]
        shapes: list[Shape] = []
        if not column.arm.body:
            shapes.append(Path((*way, *back)))
        else:
            shapes += [Path(tuple(way), arrow=True)] if column.arm.reached else []
            shapes += [Path(tuple(back))] if column.arm.onward else []
        if column.chip is not None:
            shapes.append(column.chip.moved(x, bus + DROP))
        return [*shapes, *(shape.moved(x, start) for shape in column.body.shapes)]
