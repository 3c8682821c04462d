"""The shapes a picture is made of, in pixels: cards with text, chips on lines, lines, and the boxes they fill."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.draw.text import Style


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def moved(self, dx: float, dy: float) -> Box:
        return Box(self.x + dx, self.y + dy, self.width, self.height)


@dataclass(frozen=True)
class Line:
    """One line of text from `x` on, on the baseline `y`.

    `centred`: it keeps its middle, not its beginning, where a reader's font is narrower than measured.
    """

    text: str
    x: float
    y: float
    style: Style
    centred: bool = False

    def moved(self, dx: float, dy: float) -> Line:
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Badge:
    """A number of people in a small pill; `faint` for none at all."""

    box: Box
    line: Line
    faint: bool = False

    def moved(self, dx: float, dy: float) -> Badge:
        return Badge(self.box.moved(dx, dy), self.line.moved(dx, dy), self.faint)


@dataclass(frozen=True)
class Card:
    """A box that stands for something: `look` names its colours, `glyph` its icon, `about` is what a pointer is told.

    `id` is that of the state, or starts with a colon; a `pill` is small and has round ends.
    """

    id: str
    look: str
    box: Box
    lines: tuple[Line, ...]
    about: str
    glyph: str = ""
    badges: tuple[Badge, ...] = ()
    pill: bool = False

    def moved(self, dx: float, dy: float) -> Card:
        return replace(
            self,
            box=self.box.moved(dx, dy),
            lines=tuple(line.moved(dx, dy) for line in self.lines),
            badges=tuple(badge.moved(dx, dy) for badge in self.badges),
        )


@dataclass(frozen=True)
class Chip:
    """The label of a way out, sitting on its line."""

    box: Box
    lines: tuple[Line, ...]
    about: str

    def moved(self, dx: float, dy: float) -> Chip:
        return Chip(self.box.moved(dx, dy), tuple(line.moved(dx, dy) for line in self.lines), self.about)


@dataclass(frozen=True)
class Path:
    """A line with rounded corners through the points; `arrow` at its end, `jump` if it leaves the nesting."""

    points: tuple[tuple[float, float], ...]
    arrow: bool = False
    jump: bool = False

    def moved(self, dx: float, dy: float) -> Path:
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


Shape = Card | Chip | Path


@dataclass(frozen=True)
class Picture:
    """A whole drawing; `lines` is its heading. Shapes are in drawing order."""

    width: float
    height: float
    lines: tuple[Line, ...]
    paths: tuple[Path, ...]
    chips: tuple[Chip, ...]
    cards: tuple[Card, ...]
