"""Strictly read YAML: plain values that remember where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError

try:
    from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:  # no wheel of ruamel.yaml.clib for this machine: slower, and the same in every other way
    CParser = None

from engine.errors import Problem


@dataclass(frozen=True)
class Scalar:
    """A leaf. `value` follows section 1 of the language: true, false, null and plain numbers if unquoted, else text.

    `text` is the word as it stands in the file (without quotes), which is what an error quotes.
    """

    value: str | int | float | bool | None
    text: str
    quoted: bool
    line: int
    column: int


@dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True)
class Mapping:
    """Pairs in file order; keys are scalars, no key twice."""

    pairs: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int

    def get(self, name: str) -> Node | None:
        return next((node for key, node in self.pairs if key.text == name), None)

    def key(self, name: str) -> Scalar | None:
        return next((key for key, _ in self.pairs if key.text == name), None)

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        return iter(self.pairs)


Node = Scalar | Sequence | Mapping
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def plain(node: Node) -> Plain:
    """The node's value without positions: dicts, lists and scalars, as JSON would hold them."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key.text: plain(value) for key, value in node.pairs}


def node_at(root: Node, path: str) -> Node | None:
    """What stands under a path such as `steps.3.then.0.send`; None when nothing does."""
    node: Node | None = root
    for part in path.split("."):
        match node:
            case Mapping():
                node = node.get(part)
            case Sequence() if part.isdecimal() and int(part) < len(node.items):
                node = node.items[int(part)]
            case _:
                return None
    return node


def scalars(node: Node) -> Iterator[Scalar]:
    """Every value that is one word, in file order."""
    match node:
        case Scalar():
            yield node
        case Sequence():
            for item in node.items:
                yield from scalars(item)
        case Mapping():
            for _, value in node.pairs:
                yield from scalars(value)


# --- reading ----------------------------------------------------------------------------------------------------------

LARGEST_FILE = 1_000_000  # bytes
DEEPEST = 64  # levels of collections
MOST_NODES = 100_000

_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "": None}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
_LARGEST_WHOLE = 2**63 - 1  # what JSON readers and databases keep exactly
_LONGEST_DECIMAL = 300  # characters; more overflow a float
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_TAG = re.compile(r"!(?:<[^>]*>|[^\s,\[\]{}]*)")
_BAD_ESCAPE = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")  # beyond the last character of Unicode

# What ruamel.yaml says, and how we say it to somebody who writes a journey. First match wins.
_PLAIN_WORDS: Final = (
    (r"found character '(\\t)'.*", "a tab stands here: use spaces"),
    (r"found character ['\"](.)['\"].*", r"a value can't begin with '\1': put it in quotes"),
    (
        r"mapping values are not allowed here",
        "a ':' is not allowed here: check the indentation, or put the text in quotes",
    ),
    (
        r"(sequence entries|mapping keys) are not allowed here",
        "a list item or key is not allowed here: check the indentation",
    ),
    (r"found unexpected end of stream", "the quotes that begin here are never closed"),
    (r"could not find expected ':'", "expected ':' after this key"),
    (r"expected ',' or '(.)', but got.*", r"expected ',' or '\1'"),
    (r"expected <block end>, but found.*|invalid intendation.*", "the indentation does not fit the lines above"),
    (r"found unknown escape character (.*)", r"unknown escape \1 in double quotes: use single quotes"),
    (r"found undefined tag handle.*", "tags ('!') are not allowed"),
    (r"found incompatible YAML document.*|found duplicate YAML directive", "directives ('%') are not allowed"),
)


class Oversized:
    """Stands for a number that can't be kept exactly."""


