"""Measures and wraps text without a font: widths are those of DejaVu Sans, the widest of the usual sans fonts."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How a line is set; `name` is its class in the style sheet, sizes are in pixels."""

    name: str
    size: float
    leading: float
    bold: bool = False
    tracking: float = 0.0


HEADING = Style("heading", 22, 28, bold=True)
ASIDE = Style("aside", 12.5, 18)
EYEBROW = Style("eyebrow", 10.5, 15, bold=True, tracking=0.8)
TITLE = Style("title", 14, 19, bold=True)
PILL = Style("title", 13, 18, bold=True)
DETAIL = Style("detail", 12.5, 17)
CHIP = Style("chip-text", 12, 16)
COUNT = Style("count", 11.5, 15, bold=True)

ELLIPSIS = "…"

# Advance widths in thousandths of the font size, U+0020 to U+007E.
_REGULAR = (
    "318 401 460 838 637 951 780 275 391 391 500 838 318 361 318 337 637 637 637 637 637 637 637 637 637 637 337 "
    "337 838 838 838 531 1000 685 687 699 771 632 576 775 752 295 295 656 558 863 749 788 604 788 695 635 611 732 "
    "685 989 686 611 686 391 337 391 838 500 500 613 635 550 635 616 353 635 634 278 278 580 278 975 634 612 635 "
    "635 412 521 393 634 592 818 592 592 525 637 337 637 838"
)
_BOLD = (
    "349 457 521 838 696 1002 873 307 458 458 523 838 380 416 380 366 696 696 696 696 696 696 696 696 696 696 400 "
    "400 838 838 838 581 1000 774 763 734 831 684 684 821 837 373 373 775 638 996 837 851 733 851 771 721 683 813 "
    "774 1104 771 725 726 458 366 458 838 500 500 675 716 593 716 679 436 716 712 343 343 666 343 1042 712 688 716 "
    "716 494 596 479 712 652 924 646 652 583 712 366 712 838"
)
_TABLES = {
    bold: dict(zip(map(chr, range(0x20, 0x7F)), map(int, table.split()), strict=True))
    for bold, table in ((False, _REGULAR), (True, _BOLD))
}
_COMMON = {
    **dict.fromkeys("\u2013\u201c\u201d«»°•", 660),
    **dict.fromkeys("\u2018\u2019·", 380),
    **dict.fromkeys("≥≤≠\u00d7→←€£", 838),
    ELLIPSIS: 1000,
}

# What no table holds, as (first, last, thousandths): wide on purpose, since any font may step in.
_BLOCKS = (
    (0x0080, 0x1FFF, 1150),
    (0x2E80, 0x9FFF, 1050),
    (0xA9C5, 0xA9C5, 4000),
    (0xAC00, 0xD7A3, 1050),
    (0xF900, 0xFAFF, 1050),
    (0xFB50, 0xFDFF, 12000),
    (0xFF00, 0xFFEF, 1050),
    (0x12000, 0x1254F, 6000),
    (0x20000, 0x3FFFF, 1050),
)
_ELSEWHERE = 1700

_BREAK_AFTER = frozenset("_.-/,:=@&?+")


def measure(text: str, style: Style) -> float:
    """An upper bound of the width in pixels that the text takes on a reader's screen."""
    table = _TABLES[style.bold]
    thousandths = sum(table[c] if c in table else _odd(c, table) for c in text)
    return thousandths * style.size / 1000 + style.tracking * len(text)


def clean(text: str) -> str:
    """The text on one line, without characters that XML forbids or that turn the writing direction around."""
    words = "".join(c if _printable(c) else " " if c.isspace() else "" for c in text)
    return " ".join(words.split())


def wrap(text: str, style: Style, width: float, most: int) -> tuple[str, ...]:
    """At most `most` lines, none wider than `width`; what does not fit is cut with an ellipsis.

    Names break behind `_`, `.` and the like where a line would be too long. At least one line comes back.
    """
    lines: list[str] = []
    line = ""
    for word in _words(clean(text), style, width):
        joined = line + word
        if measure(joined.rstrip(), style) <= width:
            line = joined
            continue
        lines.append(line.rstrip())
        line = word.lstrip()
    lines.append(line.rstrip())
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(lines[most - 1], style, width)]
    return tuple(lines)


def balanced(text: str, style: Style, width: float, most: int) -> tuple[str, ...]:
    """Like `wrap`, on as many lines, but of more even length: no last line with a single word where it can be helped."""
    lines = wrap(text, style, width, most)
    longest = max(measure(word, style) for word in clean(text).split(" "))
    for share in (0.6, 0.7, 0.8, 0.9):
        if len(lines) < 2 or lines[-1].endswith(ELLIPSIS) or longest > width * share:
            continue
        even = wrap(text, style, width * share, most)
        if len(even) == len(lines) and not even[-1].endswith(ELLIPSIS):
            return even
    return lines


def widest(lines: tuple[str, ...], style: Style) -> float:
    return max((measure(line, style) for line in lines), default=0.0)


def _odd(character: str, table: dict[str, int]) -> int:
    known = _COMMON.get(character)
    if known is not None:
        return known
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    base = unicodedata.normalize("NFD", character)[0]
    if base in table:
        return table[base]
    code = ord(character)
    return next((wide for first, last, wide in _BLOCKS if first <= code <= last), _ELSEWHERE)


def _printable(character: str) -> bool:
    category = unicodedata.category(character)
    joiner = character == "\u200d"  # holds emoji of several parts together
    return joiner or character == " " or category[0] not in "CZ"


def _words(text: str, style: Style, width: float) -> list[str]:
    """The pieces between which a line may end; a piece keeps the space in front of it. None is wider than `width`."""
    pieces: list[str] = []
    for number, word in enumerate(text.split(" ")):
        space = " " if number else ""
        if measure(word, style) <= width:
            pieces.append(space + word)
        else:
            first, *rest = _parts(word, style, width)
            pieces += [space + first, *rest]
    return pieces


def _parts(word: str, style: Style, width: float) -> list[str]:
    parts: list[str] = []
    part = ""
    for character in word:
        if part and measure(part + character, style) > width:
            end = max((i + 1 for i, c in enumerate(part) if c in _BREAK_AFTER), default=len(part))
            parts.append(part[:end])
            part = part[end:]
        part += character
    return [*parts, part] if part else parts


def _cut(line: str, style: Style, width: float) -> str:
    while line and measure(line + ELLIPSIS, style) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS
