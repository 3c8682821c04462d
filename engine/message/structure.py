"""The nesting and names of MJML components; MJML 0.12 itself drops or garbles what it does not expect."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from bs4.element import Comment, NavigableString, Tag
from mjml.core.registry import register_core_components

from engine.errors import Problem
from engine.grammar import suggestion
from engine.message.source import TOKEN, Source
from engine.message.tokens import Marked

_CONTENT = (
    "mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image", "mj-navbar", "mj-raw",
    "mj-social", "mj-spacer", "mj-table", "mj-text",
)  # fmt: skip

# What may stand in what, from MJML's own dependency rules (mjml-preset-core). Components that are not here hold HTML.
_INSIDE: Mapping[str, tuple[str, ...]] = {
    "mjml": ("mj-head", "mj-body"),
    "mj-head": ("mj-attributes", "mj-breakpoint", "mj-html-attributes", "mj-preview", "mj-raw", "mj-style", "mj-title"),
    "mj-body": ("mj-hero", "mj-raw", "mj-section", "mj-wrapper"),
    "mj-wrapper": ("mj-hero", "mj-raw", "mj-section"),
    "mj-section": ("mj-column", "mj-group", "mj-raw"),
    "mj-group": ("mj-column", "mj-raw"),
    "mj-column": _CONTENT,
    "mj-hero": _CONTENT,
    "mj-accordion": ("mj-accordion-element", "mj-raw"),
    "mj-accordion-element": ("mj-accordion-title", "mj-accordion-text", "mj-raw"),
    "mj-carousel": ("mj-carousel-image",),
    "mj-navbar": ("mj-navbar-link", "mj-raw"),
    "mj-social": ("mj-social-element", "mj-raw"),
    "mj-html-attributes": ("mj-selector",),
    "mj-selector": ("mj-html-attribute",),
    "mj-image": (), "mj-divider": (), "mj-spacer": (), "mj-carousel-image": (), "mj-breakpoint": (),
}  # fmt: skip

# Read by the parent, or by MJML itself, from every component.
_EVERYWHERE = frozenset(
    {
        "align", "container-background-color", "css-class", "mj-class", "padding", "padding-bottom", "padding-left",
        "padding-right", "padding-top", "vertical-align", "width",
    }
)  # fmt: skip
_LATER = {
    "mj-font": "a web font is loaded from elsewhere when the mail is opened: set font-family to fonts that readers have"
}


def check_structure(marked: Marked, source: Source) -> list[Problem]:
    """Unknown components and attributes, components in the wrong place, and text where MJML would drop it."""
    checking = _Checking(marked, source)
    with warnings.catch_warnings():  # a text that is nothing but an address is no mistake in how we call it
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(marked.text, "html.parser")
    root = next((node for node in soup.children if isinstance(node, Tag)), None)
    if root is None or root.name != "mjml":
        return [source.problem(0, "expected <mjml> with an <mj-body>")]
    for node in soup.children:
        checking.child(node, soup, ("mjml",))
    if root.find("mj-body", recursive=False) is None:
        checking.refuse(root, "<mjml> lacks an <mj-body>")
    checking.component(root)
    return checking.problems


class _Checking:
    def __init__(self, marked: Marked, source: Source) -> None:
        self.problems: list[Problem] = []
        self._marked = marked
        self._source = source
        self._lines = [0, *(found.end() for found in re.finditer("\n", marked.text))]
        self._components: Mapping[str, type] = register_core_components()

    def refuse(self, tag: Tag, message: str, offset: int = 0) -> None:
        self.problems.append(self._source.problem(self._marked.source_offset(self._start(tag) + offset), message))

    def component(self, tag: Tag) -> None:
        self.attributes(tag)
        if tag.name == "mj-attributes":
            for inner in _tags(tag):
                self.attributes(inner)
            return
        if tag.name not in _INSIDE:
            for inner in tag.find_all(re.compile(r"^mj-")):
                self.refuse(
                    inner, f"<{inner.name}> can't stand inside <{tag.name}>: is </{tag.name}> missing before it?"
                )
            return
        for node in tag.children:
            self.child(node, tag, _INSIDE[tag.name])
        for inner in _tags(tag):
            if inner.name in _INSIDE[tag.name]:
                self.component(inner)

    def child(self, node: object, parent: Tag, allowed: tuple[str, ...]) -> None:
        if isinstance(node, Tag) and node.name not in allowed:
            self.misplaced(node, parent, allowed)
        elif isinstance(node, NavigableString) and not isinstance(node, Comment) and node.strip():
            self.stray_text(node.strip(), parent)

    def misplaced(self, tag: Tag, parent: Tag, allowed: tuple[str, ...]) -> None:
        if tag.name in _LATER:
            self.refuse(tag, f"<{tag.name}> is not supported yet: {_LATER[tag.name]}")
        elif tag.name not in self._components and tag.name not in _INSIDE and tag.name.startswith("mj"):
            self.refuse(tag, f"unknown component <{tag.name}>{suggestion(tag.name, self._components)}")
        elif not allowed:
            self.refuse(tag, f"<{tag.name}> can't stand inside <{parent.name}>: end that with '/>'")
        elif not tag.name.startswith("mj"):
            self.refuse(
                tag, f"<{tag.name}> can't stand directly inside <{parent.name}>: put it into <mj-text> or <mj-raw>"
            )
        else:
            self.refuse(tag, f"<{tag.name}> can't stand inside <{parent.name}> (there may be: {', '.join(allowed)})")

    def stray_text(self, text: str, parent: Tag) -> None:
        start = self._marked.text.find(text, 0 if parent.name == "[document]" else self._start(parent))
        token = TOKEN.match(text)
        what = self._marked.tokens[int(token[1])].text if token is not None else text.partition("\n")[0]
        where = f"<{parent.name}>" if parent.name != "[document]" else "the file"
        message = f"'{what[:60]}' would be lost: MJML keeps no text directly inside {where}. Put it into <mj-raw> or <mj-text>"
        self.problems.append(self._source.problem(self._marked.source_offset(max(start, 0)), message))

    def attributes(self, tag: Tag) -> None:
        component = self._components.get(tag.name)
        for name in tag.attrs:
            if TOKEN.search(name) is not None:
                self.refuse(tag, f"Jinja can't stand between the attributes of <{tag.name}>: put it inside a value")
                continue
            if component is None or not component.allowed_attrs():  # type: ignore[attr-defined]
                continue
            known = _EVERYWHERE | set(component.allowed_attrs()) | set(component.default_attrs())  # type: ignore[attr-defined]
            if name not in known:
                self.refuse(tag, f"unknown attribute '{name}' of <{tag.name}>{suggestion(name, sorted(known))}")

    def _start(self, tag: Tag) -> int:
        if tag.sourceline is None or tag.sourcepos is None:
            return 0
        return self._lines[tag.sourceline - 1] + tag.sourcepos


def _tags(tag: Tag) -> Iterator[Tag]:
    return (node for node in tag.children if isinstance(node, Tag))
