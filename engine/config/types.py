"""What may stand at one place of config.yaml: secrets, URLs, rates, topics, adapters and their options."""

from __future__ import annotations

import re
from collections import abc
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from engine.config.environment import REFERENCE, Filled
from engine.config.values import ChannelConfig, Rate, Topic
from engine.document import Mapping, Node, Plain, Scalar, Sequence
from engine.grammar import (
    INVALID,
    NAME,
    SCALAR,
    Choice,
    Field,
    ListOf,
    Reader,
    Shape,
    Text,
    Type,
    any_of,
    shown,
    text_schema,
)

SHORTEST_SECRET: Final = 16  # characters of a key that signs links

_SHARED = IPv4Network("100.64.0.0/10")  # of carriers and clouds (RFC 6598)

SECRET_OPTION: Final = re.compile(r"(^|_)(password|passwd|passphrase|secret|token|credentials?|key)$")
LANGUAGE = Text(r"[a-z]{2,3}(-[A-Z]{2})?", "a language such as id, en or en-GB")
COUNTRY = Text(r"[A-Z]{2}", "a country code of two capital letters, such as ID")
FIELD_NAME = Text(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", "a field name such as city or address.city")
FIELD_TYPE = Choice(("text", "number", "boolean", "date", "datetime", "list"), "field type")


def is_reference(raw: str) -> bool:
    """True for one reference and nothing else, without a default: that would be a secret typed in."""
    found = REFERENCE.fullmatch(raw)
    return found is not None and not found[2]


class ConfigReader(Reader):
    """A reader that also knows which values come from the environment."""

    def __init__(self, file: str, filled: Filled) -> None:
        super().__init__(file)
        self.filled = filled

    def is_reference(self, node: Node) -> bool:
        """True where the file holds a reference and no secret."""
        return is_reference(self.filled.raw.get((node.line, node.column), ""))

    def refuse_secret(self, node: Node, example: str) -> Any:
        """A secret typed in; the message never quotes it."""
        return self.refuse(node, f"a secret is typed in here: use an environment reference such as ${{{example}}}")


@dataclass(frozen=True)
class Secret:
    """Text that must come from the environment (bad input S31)."""

    example: str
    shortest: int = 1
    expected: str = "a secret from the environment"

    def read(self, node: Node, reader: Reader) -> Any:
        assert isinstance(reader, ConfigReader)
        if not isinstance(node, Scalar):
            return reader.refuse(node, f"expected {self.expected} such as ${{{self.example}}}, found {shown(node)}")
        if not reader.is_reference(node):
            return reader.refuse_secret(node, self.example)
        if len(node.text) < self.shortest:
            return reader.refuse(node, f"this secret is too short: it needs at least {self.shortest} characters")
        return node.text

    def schema(self) -> dict[str, Any]:
        return text_schema(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", examples=[f"${{{self.example}}}"])


# As SQLAlchemy reads it, which takes longer to import than all files take to check.
_DATABASE_URL: Final = re.compile(
    r"(?P<scheme>[\w+]+)://([^:/]*(:(?P<password>[^@]*))?@)?"  # who
    r"(\[[^/?]+\]|[^/:?]+)?(:\d{0,5})?(/[^?]*)?(\?.*)?"  # where
)


def masked_database_url(url: str) -> str:
    """The URL with three asterisks in place of its password."""
    found = _DATABASE_URL.fullmatch(url)
    if found is None or found["password"] is None:
        return url
    return f"{url[: found.start('password')]}***{url[found.end('password') :]}"


@dataclass(frozen=True)
class DatabaseUrl:
    """Where one's own PostgreSQL is; its password must come from the environment."""

    expected: str = "a URL such as postgresql://alur:${DATABASE_PASSWORD}@localhost:5432/alur"

    def read(self, node: Node, reader: Reader) -> Any:
        assert isinstance(reader, ConfigReader)
        if not isinstance(node, Scalar):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if node.value is None:  # an optional reference that is empty: the embedded database
            return None
        url = _DATABASE_URL.fullmatch(node.text)
        if url is None:  # its own text holds the password
            return reader.refuse(node, f"expected {self.expected}")
        if url["scheme"] not in {"postgres", "postgresql", "postgresql+psycopg"}:
            return reader.refuse(node, f"expected {self.expected}; Alur works with PostgreSQL only")
        raw = reader.filled.raw.get((node.line, node.column), node.text)
        password = re.search(r"://[^/@]*?:([^@]+)@", raw)
        if password is not None and not is_reference(password[1]):
            return reader.refuse_secret(node, "DATABASE_PASSWORD")
        return node.text

    def schema(self) -> dict[str, Any]:
        url = text_schema(
            r"postgres[^:]*://.*", examples=["postgresql://alur:${DATABASE_PASSWORD}@localhost:5432/alur"]
        )
        return any_of(url, {"type": "null"})


@dataclass(frozen=True)
class PublicUrl:
    """The base of links in messages."""

    expected: str = "a URL such as https://news.example.com"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            parts = urlsplit(text)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment
            good = good and parts.username is None and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good or re.search(r"[\s<>\"']", text):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return text.rstrip("/")

    def schema(self) -> dict[str, Any]:
        return text_schema(r"[Hh][Tt][Tt][Pp][Ss]?://.+", examples=["https://news.example.com"])


@dataclass(frozen=True)
class InternalNetwork:
    """A network behind the firewall; the open internet needs no permission."""

    expected: str = "a network such as 10.20.0.0/16 or 127.0.0.1/32"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            network = ip_network(text) if "/" in text else None
        except ValueError as error:
            return reader.refuse(node, f"expected {self.expected}: {error}")
        if network is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if not (network.is_private or network.subnet_of(_SHARED) if network.version == 4 else network.is_private):
            return reader.refuse(node, f"'{text}' is not internal: the open internet needs no permission")
        return network

    def schema(self) -> dict[str, Any]:
        return text_schema(r"[0-9A-Fa-f:.]+/[0-9]{1,3}", examples=["10.20.0.0/16"])


@dataclass(frozen=True)
class RateType:
    """`50/s`, `500/m`, `10000/h`."""

    expected: str = "a rate such as 50/s, 500/m or 10000/h"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        found = re.fullmatch(r"([1-9]\d{0,8})/([smh])", text)
        if found is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return Rate(text, int(found[1]), timedelta(seconds={"s": 1, "m": 60, "h": 3600}[found[2]]))

    def schema(self) -> dict[str, Any]:
        return text_schema(r"[1-9]\d{0,8}/[smh]", examples=["50/s", "10000/h"])


@dataclass(frozen=True)
class MapOf:
    """A mapping from names to values of one kind; `build` gets the name and the value."""

    key: Type
    value: Type
    build: abc.Callable[[str, Any], Any] = lambda _, value: value

    @property
    def expected(self) -> str:
        return f"a mapping of {self.key.expected} to {self.value.expected}"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        read = [(self.key.read(key, reader), self.value.read(value, reader)) for key, value in node]
        if any(part is INVALID for pair in read for part in pair):
            return INVALID
        return {name: self.build(name, value) for name, value in read}

    def schema(self) -> dict[str, Any]:
        names = self.key.schema().get("pattern")
        return {
            "type": "object",
            "additionalProperties": self.value.schema(),
            **({"propertyNames": {"pattern": names}} if names else {}),
        }


@dataclass(frozen=True)
class ByLanguage:
    """Text by language; text alone serves every language."""

    expected: str = "text, or a mapping of languages to text"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Mapping):
            return MapOf(LANGUAGE, Text()).read(node, reader)
        text = Text(expected=self.expected).read(node, reader)
        return INVALID if text is INVALID else {"": text}

    def schema(self) -> dict[str, Any]:
        return any_of(SCALAR, MapOf(LANGUAGE, Text()).schema())


_TOPIC = Shape(
    "a topic",
    {
        "title": Field(ByLanguage(), "how people see it, by language", example={"id": "Penawaran", "en": "Offers"}),
        "description": Field(ByLanguage(), "what one gets, by language"),
    },
)


@dataclass(frozen=True)
class TopicsType:
    """A list of names, or names with titles and descriptions."""

    expected: str = "a list of names, or a mapping of names to title and description"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Sequence):
            names = ListOf(NAME).read(node, reader)
            return INVALID if names is INVALID else {name: Topic(name) for name in names}
        topics: dict[str, Topic] = {}
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        good = True
        for key, value in node:
            name = NAME.read(key, reader)
            bare = isinstance(value, Scalar) and value.value is None
            texts = {} if bare else _TOPIC.read(value, reader)
            if name is INVALID or texts is INVALID:
                good = False
            else:
                topics[name] = Topic(name, texts.get("title") or {}, texts.get("description") or {})
        return topics if good else INVALID

    def schema(self) -> dict[str, Any]:
        topic = any_of(_TOPIC.schema(), {"type": "null"})
        names = {"propertyNames": {"pattern": NAME.schema()["pattern"]}}
        return any_of(ListOf(NAME).schema(), {"type": "object", "additionalProperties": topic, **names})


