"""A template of plain text, for SMS and WhatsApp: compiled once, rendered once per recipient."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import RenderError, WorkspaceError
from engine.message.formats import Formats
from engine.message.program import Program, build, check
from engine.message.source import plain_source, unix_lines

TextMedium = Literal["sms", "whatsapp"]

# What providers take: Twilio's limits, https://www.twilio.com/docs/api/errors/21617
LONGEST: Mapping[str, int] = {"sms": 1_600, "whatsapp": 4_096}


@dataclass(frozen=True)
class TextTemplate:
    """A compiled text template; the fields as in `EmailTemplate`."""

    name: str
    locale: str | None
    medium: TextMedium
    hash: str
    variables: frozenset[str]
    _program: Program

    def uses(self, path: str) -> bool:
        """Whether every message of this template shows `path`, whatever the data."""
        return self._program.examined.shows_always(path)

    def render(self, values: Mapping[str, Any], *, locale: str, timezone: str, currency: str | None = None) -> str:
        """One person's message; arguments and errors as of `EmailTemplate.render`."""
        formats = Formats(self.locale or locale, timezone, currency)
        text = self._program.text(values, formats, self.name).strip()
        if not text:
            raise RenderError(self.name, "the message is blank")
        if len(text) > LONGEST[self.medium]:
            raise RenderError(
                self.name, f"the message is over {LONGEST[self.medium]} characters, the most that {self.medium} takes"
            )
        return text


def compile_text(
    name: str, locale: str | None, source: str, medium: TextMedium, *, folder: str | None = None
) -> TextTemplate:
    """Compile `NAME[.LOCALE].txt` of templates/sms or templates/whatsapp. Raises WorkspaceError with every problem found."""
    stem = f"{folder or f'templates/{medium}'}/{name}"
    text = plain_source(unix_lines(source).rstrip(), f"{stem}.txt" if locale is None else f"{stem}.{locale}.txt")
    examined, problems = check(text)
    if not text.text:
        problems.append(text.problem(0, "the file is empty"))
    if problems:
        raise WorkspaceError(problems)
    version = hashlib.sha256(json.dumps([name, locale, medium, text.text]).encode()).hexdigest()
    return TextTemplate(name, locale, medium, version, examined.variables, build(text.text, escape=False))
