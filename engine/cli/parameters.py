"""What a value on the command line is read as; a wrong one gets a sentence of ours."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import typer

from engine.grammar import suggestion

Word = TypeVar("Word", bound=StrEnum)


def one_of(words: type[Word]) -> Callable[[str], Word]:
    """Reads one of these words. Raises `BadParameter` with the word that was meant, or all there are."""

    def read(text: str) -> Word:
        known = {word.value: word for word in words}
        if text in known:
            return known[text]
        raise typer.BadParameter(f"'{text}' is none of {', '.join(known)}{suggestion(text, known)}")

    return read


def whole_number(least: int = 0) -> Callable[[str | int], int]:
    """Reads a whole number that is at least so large. Raises `BadParameter`."""

    def read(text: str | int) -> int:
        if isinstance(text, int):  # a default
            return text
        if not (text.isascii() and text.isdecimal()) or int(text) < least:
            raise typer.BadParameter(f"'{text}' is not a whole number{f' of at least {least}' if least else ''}")
        return int(text)

    return read
