"""A template text compiled once to a program that renders plain data, and nothing but plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.exceptions import TemplateError, UndefinedError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import Problem, RenderError
from engine.message.allowed import LOOP, Examined, Refusal, examine, weight
from engine.message.filters import FILTERS, INTERNAL, RUN, Run
from engine.message.formats import Formats
from engine.message.slips import in_plain_words
from engine.message.source import JINJA, Source

LARGEST_OUTPUT = 1_000_000  # characters

# Whatever evaluating an expression over unexpected data can raise: this person's data does not fit the template.
_DATA_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError)
_RAW = re.compile(r"\{%[-+]?\s*raw\b")
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class _Missing(StrictUndefined):
    """What a template gets where the data has nothing: it fails when shown or compared, and so do its fields."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return str(self._undefined_name)


class _PlainEnvironment(ImmutableSandboxedEnvironment):
    """Jinja over dicts, lists, text and numbers: a dot reads a key, never an attribute of a Python object.

    So `event.items` is the event's property and not a method of a dict, and there is nothing to escape through.
    """

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(
            autoescape=autoescape, undefined=_Missing, finalize=_shown, keep_trailing_newline=True,
            trim_blocks=not autoescape, lstrip_blocks=not autoescape,
        )  # fmt: skip
        self.globals.clear()
        self.tests = {name: self.tests[name] for name in ("defined", "undefined")}
        self.filters = {**{name: known.apply for name, known in FILTERS.items()}, **INTERNAL}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._read(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._read(obj, argument)

    def _read(self, obj: Any, key: Any) -> Any:
        found: Any = None
        if type(obj) is dict:
            found = obj.get(key)
            if found is None and type(key) is int:
                found = obj.get(str(key))
        elif isinstance(obj, list | tuple):
            if type(key) is int and key < len(obj):
                found = obj[key]
        elif isinstance(obj, Mapping):
            found = obj.get(key)
        elif isinstance(obj, LoopContext) and key in LOOP:
            found = getattr(obj, key)
        elif isinstance(obj, Undefined):
            return _Missing(name=f"{obj._undefined_name}.{key}")  # noqa: SLF001  Jinja offers no other way to its name
        return _Missing(name=key) if found is None else found


def _shown(value: Any) -> Any:
    """What an expression prints: text without control characters, or a number. Anything else is an error, never a blank or `None`."""
    kind = type(value)
    if kind is str:
        return value if value.isprintable() else _cleaned(value)
    if kind is int or kind is float:
        return str(value)
    if isinstance(value, Undefined):
        str(value)  # raises
    if isinstance(value, str):
        return _cleaned(value)
    if kind is bool:
        raise ValueError("true or false is not a text: use {% if %}")
    raise ValueError(f"a {kind.__name__} is not a text: name one of its fields")


def _cleaned(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NOT_TEXT.sub("", text)


_ESCAPING = _PlainEnvironment(autoescape=True)
_VERBATIM = _PlainEnvironment(autoescape=False)


@dataclass(frozen=True)
class Program:
    """One compiled text. Safe to share between threads."""

    examined: Examined
    _template: JinjaTemplate

    def parts(self, values: Mapping[str, Any], formats: Formats, template: str) -> list[str]:
        """The rendered text in pieces; the pieces that are the same in every rendering are among `static`.

        Raises RenderError when a value is missing or does not fit, or the text gets over a million characters.
        """
        context = self._template.new_context({**values, RUN: Run(formats)}, shared=True)
        parts: list[str] = []
        size = 0
        try:
            for part in self._template.root_render_func(context):
                size += len(part)
                if size > LARGEST_OUTPUT:
                    raise RenderError(template, f"the text is over {LARGEST_OUTPUT:,} characters")
                parts.append(part)
        except UndefinedError as error:
            raise RenderError(template, f"'{self._full_name(str(error))}' is missing") from None
        except _DATA_FAULTS as error:
            raise RenderError(template, str(error)) from None
        return parts

    def text(self, values: Mapping[str, Any], formats: Formats, template: str) -> str:
        """The rendered text in one; raises as `parts`."""
        return "".join(self.parts(values, formats, template))

    @property
    def static(self) -> Iterator[str]:
        """The pieces of text that no data changes."""
        return _constants(self._template.root_render_func.__code__)

    def _full_name(self, name: str) -> str:
        """`contact.city` for `city`, if only one variable of the template ends so."""
        paths = {path for path in self.examined.paths if path == name or path.endswith(f".{name}")}
        return paths.pop() if len(paths) == 1 else name


def _constants(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _constants(constant)


def check(source: Source) -> tuple[Examined, list[Problem]]:
    """What a template text reads, and everything in it that is refused, each where it stands."""
    try:
        examined = examine(_ESCAPING.parse(source.text))
    except TemplateSyntaxError as error:
        return Examined((), ()), list(_placed([Refusal(error.lineno, in_plain_words(error.message or ""))], source))
    except (RecursionError, ValueError) as error:  # brackets a thousand deep; a number of thousands of digits
        return Examined((), ()), [source.problem(0, f"the template can't be read: {str(error)[:80]}")]
    raws = [source.problem(found.start(), "'{% raw %}' is refused") for found in _RAW.finditer(source.text)]
    return examined, [*raws, *_placed(examined.refusals, source)]


def build(text: str, *, escape: bool) -> Program:
    """Compile a text that `check` found good (checked again here: nothing is compiled that is not allowed).

    `escape`: for HTML. Raises ValueError for a text that is refused.
    """
    environment = _ESCAPING if escape else _VERBATIM
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(error.message) from None
    examined = examine(tree, internal=INTERNAL)
    if examined.refusals:
        raise ValueError(examined.refusals[0].message)
    for loop in list(tree.find_all(nodes.For)):
        rounds = nodes.Const(weight(loop.body), lineno=loop.lineno)
        loop.iter = nodes.Filter(loop.iter, "_each", [rounds], [], None, None, lineno=loop.lineno)
        loop.iter.set_environment(environment)
    return Program(examined, JinjaTemplate.from_code(environment, environment.compile(tree), {}))


def _placed(refusals: Iterable[Refusal], source: Source) -> Iterator[Problem]:
    """Refusals know their line and at most a word: the place is that word, else the first expression that reaches into the line."""
    for refusal in refusals:
        start = source.line_start(refusal.line)
        end = source.text.find("\n", start)
        line_end = len(source.text) if end < 0 else end
        offset = start
        for found in re.finditer(JINJA, source.text):
            if found.start() > line_end:
                break
            if found.end() <= start:
                continue
            word = re.search(rf"\b{re.escape(refusal.word)}\b", found[0]) if refusal.word else None
            offset = found.start() if word is None else found.start() + word.start()
            if word is not None or not refusal.word:
                break
        yield source.problem(offset, refusal.message)
