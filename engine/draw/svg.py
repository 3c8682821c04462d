"""Writes a journey's picture as one self-contained SVG: no script, no fonts, light and dark by the reader's setting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import hypot
from xml.sax.saxutils import escape

from engine.draw.cards import ICON, PADDING
from engine.draw.drawable import COMPLETED, Drawable
from engine.draw.looks import DOT, GLYPHS, LOOKS, PERSON, style_sheet
from engine.draw.people import People
from engine.draw.picture import compose
from engine.draw.shapes import Badge, Box, Card, Chip, Line, Path
from engine.draw.text import clean, measure

ROOT = "alur-journey"
CORNER = 12.0
TIP = 7.0  # length of an arrow's head


def svg(
    machine: Drawable,
    counts: Mapping[str, int] | None = None,
    *,
    entered: int | None = None,
    ended: Mapping[str, int] | None = None,
    converted: int | None = None,
    marks: Mapping[str, str] | None = None,
) -> str:
    """The picture as text; the same bytes for the same arguments.

    `counts` says how many people stand on each state (missing ones count 0), `entered` how many came in, `ended` how
    many left under each reason, `converted` how many reached the goal. What is None is not shown.
    `marks` puts a word beside states, such as `changed`.

    Labels are wrapped, and cut with an ellipsis where they are very long; the whole of them is in the tooltip. Sizes are
    in pixels; the picture shrinks with the page that holds it.
    """
    picture = compose(machine, People(counts, entered, ended, converted, marks or {}))
    width, height = _number(picture.width), _number(picture.height)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="max-width:100%;height:auto"'
    name = f"{ROOT}-{re.sub('[^a-z0-9]+', '-', machine.journey.lower())}"
    described = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{ROOT}" {size} {described}>',
        f'<title id="{name}-title">{_words("Journey " + machine.journey)}</title>',
        f'<desc id="{name}-desc">{_words(_story(machine))}</desc>',
        f"<style>\n{style_sheet(ROOT)}\n</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="16"/>',
        *(_line(line) for line in picture.lines),
        *(_path(path) for path in picture.paths),
        *(_chip(chip) for chip in picture.chips),
        *(_card(card) for card in picture.cards),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _story(machine: Drawable) -> str:
    """The journey in words, for those who don't see the picture."""
    sentences = [f"Trigger: {machine.trigger.label()}."]
    sentences += [f"Goal: {machine.goal.label()}."] if machine.goal is not None else []
    sentences += [f"Exit rule: {rule.label()}, ends as {rule.reason}." for rule in machine.exits]
    names = {stop.id: stop.label() for stop in machine.states.values()}
    for number, stop in enumerate(machine.states.values(), 1):
        ways = [(label, names[target] if target else COMPLETED) for label, target in stop.targets() if label]
        onward = "; ".join(f"{label}: {what}" for label, what in ways)
        sentences.append(f"Step {number}: {stop.label()}{f' ({onward})' if onward else ''}.")
    return " ".join(sentences)


def _card(card: Card) -> str:
    box = card.box
    look = card.look if card.look in LOOKS else "plain"
    aside = look in {"rule", "goal"}
    radius = box.height / 2 if card.pill and box.height < 50 else 14.0
    shape = f'{_edges(box)} rx="{_number(radius)}"'
    ground = "pill" if card.pill else "box aside-card" if aside else "box"
    parts = [f'<g class="v-{look}">', f"<title>{_words(card.about)}</title>"]
    if not card.pill and not aside:
        parts.append(f'<rect class="shade" {_edges(box.moved(0, 3))} rx="{_number(radius)}"/>')
    parts += [f'<rect class="{ground}" {shape}/>', _icon(card)]
    parts += [_line(line) for line in card.lines]
    parts += [_badge(badge) for badge in card.badges]
    return "\n".join([*parts, "</g>"])


