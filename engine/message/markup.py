"""From MJML to the page that goes out: MJML, then styles inlined by premailer, without network and without losing the phone or dark mode."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import lru_cache

import cssutils
from lxml import etree
from mjml import mjml_to_html
from premailer import Premailer

from engine.message.source import STYLE
from engine.message.tokens import Marked

_MJML_FONTS = re.compile(
    r'<!--\[if !mso\]><!-->\s*<link href="https://fonts\.googleapis\.com.*?<!--<!\[endif\]-->', re.DOTALL
)
_OPENING = re.compile(r"\{[{%#]")


class MarkupError(Exception):
    """MJML or premailer could not make HTML of this; the text is for the author."""


def build_page(marked: Marked, styles: Sequence[str]) -> etree._ElementTree:
    """The page as a tree, its styles inlined and its style sheets kept (a phone and dark mode need them); no network is used.

    Raises MarkupError.
    """
    try:
        html = str(mjml_to_html(marked.text, keep_comments=False).html)
    except Exception as error:  # MJML reports a fault in the text by whatever Python error it ran into
        raise MarkupError(f"MJML can't read this: {type(error).__name__}: {error}") from error
    # A font of the family's name is shown if the reader has it; a link would tell Google who opens the mail.
    html = _MJML_FONTS.sub("", html)
    if _OPENING.search(html) is not None:
        raise MarkupError(
            "braces written as entities (&#123;) are refused: write a variable as {{ contact.first_name }}"
        )
    html = STYLE.sub(lambda found: styles[int(found[1])], html)
    page = etree.fromstring(html, etree.HTMLParser()).getroottree()
    try:
        _Inliner().transform(page.getroot())
    except Exception as error:  # the same holds for selectors that premailer can't follow
        raise MarkupError(f"the styles can't be inlined: {type(error).__name__}: {error}") from error
    return page


class _Inliner(Premailer):  # type: ignore[misc]
    """premailer without network, without its global cache, and without what would beat the style sheets that stay."""

    def __init__(self) -> None:
        super().__init__(
            allow_network=False, disable_validation=True, strip_important=False, keep_style_tags=True,
            exclude_pseudoclasses=True, align_floating_images=False, cssutils_logging_level=logging.CRITICAL,
            # MJML writes the attributes that Outlook needs itself; premailer would replace an image's width by "100%".
            disable_basic_attributes=["align", "valign", "bgcolor", "width", "height"],
        )  # fmt: skip

    def _parse_css_string(self, css_body: str, validate: bool = True) -> cssutils.css.CSSStyleSheet:
        """Fetches nothing: cssutils follows every @import while it parses, to the network or the disk."""
        return cssutils.CSSParser(fetcher=_fetch_nothing, validate=validate).parseString(css_body)

    def _parse_style_rules(
        self, css_body: str, ruleset_index: int
    ) -> tuple[list[tuple[object, str, str]], list[object]]:
        """Inlined, an `!important` would beat the dark mode and phone rules of the sheet; in the sheet itself it stays."""
        rules, rest = _read_sheet(css_body, ruleset_index)
        return [(specificity, selector, bulk.replace(" !important", "")) for specificity, selector, bulk in rules], rest

    def read_sheet(self, css_body: str, ruleset_index: int) -> tuple[list[tuple[object, str, str]], list[object]]:
        """What premailer makes of one style sheet."""
        found: tuple[list[tuple[object, str, str]], list[object]]
        found = super()._parse_style_rules(css_body, ruleset_index)
        return found


@lru_cache(maxsize=64)
def _read_sheet(css_body: str, ruleset_index: int) -> tuple[list[tuple[object, str, str]], list[object]]:
    """MJML writes the same sheets into most mails, and reading them is half of premailer's and MJML's work."""
    return _Inliner().read_sheet(css_body, ruleset_index)


def _fetch_nothing(_url: str) -> tuple[None, bytes]:
    return None, b""


def serialise(page: etree._ElementTree) -> str:
    """The page as text, with the doctype that premailer loses (without it, mail programs fall back to old layout rules)."""
    html: str = etree.tostring(page.getroot(), method="html", encoding="unicode", doctype="<!doctype html>")
    if re.search(r"<pre\b|white-space:\s*pre", html, re.IGNORECASE) is None:
        html = re.sub(r"[ \t\r\n]*\n[ \t\r\n]*", "\n", html)  # MJML's indentation is a fifth of the mail
    return html
