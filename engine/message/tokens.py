"""The pieces of Jinja in a mail's source: each set aside as a word of its own, and put back when the page is built."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import Problem
from engine.message.source import JINJA, TOKEN, Source


@dataclass(frozen=True)
class Token:
    """One piece of Jinja, and where it stands in the source."""

    text: str
    offset: int

    @property
    def prints(self) -> bool:
        return self.text.startswith("{{")

    def through(self, name: str) -> str:
        """The same piece with its value put through one more filter."""
        inside = re.fullmatch(r"(\{\{[-+]?)(.*?)([-+]?\}\})", self.text, re.DOTALL)
        return self.text if inside is None else f"{inside[1]} ({inside[2].strip()}) | {name} {inside[3]}"


@dataclass(frozen=True)
class Marked:
    """A source with a word in place of each piece of Jinja."""

    text: str
    tokens: tuple[Token, ...]
    ends: tuple[int, ...]  # where the word of each token ends in `text`

    def is_statement(self, word: str) -> bool:
        """Whether this is the word of a `{% .. %}`, which prints nothing."""
        found = TOKEN.fullmatch(word)
        return found is not None and not self.tokens[int(found[1])].prints

    def source_offset(self, offset: int) -> int:
        """Where a character of the marked text stands in the source."""
        index = bisect_right(self.ends, offset) - 1
        if index < 0:
            return offset
        token = self.tokens[index]
        return token.offset + len(token.text) + offset - self.ends[index]


def mark(source: Source) -> Marked:
    """Set every piece of Jinja aside: MJML and premailer would escape what stands inside (`a > 3`, or a URL's braces)."""
    texts: list[str] = []
    tokens: list[Token] = []
    ends: list[int] = []
    position = length = 0
    for found in re.finditer(JINJA, source.text):
        word = f"alurtoken{len(tokens)}x"
        texts += [source.text[position : found.start()], word]
        length += found.start() - position + len(word)
        position = found.end()
        tokens.append(Token(found[0], found.start()))
        ends.append(length)
    texts.append(source.text[position:])
    return Marked("".join(texts), tuple(tokens), tuple(ends))


def restore(text: str, pieces: Sequence[str]) -> str:
    """Put the Jinja back."""
    return TOKEN.sub(lambda found: pieces[int(found[1])], text)


def lost(marked: Marked, page: str, source: Source) -> list[Problem]:
    """A problem for each piece of Jinja that MJML dropped without a word."""
    there = {int(number) for number in TOKEN.findall(page)}
    message = (
        "'{}' would be lost: MJML keeps nothing between components, and no attribute value that it can't read. "
        "Put it into <mj-raw> or <mj-text>, or write the value out"
    )
    return [
        source.problem(token.offset, message.format(token.text[:60]))
        for index, token in enumerate(marked.tokens)
        if index not in there
    ]