def _icon(card: Card) -> str:
    """The tile and its glyph: a square on a card, a disc on a pill."""
    if card.pill:
        size, x, y, radius = 24.0, card.box.x + 8, card.box.y + card.box.height / 2 - 12, 12.0
    else:
        size, x, y, radius = ICON, card.box.x + PADDING, card.box.y + PADDING, 10.0
    scale = size * 0.6 / 24
    at = f"translate({_number(x + size * 0.2)} {_number(y + size * 0.2)}) scale({_number(scale)})"
    tile = f'<rect class="tile" {_edges(Box(x, y, size, size))} rx="{_number(radius)}"/>'
    return f'{tile}<path class="glyph" transform="{at}" d="{GLYPHS.get(card.glyph, DOT)}"/>'


def _badge(badge: Badge) -> str:
    box = badge.box
    at = f"translate({_number(box.x + 7)} {_number(box.y + 4)}) scale(.5)"
    nobody = ' class="nobody"' if badge.faint else ""
    return (
        f'<g{nobody}><rect class="badge" {_edges(box)} rx="{_number(box.height / 2)}"/>'
        f'<path class="person" transform="{at}" d="{PERSON}"/>{_line(badge.line)}</g>'
    )


def _chip(chip: Chip) -> str:
    rect = f'<rect class="chip" {_edges(chip.box)} rx="{_number(min(chip.box.height / 2, 12))}"/>'
    return "\n".join([f"<g><title>{_words(chip.about)}</title>", rect, *(_line(line) for line in chip.lines), "</g>"])


def _line(line: Line) -> str:
    style = line.style
    strong = " strong" if style.bold else ""
    tracking = f' letter-spacing="{_number(style.tracking)}"' if style.tracking else ""
    x = line.x + measure(line.text, style) / 2 if line.centred else line.x
    anchor = ' text-anchor="middle"' if line.centred else ""
    at = f'x="{_number(x)}" y="{_number(line.y)}" font-size="{_number(style.size)}"{tracking}{anchor}'
    return f'<text class="{style.name}{strong}" {at}>{_words(line.text)}</text>'


def _path(path: Path) -> str:
    points = _bends(path.points)
    jump = " jump" if path.jump else ""
    if not path.arrow:
        return f'<path class="line{jump}" d="{_rounded(points)}"/>'
    (x0, y0), (x1, y1) = points[-2:]
    length = hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    tip = (x1 - dx, y1 - dy)  # a hair off the card
    foot = (tip[0] - dx * TIP, tip[1] - dy * TIP)
    sides = [(foot[0] - dy * TIP * 0.6, foot[1] + dx * TIP * 0.6), (foot[0] + dy * TIP * 0.6, foot[1] - dx * TIP * 0.6)]
    head = f"M{_point(tip)}L{_point(sides[0])}L{_point(sides[1])}Z"
    return f'<path class="line{jump}" d="{_rounded([*points[:-1], foot])}"/><path class="tip" d="{head}"/>'


def _bends(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points without repetitions and without those in the middle of a straight line."""
    kept: list[tuple[float, float]] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and (kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]):
            kept.pop()
        kept.append(point)
    return kept


def _rounded(points: list[tuple[float, float]]) -> str:
    """A path through the points that takes each corner in a curve."""
    drawn = [f"M{_point(points[0])}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        radius = min(CORNER, _distance(before, corner) / 2, _distance(corner, after) / 2)
        enter, leave = _towards(corner, before, radius), _towards(corner, after, radius)
        drawn.append(f"L{_point(enter)}Q{_point(corner)} {_point(leave)}")
    return "".join([*drawn, f"L{_point(points[-1])}"])


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return hypot(b[0] - a[0], b[1] - a[1])


def _towards(a: tuple[float, float], b: tuple[float, float], length: float) -> tuple[float, float]:
    share = length / (_distance(a, b) or 1.0)
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _edges(box: Box) -> str:
    return f'x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" height="{_number(box.height)}"'


def _point(point: tuple[float, float]) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _words(text: str) -> str:
    return escape(clean(text))
