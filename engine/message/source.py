"""The source of a mail template: includes resolved as text, comments dropped, style sheets set aside, every place remembered.

MJML's own `mj-include` is never used: it opens any file it is given, and fails on an `mj-head`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from engine.document import Mapping, Node, read_document
from engine.errors import Problem

LARGEST = 500_000  # characters of a template with all that it includes
MOST_INCLUDES = 100
DEEPEST_INCLUDE = 10

STYLE = re.compile(r"alurstyle(\d+)x")
"""What stands for a style sheet until MJML is done."""
TOKEN = re.compile(r"alurtoken(\d+)x")
"""What stands for a piece of Jinja until premailer is done: a word that means nothing to HTML, CSS and URLs."""

# The Jinja alternatives come first so that an HTML comment inside an expression is not one. A string may hold the closing braces.
_STRINGS = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
JINJA = (
    rf"\{{\{{(?:{_STRINGS}|(?!\}}\}})[^\"'])*?\}}\}}"
    rf"|\{{%(?:{_STRINGS}|(?!%\}})[^\"'])*?%\}}"
)
_SCAN = re.compile(
    rf"(?P<jinja>{JINJA})"
    r"|(?P<note>\{#.*?#\})"
    r"|(?P<comment><!--(?!\[if|<!)(?:>|->|.*?-->))"
    r"|(?P<open><(?P<tag>mj-style|style)\b[^>]*>)(?P<css>.*?)</(?P=tag)\s*>"
    r"|<mj-include\b(?P<include>[^>]*?)/?>(?:\s*</mj-include\s*>)?"
    r"|(?P<unclosed>\{[{%#]|<!--(?!\[if|<!)|<(?:mj-style|style)\b)",
    re.DOTALL | re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_PATH = re.compile(r"""\s*path\s*=\s*(?:"([^"]*)"|'([^']*)')\s*""")
_FENCE = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class _Piece:
    """Text that was taken unchanged from one place of one file."""

    offset: int  # in the composed text
    file: str
    text: str  # of the whole file
    start: int  # in the file


@dataclass(frozen=True)
class Source:
    """One text made of one or more files; knows for each of its characters where that was written."""

    text: str
    styles: tuple[str, ...]
    pieces: tuple[_Piece, ...]

    def problem(self, offset: int, message: str) -> Problem:
        """A problem at this character of the composed text, told in terms of the file it came from."""
        piece = self.pieces[max(0, bisect_right([piece.offset for piece in self.pieces], offset) - 1)]
        before = piece.text[: piece.start + max(0, offset - piece.offset)]
        line = before.count("\n") + 1
        return Problem(piece.file, line, len(before) - (before.rfind("\n") + 1) + 1, message)

    def line_start(self, line: int) -> int:
        """Offset of the first character of a line of the composed text, counted from 1."""
        offset = 0
        for _ in range(line - 1):
            following = self.text.find("\n", offset)
            if following < 0:
                break
            offset = following + 1
        return offset


