"""Where in a page a value may stand: in text, in plain attributes, and, checked, in links; nowhere where it could be more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from engine.errors import Problem
from engine.message.source import TOKEN, Source
from engine.message.tokens import Marked, Token

_LINKS = frozenset(
    {"href", "src", "action", "background", "poster", "data", "cite", "longdesc", "formaction", "xlink:href"}
)
_SAFE_START = re.compile(r"https?://|mailto:|tel:|sms:|cid:|#", re.IGNORECASE)
_NEVER = ("script", "iframe", "object", "embed", "form")
_CONDITIONAL = re.compile(r"\[if[^\]]*\]>(.*)<!\[endif\]", re.DOTALL)


def place_values(page: etree._ElementTree, marked: Marked, source: Source) -> tuple[list[str], list[Problem]]:
    """The Jinja of each token as it goes back into the page, and a problem for each that stands where no value may.

    Autoescape does not stop a `javascript:` link, nor does it know CSS: so a link that begins with a value is checked when it is rendered
    (`link`), a value further on is percent-encoded where it must be, and none may stand in a style.
    """
    placing = _Placing(marked, source)
    placing.elements(page.getroot())
    return placing.pieces, placing.problems


class _Placing:
    def __init__(self, marked: Marked, source: Source) -> None:
        self.pieces = [token.text for token in marked.tokens]
        self.problems: list[Problem] = []
        self._marked = marked
        self._source = source

    def elements(self, root: etree._Element) -> None:
        for element in root.iter():
            if element.tag is etree.Comment:
                text = element.text or ""
                if TOKEN.search(text) is not None:  # Outlook reads this as a page
                    inside = _CONDITIONAL.search(text)
                    text = text if inside is None else inside[1]
                    self.elements(etree.fromstring(f"<div>{text}</div>", etree.HTMLParser()))
                continue
            if not isinstance(element.tag, str):
                self.problems.append(self._source.problem(0, "processing instructions (<?) are refused in a mail"))
                continue
            self.element(element)

    def element(self, element: etree._Element) -> None:
        name = str(element.tag)
        if name in _NEVER:
            self.refuse_word(f"<{name}", f"<{name}> is refused: mail programs drop it")
        if TOKEN.search(name) is not None:
            self.refuse(name, "a value can't be the name of a tag", prints=False)
        if name == "style":
            self.refuse(element.text or "", "a value can't stand in a style sheet: write it out")
        for attribute, value in element.attrib.items():
            self.attribute(name, str(attribute), str(value))

    def attribute(self, element: str, name: str, value: str) -> None:
        if TOKEN.search(name) is not None:
            message = f"Jinja can't stand between the attributes of <{element}>: put it inside a value"
            self.refuse(name, message, prints=False)
        elif name.startswith("on"):
            self.refuse_word(name, f"'{name}' of <{element}> is refused: a mail runs no code")
        elif name in ("style", "srcset"):
            message = f"a value can't stand in the {name} of <{element}>: write it out, or choose by {{% if %}}"
            self.refuse(value, message)
        elif name in _LINKS:
            self.link(element, name, value)

    def link(self, element: str, name: str, value: str) -> None:
        value = value.strip()
        start = _SAFE_START.match(value)
        literal = TOKEN.sub("", value)
        if not start and re.match(r"\s*(javascript|vbscript|data)\s*:", literal, re.IGNORECASE):
            self.refuse_word(literal[:30], f"a link to '{literal[:30]}' is refused: begin with https://")
            return
        safe = start is not None
        position = 0
        for found in TOKEN.finditer(value):
            before = value[position : found.start()]
            position = found.end()
            token = self._marked.tokens[int(found[1])]
            if not token.prints:
                safe = start is not None  # another branch may begin here, so that what stood before does not count
                continue
            if not safe and before and not _SAFE_START.match(before):
                self.refuse(found[0], f"the {name} of <{element}> must begin with https://, or be one whole link")
                return
            self.pieces[int(found[1])] = token.through("_link_part" if safe or before else "link")
            safe = True

    def refuse(self, text: str, message: str, *, prints: bool = True) -> None:
        """A problem at each token in the text; with `prints`, only at those that print something."""
        for token in self._tokens(text):
            if token.prints or not prints:
                self.problems.append(self._source.problem(token.offset, message))

    def refuse_word(self, word: str, message: str) -> None:
        """A problem where this is written, as far as it can be found again."""
        self.problems.append(self._source.problem(max(self._source.text.lower().find(word.lower()), 0), message))

    def _tokens(self, text: str) -> Iterator[Token]:
        return (self._marked.tokens[int(number)] for number in TOKEN.findall(text))
