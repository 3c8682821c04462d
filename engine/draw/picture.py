"""Composes the whole picture of a journey: heading, flow from trigger to end, rules at its side."""

from __future__ import annotations

from collections.abc import Sequence

from engine.draw import cards
from engine.draw.drawable import Drawable
from engine.draw.flow import flow
from engine.draw.people import Ends, People
from engine.draw.shapes import Box, Card, Chip, Line, Path, Picture, Shape
from engine.draw.structure import structure
from engine.draw.text import ASIDE, HEADING, wrap

MARGIN = 32.0
SIDE_GAP = 48.0
STACK_GAP = 14.0


def compose(machine: Drawable, people: People) -> Picture:
    """The picture with its left upper corner at (0, 0). Every state and rule of the machine has a card in it."""
    nesting = structure(machine)
    ends = Ends.of(machine, nesting.completes, people.ended)
    rules = _rules(machine, ends, people.converted)
    shapes: list[Shape] = list(flow(machine, nesting, people, ends, SIDE_GAP + cards.CARD_WIDTH if rules else 0.0))
    shapes += _beside(rules, [_bounds(shape) for shape in shapes])
    boxes = [_bounds(shape) for shape in shapes]
    left = min(box.x for box in boxes)
    width = max(max(box.right for box in boxes) - left, cards.CARD_WIDTH * 1.4)
    heading, top = _heading(machine, width)
    dx, dy = MARGIN - left, top + MARGIN - 4
    shapes = [shape.moved(dx, dy) for shape in shapes]
    return Picture(
        width + 2 * MARGIN,
        max(box.bottom for box in boxes) + dy + MARGIN,
        heading,
        tuple(shape for shape in shapes if isinstance(shape, Path)),
        tuple(shape for shape in shapes if isinstance(shape, Chip)),
        tuple(shape for shape in shapes if isinstance(shape, Card)),
    )


def _rules(machine: Drawable, ends: Ends, converted: int | None) -> list[Card]:
    """What holds on every step: the goal, the exit rules, and the ends that have no place in the flow."""
    rules = [cards.goal(machine.goal, converted)] if machine.goal is not None else []
    rules += [cards.rule(number, rule, ends.at(rule.reason)) for number, rule in enumerate(machine.exits)]
    others = ends.others()
    return [*rules, *([cards.others(others)] if others else [])]


def _beside(rules: Sequence[Card], taken: Sequence[Box]) -> list[Card]:
    """The rules in a stack, level with the trigger and as far left as the flow leaves room at that height."""
    height = sum(card.box.height + STACK_GAP for card in rules)
    x = max(box.right for box in taken if box.y < height) + SIDE_GAP + cards.CARD_WIDTH / 2 if rules else 0.0
    placed: list[Card] = []
    y = 0.0
    for card in rules:
        placed.append(card.moved(x, y))
        y += card.box.height + STACK_GAP
    return placed


def _heading(machine: Drawable, width: float) -> tuple[tuple[Line, ...], float]:
    """The name of the journey and what it is, and the y below them."""
    steps = len(machine.states)
    facts = [machine.kind, *([machine.topic] if machine.topic else []), f"{steps} step{'' if steps == 1 else 's'}"]
    lines: list[Line] = []
    y = MARGIN
    for text, style in ((machine.journey, HEADING), (" · ".join(facts), ASIDE)):
        for words in wrap(text, style, width, 2):
            y += style.leading
            lines.append(Line(words, MARGIN, y - style.leading * 0.25, style))
    return tuple(lines), y


def _bounds(shape: Shape) -> Box:
    if not isinstance(shape, Path):
        return shape.box
    xs, ys = [x for x, _ in shape.points], [y for _, y in shape.points]
    return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
