"""A compiled mail template: rendered once per recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import RenderError
from engine.message.formats import Formats
from engine.message.mime import Mailbox, RenderedEmail, Skeleton
from engine.message.program import Program

LONGEST_SUBJECT = 250  # characters; mail programs show 40 to 80

_LINE_BREAK = re.compile("[\n\u2028\u2029]")  # the others are dropped with the control characters of every value


@dataclass(frozen=True)
class EmailTemplate:
    """A compiled mail template. Safe to share between threads.

    `locale` is that of the file's name, or None; `hash` that of all its sources. `variables` are the dotted paths that must be in the data
    (`event.items.*.name` for each item of a list), without those that a default or `is defined` covers. `sender` and
    `reply_to` are those of the front matter.
    """

    name: str
    locale: str | None
    hash: str
    variables: frozenset[str]
    sender: Mailbox | None
    reply_to: Mailbox | None
    skeleton: Skeleton
    _subject: Program
    _preheader: Program | None
    _html: Program
    _text: Program

    def uses(self, path: str) -> bool:
        """Whether every mail of this template shows `path` (such as `unsubscribe_url`) in its HTML, whatever the data."""
        return self._html.examined.shows_always(path)

    def render(
        self, values: Mapping[str, Any], *, locale: str, timezone: str, currency: str | None = None
    ) -> RenderedEmail:
        """One person's mail.

        `values` are plain data (dicts, lists, text, numbers) under contact, event, matched, vars, organisation, unsubscribe_url.
        Numbers, money and dates are written as in the template's own locale, or in `locale` if it has none, and in `timezone`; `currency` is
        that of amounts which name none. Raises RenderError when a value is missing or does not fit.
        """
        formats = Formats(self.locale or locale, timezone, currency)
        subject = self._subject.text(values, formats, self.name).strip().replace("\t", " ")
        if not subject:
            raise RenderError(self.name, "the subject is blank")
        if _LINE_BREAK.search(subject) is not None:
            raise RenderError(self.name, "the subject has a line break")
        if len(subject) > LONGEST_SUBJECT:
            raise RenderError(self.name, f"the subject is over {LONGEST_SUBJECT} characters")
        return RenderedEmail(
            subject=subject,
            preheader="" if self._preheader is None else self._preheader.text(values, formats, self.name),
            html_parts=tuple(self._html.parts(values, formats, self.name)),
            text_parts=tuple(self._text.parts(values, formats, self.name)),
        )
