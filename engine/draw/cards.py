"""Turns steps, rules and ends into cards, pills and chips: which words, which icon, how high."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.draw.drawable import COMPLETED, Drawable, Labelled, Rule, Stop, exit_reason
from engine.draw.shapes import Badge, Box, Card, Chip, Line
from engine.draw.text import CHIP, COUNT, DETAIL, EYEBROW, PILL, TITLE, Style, balanced, clean, measure, widest, wrap

# Ids of the cards that stand for no state; the colon keeps them apart from any step's id.
TRIGGER, END = ":trigger", ":completed"

CARD_WIDTH = 300.0
PADDING = 14.0
ICON = 38.0
TEXT_X = PADDING + ICON + 12
TEXT_WIDTH = CARD_WIDTH - TEXT_X - PADDING
MOST_LINES = 6

PILL_WIDTH = 350.0
PILL_HEIGHT = 40.0
PILL_TEXT_X = 38.0
PILL_PADDING = 16.0

CHIP_WIDTH = 232.0
CHIP_PADDING = 11.0
CHIP_LINES = 5

PERSON = 15.0  # room for the little person in front of a number
BADGE_HEIGHT = 20.0
BADGE_PADDING = 8.0

_JOINED = re.compile(r"(\S+),? ((?:where|with|within)\b.*)")
_MEDIUM = re.compile(r"via (email|sms|whatsapp)\b")


def step(stop: Stop, people: int | None, mark: str = "") -> Card:
    """The card of a step, its top edge centred on (0, 0); `mark` is a word about it, such as `changed`."""
    name = "" if stop.id == stop.path else f" ({stop.id})"
    about = _about(f"{stop.label()}{name}{f', {mark}' if mark else ''}", people, "on this step")
    if stop.verb == "wait":
        return _pill(stop.id, "wait", "wait", _marked(stop.label(), mark), people, about)
    title, *details = _words(stop)
    if name and stop.id != title:  # the word that `alur why` and the numbers of reports use
        details.append(f"step {stop.id}")
    first = _MEDIUM.match(details[0]) if stop.verb == "send" else None
    glyph = first[1] if first else stop.verb
    return _card(stop.id, stop.verb, glyph, _marked(stop.verb.replace("_", " "), mark), title, details, people, about)


def ending(stop: Stop, people: int | None, mark: str = "") -> Card:
    """The pill of an `exit` step; `people` left under its reason."""
    about = _about(f"ends as {exit_reason(stop)}", people, "ended here")
    return _pill(stop.id, "exit", "exit", _marked(stop.label(), mark), people, about)


def trigger(machine: Drawable, entered: int | None) -> Card:
    title, detail = _clauses(machine.trigger.label())
    where = machine.entry.where
    only = f"only if {where.label()}" if where is not None else ""
    about = _about(f"trigger: {machine.trigger.label()}{f', {only}' if only else ''}", entered, "entered")
    return _card(TRIGGER, "trigger", "trigger", "trigger", title, (detail, only), entered, about, " entered")


def completed(people: int | None) -> Card:
    return _pill(END, COMPLETED, COMPLETED, COMPLETED, people, _about(COMPLETED, people, "completed"))


def rule(number: int, exit_rule: Rule, people: int | None) -> Card:
    about = _about(f"exit rule: {exit_rule.label()}", people, f"ended as {exit_rule.reason}")
    title, detail = _clauses(exit_rule.label())
    details = (detail, f"ends as {exit_rule.reason}")
    return _card(f":exit.{number}", "rule", "exit", "exit rule", title, details, people, about)


def goal(labelled: Labelled, converted: int | None) -> Card:
    title, detail = _clauses(labelled.label())
    about = _about(f"goal: {labelled.label()}", converted, "converted")
    return _card(":goal", "goal", "goal", "goal", title, (detail,), converted, about)


def others(ended: Sequence[tuple[str, int]]) -> Card:
    """People who left under reasons that have no place of their own in the picture."""
    words = ", ".join(f"{reason} {people:,}" for reason, people in ended)
    total = sum(people for _, people in ended)
    return _card(":others", "rule", "exit", "other ends", words, (), total, f"other ends: {words}")


def chip(label: str) -> Chip:
    """The label of a way out, its top edge centred on (0, 0)."""
    lines = balanced(label, CHIP, CHIP_WIDTH - 2 * CHIP_PADDING, CHIP_LINES)
    width = widest(lines, CHIP) + 2 * CHIP_PADDING
    box = Box(-width / 2, 0, width, len(lines) * CHIP.leading + 10)
    words = (replace(line, x=-measure(line.text, CHIP) / 2, centred=True) for line in _column(lines, CHIP, 0, 5))
    return Chip(box, tuple(words), clean(label))


def _marked(words: str, mark: str) -> str:
    return f"{words} · {mark}" if mark else words


def _words(stop: Stop) -> tuple[str, ...]:
    """Title and details of a step's card, some of them empty; the verb itself stands above them."""
    verb = stop.verb.replace("_", " ")
    label = clean(stop.label())
    rest = label.removeprefix(verb).lstrip(": ")
    if not rest:
        return ("first that holds" if stop.verb == "branch" else verb), ""
    if stop.verb == "send":
        title, via, channels = rest.partition(" via ")
        return title, f"via {channels}" if via else ""
    if stop.verb == "wait_for":
        awaited, most, window = rest.rpartition(", at most ")
        return (*_clauses(awaited), f"at most {window}") if most else (rest, "")
    if stop.verb in _SECOND_LINE:
        title, joint, more = rest.partition(_SECOND_LINE[stop.verb])
        return title, f"{joint.removeprefix(', ')}{more}"
    return rest, ""