def word_value(text: str) -> str | int | float | bool | Oversized | None:
    """What an unquoted word is: true, false, null, a number in its plain form, nothing at all (null), or else text."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text) is None:
        return text
    if len(text) > _LONGEST_DECIMAL or ("." not in text and abs(int(text)) > _LARGEST_WHOLE):
        return Oversized()
    return float(text) if "." in text else int(text)


def read_document(data: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """Read one YAML file strictly (section 1 of the language); never raises, whatever the bytes.

    A syntax error, a broken limit or bytes that are no text are the only problem of their file, and there is no node.
    Duplicate keys, anchors, tags, directives and forbidden characters are reported all together and the
    node is returned without them, so that the caller can go on to find what else is wrong; the file is refused all the same.
    """
    text, problem = _decode(data, file)
    if text is None or problem is not None:
        return None, [problem] if problem is not None else []
    quick = _Building(file, text)
    with suppress(_FatalError, YAMLError, ValueError):  # the careful parser says what is wrong, and where
        node = quick.read(_quick_events(text))
        if not quick.problems:
            return node, []
    careful = _Building(file, text)
    try:
        node = careful.read(_careful_events(text, file))
    except _FatalError as error:
        return None, [error.problem]
    return node, sorted(careful.problems)


class _FatalError(Exception):
    """Stops the reading: the problem is its file's only one."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def _decode(data: bytes, file: str) -> tuple[str | None, Problem | None]:
    if len(data) > LARGEST_FILE:
        return None, Problem(file, 1, 1, f"the file has {len(data):,} bytes; at most {LARGEST_FILE:,} are allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # `start` counts from behind a byte order mark.
        start = error.start + (len(data) - len(error.object))
        line, column = _position(data[:start].decode("utf-8-sig"))
        return None, Problem(file, line, column, f"byte 0x{data[start]:02x} is not UTF-8: save the file as UTF-8")
    control = _CONTROL.search(text)
    if control is not None:
        line, column = _position(text[: control.start()])
        return None, Problem(file, line, column, f"control character U+{ord(control[0]):04X} is not allowed: remove it")
    return text, None


def _position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows this text."""
    lines = re.split(r"\r\n|\n|\r", before)
    return len(lines), len(lines[-1]) + 1


@dataclass
class _Open:
    """A collection whose end has not been read; a mapping's key waits in `key` for its value."""

    line: int
    column: int
    pairs: list[tuple[Scalar, Node]] | None = None  # None: a list
    items: list[Node] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)  # key -> line of the first
    key: Scalar | None = None
    key_read: bool = False
    skip_value: bool = False  # of a key that was refused

    def closed(self) -> Mapping | Sequence:
        if self.pairs is None:
            return Sequence(tuple(self.items), self.line, self.column)
        return Mapping(tuple(self.pairs), self.line, self.column)