@dataclass(frozen=True)
class ChannelType:
    """An adapter and its options, which only the adapter knows."""

    expected: str = "a mapping (adapter, throttle, and the adapter's own options)"

    def read(self, node: Node, reader: Reader) -> Any:
        assert isinstance(reader, ConfigReader)
        if not isinstance(node, Mapping):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        values: dict[str, Any] = {"throttle": None}
        options: dict[str, Plain] = {}
        for key, value in node:
            if key.text == "adapter":
                values["adapter"] = NAME.read(value, reader)
            elif key.text == "throttle":
                values["throttle"] = RateType().read(value, reader)
            else:
                option = _option(key.text, value, reader)
                if option is not None:
                    options[key.text] = option
        if "adapter" not in values:
            return reader.refuse(node, "this channel lacks 'adapter' (who carries its messages, such as smtp or file)")
        if INVALID in values.values():
            return INVALID
        return ChannelConfig(options=options, node=node, **values)

    def schema(self) -> dict[str, Any]:
        known = {
            "adapter": Field(NAME, "who carries the messages, such as smtp, file or console").schema(),
            "throttle": Field(RateType(), "how fast, for each process").schema(),
        }
        return {"type": "object", "properties": known, "required": ["adapter"]}  # the rest is the adapter's


def _option(name: str, node: Node, reader: ConfigReader) -> Plain:
    """An adapter's option as plain data; what comes from the environment is text, and absent when it is empty."""
    match node:
        case Sequence():
            return [_option(name, item, reader) for item in node.items]
        case Mapping():
            return {key.text: _option(key.text, value, reader) for key, value in node}
        case Scalar():
            secret = SECRET_OPTION.search(name.lower()) is not None
            if secret and node.value is not None and not reader.is_reference(node):
                reader.refuse_secret(node, name.upper())
            if node.value is None or not reader.filled.is_whole(node):
                return node.value
            return node.text
