"""Compiles a mail template, once per version: front matter, MJML, inlined styles, text part, MIME skeleton.

Importing this takes half a second (MJML, premailer); rendering needs only `engine.message.mail_template`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from engine.document import Node, Scalar
from engine.errors import Problem, WorkspaceError
from engine.grammar import INVALID, Field, Reader, Shape, Text
from engine.message.choice import language_names
from engine.message.contexts import place_values
from engine.message.mail_template import EmailTemplate
from engine.message.markup import MarkupError, build_page, serialise
from engine.message.mime import build_skeleton, read_mailbox
from engine.message.plain_text import derive_text
from engine.message.program import build, check
from engine.message.source import Source, compose, plain_source, split_front_matter, unix_lines
from engine.message.structure import check_structure
from engine.message.tokens import lost, mark, restore

COMPILER = 1
"""Raised when the same sources begin to give another mail, so that their hash changes."""

# Shown in the list of mails behind the subject; the blanks keep the mail's first words out of that line.
_PREHEADER = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all">'
    "{text}" + "&#847;&zwnj;&nbsp;" * 60 + "</div>"
)
_WRITTEN_BY_ALUR = "is refused: Alur writes the unsubscribe headers itself, each exactly once"


@dataclass(frozen=True)
class MailboxText:
    """`Toko Nada <halo@toko.example>`, without variables: who a mail is from must not depend on the data."""

    expected: str = "an address such as 'Toko Nada <halo@toko.example>'"

    def read(self, node: Node, reader: Reader) -> Any:
        text = Text().read(node, reader)
        if text is INVALID:
            return INVALID
        try:
            return read_mailbox(text)
        except ValueError:
            return reader.refuse(node, f"expected {self.expected}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class TemplateText:
    """One line of text with variables, not blank."""

    expected: str = "one line of text (in quotes, if it begins with '{')"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Scalar) or not node.text.strip() or "\n" in node.text.strip():
            return reader.refuse(node, f"expected {self.expected}")
        return node

    def schema(self) -> dict[str, Any]:
        return Text().schema()


@dataclass(frozen=True)
class Refused:
    """A key that people try, and why it is not theirs."""

    why: str
    expected: str = "(refused)"

    def read(self, node: Node, reader: Reader) -> Any:
        return reader.refuse(node, f"this key {self.why}")

    def schema(self) -> dict[str, Any]:
        return {"not": {}}


FRONT_MATTER = Shape(
    "the front matter",
    {
        "subject": Field(
            TemplateText(),
            "the subject line",
            required=True,
            example="'Halo {{ contact.first_name | default(\"kawan\") }}'",
        ),
        "preheader": Field(
            TemplateText(), "what a list of mails shows behind the subject", example="Tiga hal untuk memulai"
        ),
        "from": Field(MailboxText(), "the sender, instead of the channel's", example="Toko Nada <halo@toko.example>"),
        "reply_to": Field(MailboxText(), "where answers go", example="bantuan@toko.example"),
        "headers": Field(Refused(_WRITTEN_BY_ALUR), "(refused)"),
        "list_unsubscribe": Field(Refused(_WRITTEN_BY_ALUR), "(refused)"),
        "List-Unsubscribe": Field(Refused(_WRITTEN_BY_ALUR), "(refused)"),
        "List-Unsubscribe-Post": Field(Refused(_WRITTEN_BY_ALUR), "(refused)"),
    },
)


def compile_email(
    name: str,
    locale: str | None,
    mjml: str,
    text: str | None,
    include: Callable[[str], str],
    *,
    folder: str = "templates/email",
) -> EmailTemplate:
    """Compile `NAME[.LOCALE].mjml` with its `.txt`, if it has one; without, the text part is derived from the page.

    `include` gives the text of a file inside the template folder, for a path without `.` and `..`, and raises LookupError or OSError when
    there is none; that the file does not lie elsewhere (a symlink) is its business. Raises WorkspaceError with every problem found,
    placed in the file and line where it was written. Takes about 0.1 s. Not for several threads at once: cssutils keeps global state.
    """
    stem = f"{folder}/{name}" if locale is None else f"{folder}/{name}.{locale}"
    compiling = _Compiling(name, locale, f"{stem}.mjml", f"{stem}.txt")
    template = compiling.compile(unix_lines(mjml), None if text is None else unix_lines(text), include, folder)
    if template is None or compiling.problems:
        raise WorkspaceError(compiling.problems)
    return template


class _Compiling:
    """One compilation: problems are collected as far as what is wrong leaves something to read."""

    def __init__(self, name: str, locale: str | None, file: str, text_file: str) -> None:
        self.problems: list[Problem] = []
        self._name = name
        self._locale = locale
        self._file = file
        self._text_file = text_file

    def compile(self, mjml: str, text: str | None, include: Callable[[str], str], folder: str) -> EmailTemplate | None:
        front, start = self._front_matter(mjml)
        source, problems = compose(mjml, self._file, start, include, folder)
        self.problems += problems or self._check(source)
        subject, preheader = (self._line(front.get(key)) for key in ("subject", "preheader"))
        if text is not None:
            text = f"{text.rstrip()}\n"
            self.problems += self._check(plain_source(text, self._text_file))
        if self.problems or subject is None:
            return None
        page = self._page(source, subject, preheader)
        if page is None:
            return None
        html, derived = page
        return self._template(front, source, html, derived if text is None else text, subject, preheader)

    def _front_matter(self, mjml: str) -> tuple[dict[str, Any], int]:
        """What the front matter says (as far as it can be read), and where the MJML begins."""
        node, start, problems = split_front_matter(mjml, self._file)
        self.problems += problems
        if node is None:
            return {}, start
        reader = Reader(self._file)
        front = FRONT_MATTER.read(node, reader)
        self.problems += reader.problems
        return ({} if front is INVALID else dict(front)), start

    def _check(self, source: Source) -> list[Problem]:
        return check(source)[1]

    def _line(self, node: Node | None) -> str | None:
        """A line of the front matter, after checking it as a template; its problems stand at the value."""
        if not isinstance(node, Scalar):
            return None
        _, problems = check(plain_source(node.text.strip(), self._file))
        self.problems += [Problem(self._file, node.line, node.column, problem.message) for problem in problems]
        return node.text.strip()

    def _page(self, source: Source, subject: str, preheader: str | None) -> tuple[str, str] | None:
        """The HTML and the text derived from it, both as Jinja."""
        marked = mark(source)
        self.problems += check_structure(marked, source)
        if self.problems:
            return None
        try:
            page = build_page(marked, source.styles)
        except MarkupError as error:
            self.problems.append(source.problem(0, str(error)))
            return None
        self._name_language(page)
        pieces, problems = place_values(page, marked, source)
        html = serialise(page)
        self.problems += [*problems, *lost(marked, html, source)]
        if self.problems:
            return None
        text = derive_text(page, marked.is_statement)
        return self._finish(html, pieces, subject, preheader), restore(text, pieces)

    def _name_language(self, page: Any) -> None:
        """Screen readers pronounce by it; MJML says `und` where the template says nothing."""
        if self._locale:
            for element in page.getroot().xpath('//*[@lang="und"]'):
                element.attrib["lang"] = language_names(self._locale)[0].split("_")[0]

    def _finish(self, html: str, pieces: list[str], subject: str, preheader: str | None) -> str:
        """Put in what the front matter says, then the Jinja."""
        if preheader is not None:
            body = html.index(">", html.index("<body")) + 1
            html = f"{html[:body]}\n{_PREHEADER.replace('{text}', _escaped(preheader))}{html[body:]}"
        html = html.replace("<title>\n</title>", f"<title>{_escaped(subject)}</title>", 1)
        return restore(html, pieces)

    def _template(
        self, front: dict[str, Any], source: Source, html: str, text: str, subject: str, preheader: str | None
    ) -> EmailTemplate | None:
        try:
            programs = [build(subject, escape=False), build(html, escape=True), build(text, escape=False)]
            shown = None if preheader is None else build(preheader, escape=False)
        except ValueError as error:  # MJML has moved a piece of Jinja away from its partner
            self.problems.append(source.problem(0, f"the compiled mail is not a good template: {error}"))
            return None
        said = {
            "from": str(front["from"]),
            "reply_to": str(front["reply_to"]),
            "subject": subject,
            "preheader": preheader,
        }
        sources = [COMPILER, self._name, self._locale, said, source.text, source.styles, text]
        return EmailTemplate(
            name=self._name,
            locale=self._locale,
            hash=hashlib.sha256(json.dumps(sources).encode()).hexdigest(),
            variables=frozenset().union(*(program.examined.variables for program in programs)),
            sender=front["from"],
            reply_to=front["reply_to"],
            skeleton=build_skeleton(self._name, [*programs[1].static, *programs[2].static]),
            _subject=programs[0],
            _preheader=shown,
            _html=programs[1],
            _text=programs[2],
        )


def _escaped(text: str) -> str:
    """A line of the front matter as HTML: what is not Jinja is escaped; values are, when they are rendered."""
    marked = mark(plain_source(text, ""))
    return restore(escape(marked.text), [token.text for token in marked.tokens])
