"""How many segments an SMS takes, which is what it costs (GSM 03.38; 3GPP TS 23.040 9.2.3.24)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True)
class SmsSegments:
    """`characters` are units of the encoding: an extension character such as € counts two in GSM-7, an emoji two in UCS-2."""

    encoding: Literal["GSM-7", "UCS-2"]
    characters: int
    segments: int


def segments(text: str) -> SmsSegments:
    """The segments of a text; one character outside GSM-7 turns the whole text into UCS-2."""
    if all(character in _BASIC or character in _EXTENSION for character in text):
        units = [2 if character in _EXTENSION else 1 for character in text]
        return SmsSegments("GSM-7", sum(units), _count(units, 160, 153))
    units = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return SmsSegments("UCS-2", sum(units), _count(units, 70, 67))


def _count(units: Iterable[int], alone: int, joined: int) -> int:
    """`alone` units fit into a message of one segment, `joined` into each of several; no character is cut in two."""
    sizes = list(units)
    if sum(sizes) <= alone:
        return 1 if sizes else 0
    count, left = 0, 0
    for size in sizes:
        if size > left:
            count, left = count + 1, joined
        left -= size
    return count
