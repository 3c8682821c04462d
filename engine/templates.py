"""The workspace's templates: found on disk, compiled when first needed, read again when a file changes."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from engine.document import Mapping as MappingNode
from engine.document import Node, read_document
from engine.errors import Problem, WorkspaceError
from engine.grammar import INVALID, Field, Invalid, Reader, Shape, Text, shown
from engine.message.choice import choose
from engine.message.mail_template import EmailTemplate
from engine.message.text_template import TextTemplate, compile_text

log = logging.getLogger(__name__)

_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:\.([a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*))?")
_SUFFIX = {"email": ".mjml", "sms": ".txt", "whatsapp": ".yaml"}
_LOOK_AGAIN = 2.0  # seconds between looks at the folder


@dataclass(frozen=True)
class WhatsappTemplate:
    """An approved template at the provider, and the text where none is needed or shown."""

    name: str
    locale: str | None
    hash: str
    content_sid: str | None
    variables: Mapping[str, TextTemplate]
    fallback: TextTemplate


Template = EmailTemplate | TextTemplate | WhatsappTemplate
_Key = tuple[str, str | None]


@dataclass(frozen=True)
class Found:
    """A template file: its channel, name, locale (None: the plain one) and path."""

    channel: str
    name: str
    locale: str | None
    path: Path


class Templates:
    """All templates of a workspace; safe to share between threads.

    A template that no longer compiles after an edit is reported and its last good version stays in use.
    `organisation_locale` is asked at each look where it may change.
    """

    def __init__(self, root: Path, organisation_locale: str | Callable[[], str]) -> None:
        self._folder = root / "templates"
        self._organisation_locale = organisation_locale
        self._lock = Lock()
        self._files: dict[str, dict[_Key, Found]] = {}
        self._compiled: dict[Path, Template] = {}
        self._stale: set[Path] = set()
        self._signature: object = None
        self._looked = 0.0
        self._look()

    @property
    def _locale(self) -> str:
        said = self._organisation_locale
        return said if isinstance(said, str) else said()

    def names(self, channel: str) -> set[str]:
        """The names that the channel has a template for, in whatever language."""
        return {name for name, _ in self._files.get(channel, {})}

    def has(self, channel: str, name: str) -> bool:
        """Whether everybody gets a version of this template: one in the organisation's language, or a plain one."""
        return choose(self._files.get(channel, {}), name, None, self._locale) is not None

    def get(self, channel: str, name: str, contact_locale: str | None) -> Template | None:
        """The version for a contact with this language, compiled; None when there is none.

        Raises `WorkspaceError` when it does not compile and never did.
        """
        if monotonic() - self._looked > _LOOK_AGAIN:
            self._look()
        found = choose(self._files.get(channel, {}), name, contact_locale, self._locale)
        return None if found is None else self._compile(found)

    def all(self) -> Iterator[Found]:
        """Every template file, by channel, name and locale."""
        for files in self._files.values():
            yield from sorted(files.values(), key=lambda f: (f.name, f.locale or ""))

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file under `templates/`, layouts too, by its path in the workspace."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return {
            path.relative_to(self._folder.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    def problems(self) -> list[Problem]:
        """Compile everything; what is wrong with it. Takes about 0.1 s per mail template the first time."""
        problems: list[Problem] = []
        for found in self.all():
            try:
                self._compile(found, keep_old=False)
            except WorkspaceError as error:
                problems += error.problems
        return problems

    def lacking(self, name: str, variable: str) -> list[str]:
        """The files of a mail template that do not always show the variable; ones that don't compile are left out."""
        return [
            str(found.path.relative_to(self._folder.parent))
            for found, template in self._compiled_ones("email", name)
            if isinstance(template, EmailTemplate) and not template.uses(variable)
        ]

    def wants(self, channel: str, name: str) -> frozenset[str]:
        """The dotted paths without which a version of the template can't be rendered; ones that don't compile are left out."""
        return frozenset().union(*self.wanted(channel, name).values())

    def wanted(self, channel: str, name: str) -> Mapping[str, frozenset[str]]:
        """The same for each file of the template."""
        return {
            str(found.path.relative_to(self._folder.parent)): _wanted(template)
            for found, template in self._compiled_ones(channel, name)
        }

    def unapproved(self, name: str) -> list[str]:
        """The files of a WhatsApp template that name no approved template of the provider."""
        return [
            str(found.path.relative_to(self._folder.parent))
            for found, template in self._compiled_ones("whatsapp", name)
            if isinstance(template, WhatsappTemplate) and template.content_sid is None
        ]

    def _compiled_ones(self, channel: str, name: str) -> Iterator[tuple[Found, Template]]:
        for found in self.all():
            if (found.channel, found.name) == (channel, name):
                with suppress(WorkspaceError):  # reported by `problems`
                    yield found, self._compile(found)

    # --- files ---

    def _look(self) -> None:
        """Find the files, and note which compiled ones are out of date."""
        with self._lock:
            self._looked = monotonic()
            signature = tuple(
                sorted((str(path), path.stat().st_mtime_ns) for path in self._folder.rglob("*") if path.is_file())
            )
            if signature == self._signature:
                return
            self._signature = signature
            self._files = {channel: dict(self._find(channel, suffix)) for channel, suffix in _SUFFIX.items()}
            self._stale = set(self._compiled)

    def _find(self, channel: str, suffix: str) -> Iterator[tuple[_Key, Found]]:
        base = self._folder / channel
        for path in sorted(base.glob(f"*{suffix}")):
            name = _NAME.fullmatch(path.name.removesuffix(suffix))
            if name is not None and path.resolve().is_relative_to(base.resolve()):
                yield (name[1], name[2]), Found(channel, name[1], name[2], path)

    def _compile(self, found: Found, *, keep_old: bool = True) -> Template:
        with self._lock:
            template = self._compiled.get(found.path)
            if template is not None and found.path not in self._stale:
                return template
            try:
                template = self._read(found)
            except (WorkspaceError, OSError) as error:
                if template is None or not keep_old:
                    raise
                log.warning("the changed template does not compile, its last good version stays in use: %s", error)
            self._compiled[found.path] = template
            self._stale.discard(found.path)
            return template

    def _read(self, found: Found) -> Template:
        match found.channel:
            case "email":
                from engine.message.mail_compile import compile_email  # MJML and premailer take a second to import

                source = _text(found.path)
                beside = found.path.with_suffix(".txt")
                text = _text(beside) if beside.is_file() else None
                return compile_email(found.name, found.locale, source, text, self._include)
            case "whatsapp":
                return _read_whatsapp(found)
            case _:
                return compile_text(found.name, found.locale, _text(found.path), "sms")

    def _include(self, name: str) -> str:
        base = (self._folder / "email").resolve()
        path = (base / name).resolve()
        if not path.is_relative_to(base):
            raise LookupError(f"'{name}' lies outside templates/email")
        return _text(path)


def _wanted(template: Template) -> frozenset[str]:
    if not isinstance(template, WhatsappTemplate):
        return template.variables
    return template.fallback.variables.union(*(text.variables for text in template.variables.values()))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        file = "/".join(path.parts[path.parts.index("templates") :]) if "templates" in path.parts else path.name
        raise WorkspaceError([Problem(file, 1, 1, "the file is not UTF-8 text")]) from error


@dataclass(frozen=True)
class _Variables:
    expected: str = "a mapping of placeholder names to text"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        values = {key.text: Text().read(value, reader) for key, value in node}
        return INVALID if INVALID in values.values() else values

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": Text().schema()}


_WHATSAPP = Shape(
    "a WhatsApp template",
    {
        "content_sid": Field(
            Text(r"H[A-Z][0-9a-f]{32}", "a content SID such as HX followed by 32 digits"), "the approved template"
        ),
        "variables": Field(
            _Variables(), "the values of its placeholders", default={}, example={"1": "{{ contact.first_name }}"}
        ),
        "fallback_text": Field(Text(), "the text where no template is needed", required=True),
    },
)


def _read_whatsapp(found: Found) -> WhatsappTemplate:
    file = f"templates/whatsapp/{found.path.name}"
    node, problems = read_document(found.path.read_bytes(), file)
    reader = Reader(file)
    values = _WHATSAPP.read(node, reader) if node is not None else INVALID
    if isinstance(values, Invalid):
        raise WorkspaceError([*problems, *reader.problems])
    fallback = compile_text(found.name, found.locale, values["fallback_text"], "whatsapp")
    variables = {
        name: compile_text(f"{found.name} variable {name}", found.locale, text, "whatsapp", folder=file)
        for name, text in values["variables"].items()
    }
    said = [fallback.hash, values["content_sid"], {name: template.hash for name, template in variables.items()}]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return WhatsappTemplate(found.name, found.locale, digest, values["content_sid"], variables, fallback)
