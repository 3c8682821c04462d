"""The text part of a mail, derived from its page once, at compile: what a reader without HTML needs, links included."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml import etree

_CONFIG = ParserConfig(css=STRICT_CSS_PROFILE)


def derive_text(page: etree._ElementTree, is_statement: Callable[[str], bool]) -> str:
    """The page as plain text, a link as `Shop <https://..>`; words that stand for Jinja stay where they are.

    `is_statement` tells which words print nothing: such a line takes the blank lines behind it away.
    """
    body = deepcopy(page.getroot().find("body"))
    for hidden in body.xpath('.//*[@aria-hidden="true"] | .//comment()'):
        _drop(hidden)
    for link in body.xpath(".//a[@href]"):
        _write_out(link)
    # Tables are layout: a text in columns would depend on how long the values are.
    for row in body.xpath(".//tr"):
        for cell in row.xpath("./td | ./th")[:-1]:
            cell.tail = "  " + (cell.tail or "")
    for row in body.xpath('.//td[contains(@style, "word-break:break-word")]/parent::tr'):
        row.tag = "p"  # MJML's cell around each component
    for part in body.xpath(".//table | .//tbody | .//thead | .//tfoot | .//tr"):
        part.tag = "div"
    for cell in body.xpath(".//td | .//th"):
        cell.tag = "div" if cell.xpath("./div | ./table | ./p | ./h1 | ./h2 | ./h3") else "span"
    text: str = Inscriptis(body, _CONFIG).get_text()
    text = "\n".join(line.strip() for line in text.replace("\u00a0", " ").split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return re.sub(r"^(\S+(?: \S+)*)\n+", lambda line: _closed_up(line, is_statement), text, flags=re.MULTILINE)


def _closed_up(line: re.Match[str], is_statement: Callable[[str], bool]) -> str:
    return line[1] if all(map(is_statement, line[1].split())) else line[0]


def _write_out(link: etree._Element) -> None:
    """`Shop <https://..>`; a link that shows its own address, or nothing, is the address alone."""
    address = link.attrib["href"].strip()
    shown = " ".join("".join(link.itertext()).split())
    bare = address.removeprefix("mailto:").removeprefix("tel:")
    if not address or address.startswith("#") or shown in (address, bare):
        return
    end = f" <{bare}>" if shown else bare
    if len(link):
        link[-1].tail = (link[-1].tail or "").rstrip() + end
    else:
        link.text = (link.text or "").rstrip() + end


def _drop(node: etree._Element) -> None:
    """Remove a node, keeping the text that follows it."""
    parent = node.getparent()
    if parent is None:
        return
    before = node.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (node.tail or "")
    else:
        parent.text = (parent.text or "") + (node.tail or "")
    parent.remove(node)