class _Building:
    """Builds nodes from parser events without recursion, counting as it goes."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._text = text
        self._open: list[_Open] = []
        self._count = 0
        self._documents = 0
        self._aliased = False
        self._root: Node | None = None

    def read(self, parsed: Iterable[events.Event]) -> Node | None:
        for event in parsed:
            match event:
                case events.DocumentStartEvent():
                    self._begin_document(event)
                case events.AliasEvent():
                    self._refuse(event, f"alias '*{event.anchor}' is not allowed: write the value out")
                    self._aliased = True
                    self._add(Scalar(None, f"*{event.anchor}", False, *_at(event)))
                case events.ScalarEvent():
                    self._check_properties(event)
                    self._add(self._scalar(event))
                case events.MappingStartEvent():
                    self._check_properties(event)
                    self._descend(_Open(*_at(event), pairs=[]))
                case events.SequenceStartEvent():
                    self._check_properties(event)
                    self._descend(_Open(*_at(event)))
                case events.CollectionEndEvent():
                    self._add(self._open.pop().closed(), counted=True)
        if self._root is None or (isinstance(self._root, Scalar) and self._root.text == "" and not self._root.quoted):
            raise _FatalError(Problem(self._file, 1, 1, "the file is empty"))
        # The value behind an alias is not known, so that whatever else would be said of this file may be wrong.
        return None if self._aliased else self._root

    def _begin_document(self, event: events.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _FatalError(Problem(self._file, *_at(event), "a second document begins here: one file holds one"))
        if event.explicit:  # before '---' stand comments and directives only
            for found in re.finditer(r"^%\S*", self._text[: event.start_mark.index], re.MULTILINE):
                line, column = _position(self._text[: found.start()])
                self.problems.append(
                    Problem(self._file, line, column, f"directive '{found[0]}' is not allowed: remove it")
                )

    def _check_properties(self, event: events.ScalarEvent | events.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(event, f"anchor '&{event.anchor}' is not allowed: remove it")
        if event.tag is not None:
            written = _TAG.search(self._text, event.start_mark.index)
            tag = written[0] if written is not None else event.tag
            self._refuse(event, f"tag '{tag}' is not allowed: remove it, the type follows from the field")

    def _scalar(self, event: events.ScalarEvent) -> Scalar:
        line, column = _at(event)
        quoted = bool(event.style)
        text = str(event.value)
        escaped = _CONTROL.search(text)
        if escaped is not None:  # only an escape such as "\0" can bring one here
            self._refuse(event, f"control character U+{ord(escaped[0]):04X} is not allowed: remove it")
            text = _CONTROL.sub("", text)
        top = self._open[-1] if self._open else None
        if text == "" and not quoted and top is not None and top.key is not None:
            line, column = top.key.line, top.key.column  # nothing stands there; the parser names the next line
        return Scalar(text if quoted else self._value(event, text), text, quoted, line, column)

    def _value(self, event: events.ScalarEvent, text: str) -> str | int | float | bool | None:
        value = word_value(text)
        if isinstance(value, Oversized):
            self._refuse(event, f"the number '{text[:30]}' is too large: if it is text, put it in quotes")
            return 0
        return value

    def _descend(self, opened: _Open) -> None:
        self._tally(opened.line, opened.column)
        if len(self._open) >= DEEPEST:
            raise _FatalError(
                Problem(self._file, opened.line, opened.column, f"over {DEEPEST} levels of lists and mappings")
            )
        self._open.append(opened)

    def _tally(self, line: int, column: int) -> None:
        self._count += 1
        if self._count > MOST_NODES:
            raise _FatalError(Problem(self._file, line, column, f"the file has over {MOST_NODES:,} values"))

    def _add(self, node: Node, *, counted: bool = False) -> None:
        """Put a finished node where it belongs: the root, a list item, a key, or the value of the key before."""
        if not counted:
            self._tally(node.line, node.column)
        if not self._open:
            self._root = node
            return
        top = self._open[-1]
        if top.pairs is None:
            top.items.append(node)
        elif not top.key_read:
            top.key_read = True
            top.key = node if isinstance(node, Scalar) else None
            top.skip_value = not self._is_good_key(top, node)
        else:
            if top.key is not None and not top.skip_value:
                top.pairs.append((top.key, node))
            top.key, top.key_read = None, False

    def _is_good_key(self, top: _Open, node: Node) -> bool:
        if not isinstance(node, Scalar):
            message = "a key must be a word, not a list or mapping"
            if isinstance(node, Mapping) and (node.line, node.column) == (top.line, top.column + 1):
                message += "; put a text that begins with '{{' in quotes"
            self.problems.append(Problem(self._file, node.line, node.column, message))
            return False
        if node.text == "" and not node.quoted:
            self.problems.append(Problem(self._file, node.line, node.column, "a key is missing before ':'"))
            return False
        if node.text in top.seen:
            first = top.seen[node.text]
            message = f"key '{node.text[:60]}' stands twice (first on line {first})"
            self.problems.append(Problem(self._file, node.line, node.column, message))
            return False
        top.seen[node.text] = node.line
        return True

    def _refuse(self, event: events.Event, message: str) -> None:
        self.problems.append(Problem(self._file, *_at(event), message))


def _at(event: events.Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _careful_events(text: str, file: str) -> Iterator[events.Event]:
    """The events of ruamel.yaml's own parser; a syntax error becomes the file's one problem."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        # An unclosed quote is wrong where it begins, everything else where the parser stopped.
        unclosed = error.problem == "found unexpected end of stream"
        mark = (error.context_mark if unclosed else error.problem_mark) or error.context_mark
        line, column = _position(text[: mark.index]) if mark is not None else (1, 1)
        said = _in_plain_words(error.problem or error.context)
        if mark is not None and text[max(mark.index - 1, 0) : mark.index + 1] == "${":
            said = 'inside {..} and [..] a reference to the environment needs quotes: "${NAME}"'
        raise _FatalError(Problem(file, line, column, said)) from None
    except (AssertionError, ValueError, OverflowError) as error:
        # ruamel.yaml trusts the numbers in "\\U.." and "%YAML 1..", and fails on absurd ones in its own way.
        escape = _BAD_ESCAPE.search(text)
        line, column = _position(text[: escape.start()]) if escape is not None else (1, 1)
        what = f"'{escape[0]}' is not a character" if escape is not None else f"not valid YAML: {error}"
        raise _FatalError(Problem(file, line, column, what)) from None


# What libyaml 0.1, which knows YAML 1.1, reads in another way than YAML 1.2 is read, or may.
_ONLY_CAREFULLY = re.compile(r"[\t\u2028\u2029\ufeff]|(?:^|[\s\[{,:-])[!&*|>?%@`]|^---|^\.\.\.", re.MULTILINE)


def _quick_events(text: str) -> Iterator[events.Event]:
    """The events of libyaml, 14 times as fast, for files that it surely reads as YAML 1.2 is read; a test compares the
    two on files of every kind. Raises `YAMLError` for others: then the careful parser has the word.
    """
    if CParser is None or _ONLY_CAREFULLY.search(text) is not None:
        raise YAMLError
    parser = CParser(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _in_plain_words(said: str) -> str:
    for pattern, ours in _PLAIN_WORDS:
        if re.fullmatch(pattern, said, re.DOTALL):
            return re.sub(pattern, ours, said, count=1, flags=re.DOTALL)
    return f"not valid YAML: {said}"