_SECOND_LINE = {"repeat": ", while ", "experiment": ", won by "}


def _clauses(label: str) -> tuple[str, str]:
    """An event's name, and the rest of its label when one of the usual words joins it; else the label as it is."""
    found = _JOINED.fullmatch(clean(label))
    return (found[1], found[2]) if found else (label, "")


def _card(
    id: str,
    look: str,
    glyph: str,
    eyebrow: str,
    title: str,
    details: Sequence[str],
    people: int | None,
    about: str,
    unit: str = "",
) -> Card:
    x = -CARD_WIDTH / 2
    badges = () if people is None else (_badge(people, x + CARD_WIDTH - PADDING + 2, PADDING - 7, unit),)
    room = TEXT_WIDTH - (badges[0].box.width + 8 if badges else 0)
    rows = (
        (wrap(eyebrow.upper(), EYEBROW, room, 1), EYEBROW),
        (wrap(title, TITLE, TEXT_WIDTH, MOST_LINES), TITLE),
        *((wrap(detail, DETAIL, TEXT_WIDTH, MOST_LINES), DETAIL) for detail in details if detail),
    )
    lines: list[Line] = []
    y = PADDING - 3
    for texts, style in rows:
        lines += _column(texts, style, x + TEXT_X, y)
        y += len(texts) * style.leading + (3 if style is EYEBROW else 2)
    box = Box(x, 0, CARD_WIDTH, max(y + PADDING - 3, ICON + 2 * PADDING))
    return Card(id, look, box, tuple(lines), clean(about), glyph, badges)


def _pill(id: str, look: str, glyph: str, words: str, people: int | None, about: str) -> Card:
    badge = None if people is None else _badge(people, 0, 0)
    beside = badge.box.width + 10 if badge else 0.0
    lines = wrap(words, PILL, PILL_WIDTH - PILL_TEXT_X - PILL_PADDING - beside, MOST_LINES)
    width = PILL_TEXT_X + widest(lines, PILL) + beside + (8 if badge else PILL_PADDING)
    height = max(PILL_HEIGHT, len(lines) * PILL.leading + 18)
    x = -width / 2
    texts = _column(lines, PILL, x + PILL_TEXT_X, (height - len(lines) * PILL.leading) / 2)
    badges = (badge.moved(x + width - 10, (height - BADGE_HEIGHT) / 2),) if badge else ()
    return Card(id, look, Box(x, 0, width, height), texts, clean(about), glyph, badges, pill=True)


def _badge(people: int, right: float, top: float, unit: str = "") -> Badge:
    """A number of people, its right upper corner at (`right`, `top`)."""
    text = f"{people:,}{unit}"
    width = 2 * BADGE_PADDING + PERSON + measure(text, COUNT)
    box = Box(right - width, top, width, BADGE_HEIGHT)
    line = Line(text, box.x + BADGE_PADDING + PERSON, top + 14.2, COUNT)
    return Badge(box, line, faint=people == 0)


def _column(lines: Sequence[str], style: Style, x: float, top: float) -> tuple[Line, ...]:
    # 0.36 of the size below the middle of its row is where the baseline of a sans font centres the lower-case letters.
    down = style.leading / 2 + style.size * 0.36
    return tuple(Line(text, x, top + number * style.leading + down, style) for number, text in enumerate(lines))


def _about(words: str, people: int | None, what: str) -> str:
    return words if people is None else f"{words}: {people:,} {what}"