def unix_lines(text: str) -> str:
    """The text without a byte order mark, its line ends as line feeds."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def split_front_matter(text: str, file: str) -> tuple[Node | None, int, list[Problem]]:
    """The YAML between two lines `---` at the top, where the rest begins, and what is wrong with the YAML."""
    fence = _FENCE.match(text)
    if fence is None:
        return (
            None,
            0,
            [
                Problem(
                    file,
                    1,
                    1,
                    "front matter is missing: begin with a line '---', 'subject: ..', and another line '---'",
                )
            ],
        )
    # The empty first line stands for the fence, so that the lines are those of the file.
    node, problems = read_document(("\n" + fence[1]).encode("utf-8", "replace"), file)
    if node is not None and not isinstance(node, Mapping):
        return (
            None,
            fence.end(),
            [Problem(file, node.line, node.column, "expected a mapping such as 'subject: ..'"), *problems],
        )
    return node, fence.end(), problems


def plain_source(text: str, file: str) -> Source:
    """A source of one file, with nothing included or set aside."""
    return Source(text, (), (_Piece(0, file, text, 0),))


def compose(
    text: str, file: str, start: int, include: Callable[[str], str], folder: str
) -> tuple[Source, list[Problem]]:
    """Resolve the includes of the text from `start` on.

    `include` is given a path inside the template folder, without `.` or `..`, and raises `LookupError` or `OSError` when
    there is no such file. Comments of HTML and Jinja are dropped: nothing in them is read, and no recipient sees them.
    """
    composing = _Composing(include, folder)
    composing.add(text, file, start, ())
    return Source("".join(composing.texts), tuple(composing.styles), tuple(composing.pieces)), composing.problems


class _Composing:
    """Walks through a template and what it includes, collecting text."""

    def __init__(self, include: Callable[[str], str], folder: str) -> None:
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.pieces: list[_Piece] = []
        self.problems: list[Problem] = []
        self._include = include
        self._folder = folder
        self._length = 0
        self._included = 0

    def add(self, text: str, file: str, start: int, within: tuple[str, ...]) -> None:
        taken = TOKEN.search(text) or STYLE.search(text) or _CONTROL.search(text)
        if taken is not None:
            place = Source("", (), (_Piece(0, file, text, taken.start()),))
            reserved = f"'{taken[0]}' is a word that the compiler uses itself: write another"
            control = f"control character U+{ord(taken[0][0]):04X} is not allowed: remove it"
            self.problems.append(place.problem(0, control if _CONTROL.match(taken[0]) else reserved))
            return
        position = start
        self._take(text, file, start, start)  # so that even an empty file has a place
        for found in _SCAN.finditer(text, start):
            if found["jinja"] is not None:
                continue
            self._take(text, file, position, found.start())
            position = found.end()
            place = Source("", (), (_Piece(0, file, text, found.start()),))
            if found["unclosed"] is not None:  # one is enough: what follows can't be told apart
                self.problems.append(place.problem(0, f"'{found[0]}' is never closed"))
                return
            if found["css"] is not None:
                self._set_aside(found, place)
            elif found["include"] is not None:
                self._resolve(found["include"], place, within)
        self._take(text, file, position, len(text))

    def _take(self, text: str, file: str, start: int, end: int) -> None:
        self.pieces.append(_Piece(self._length, file, text, start))
        self._write(text[start:end])

    def _write(self, text: str) -> None:
        self.texts.append(text)
        self._length += len(text)

    def _set_aside(self, found: re.Match[str], place: Source) -> None:
        """A style sheet is text of another language: MJML would escape it, Jinja would take `{#id` for a comment."""
        if re.search(r"\{\{|\{%", found["css"]):
            self.problems.append(place.problem(0, "a variable can't stand in a style sheet: write the value out"))
        if re.search(r"@import\b", found["css"], re.IGNORECASE):
            message = (
                "'@import' is refused: it loads a style sheet from elsewhere when the mail is opened. Paste the rules"
            )
            self.problems.append(place.problem(0, message))
        # Premailer inlines every sheet; MJML's own inline="inline" would need a library more.
        opening = "<mj-style>" if found["tag"].lower() == "mj-style" else found["open"]
        self.pieces.append(_Piece(self._length, place.pieces[0].file, place.pieces[0].text, found.start()))
        self._write(f"{opening}alurstyle{len(self.styles)}x</{found['tag']}>")
        self.styles.append(found["css"].replace("{#", "{ #"))

    def _resolve(self, attributes: str, place: Source, within: tuple[str, ...]) -> None:
        path, fault = _read_path(attributes)
        if path in within:
            fault = f"'{path}' includes itself: {' > '.join((*within, path))}"
        elif len(within) >= DEEPEST_INCLUDE:
            fault = f"includes are nested over {DEEPEST_INCLUDE} deep"
        elif self._included >= MOST_INCLUDES:
            fault = f"over {MOST_INCLUDES} includes"
        elif self._length > LARGEST:
            fault = f"the template and what it includes is over {LARGEST:,} characters"
        if fault is not None:
            self.problems.append(place.problem(0, fault))
            return
        self._included += 1
        try:
            text = unix_lines(self._include(path))
        except (LookupError, OSError):
            self.problems.append(place.problem(0, f"there is no file '{path}' in {self._folder} to include"))
            return
        if text.startswith("---\n") or re.search(r"<(mjml|mj-body)\b", text, re.IGNORECASE):
            message = f"'{path}' is a whole template: an included file holds a part, such as <mj-section> or <mj-head>"
            self.problems.append(place.problem(0, message))
            return
        self.add(text, f"{self._folder}/{path}", 0, (*within, path))


def _read_path(attributes: str) -> tuple[str, str | None]:
    """The path of an include inside the template folder, and what is wrong with it."""
    found = _PATH.fullmatch(attributes)
    if found is None:
        return "", 'write <mj-include path="parts/footer.mjml" />, with the path alone'
    path = found[1] if found[1] is not None else found[2]
    parts = [part for part in path.split("/") if part != "."]
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", path) or ".." in parts or "" in parts or not parts:
        return path, f"can't include '{path[:60]}': only files inside the template folder, such as 'parts/footer.mjml'"
    return "/".join(parts), None
