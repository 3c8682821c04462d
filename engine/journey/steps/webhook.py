"""`webhook`: a request to a server of the author's choice; the enrollment stays until it has been answered or given up."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from channels.webhook_guard import Network, is_internal
from engine.config.environment import REFERENCE, fill_in, references
from engine.document import Mapping as MappingNode
from engine.document import Node, Plain, Scalar, plain
from engine.grammar import INVALID, Choice, Field, Reader, Shape, Text, any_of, shown
from engine.journey.rendered import check_texts, is_template
from engine.journey.steps.base import (
    ON_FAILURE,
    End,
    Go,
    Ignore,
    Move,
    OnFailure,
    Spot,
    Stay,
    StepId,
    StepKind,
    StepsReader,
    Straight,
    Visit,
)
from engine.journey.values import PlanCall

METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")


@dataclass(frozen=True)
class Request:
    """What is asked of the server, as it is written: `${NAME}` is filled in on the way out, text in `body` is rendered."""

    url: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: Plain = None
    secret: str | None = None


@dataclass(frozen=True)
class Webhook(Straight):
    """One request, repeated under one idempotency key until it has an answer."""

    request: Request
    on_failure: OnFailure

    verb: ClassVar[str] = "webhook"

    def label(self) -> str:
        return f"webhook {self.request.method} {self.request.url.partition('?')[0]}"

    def rendered(self) -> tuple[tuple[str, Plain], ...]:
        return (("body", self.request.body),)

    def move(self, visit: Visit) -> Move:
        enrollment, signal = visit.enrollment, visit.signal
        if visit.arriving:
            plan = PlanCall(self.id, enrollment.round, enrollment.visit, visit.at)
            return Stay(effects=(plan,), note="the webhook is due")
        if signal.kind != "call" or signal.visit != enrollment.visit:
            return Ignore()
        state = str(signal.data.get("state", ""))
        if state == "failed" and self.on_failure == "exit":
            return End("exit", found=dict(signal.data))
        return Go(self.next, wanted="the end of the webhook", found=dict(signal.data), why=state)


def faults(request: Request, environment: Mapping[str, str], allowed: Collection[Network]) -> Iterator[tuple[str, str]]:
    """What keeps the request from being made in this workspace, each under its key, in a sentence: variables that are not
    set, and an internal address that is named outright. Where a name leads is looked at when it is called.
    """
    headers = ((f"headers.{name}", value) for name, value in request.headers)
    for key, text in (("url", request.url), *headers, ("secret", request.secret or "")):
        try:
            fill_in(text, environment)
        except LookupError as error:
            yield key, str(error.args[0])
    host = urlsplit(request.url).hostname if not references(request.url) else None
    try:
        internal = host is not None and is_internal(ip_address("127.0.0.1" if host == "localhost" else host), allowed)
    except ValueError:  # a name
        internal = False
    if internal:
        allow = "webhooks.allow_internal in config.yaml says which of those may be called"
        yield "url", f"'{host}' is an internal address: {allow}"


# --- reading ----------------------------------------------------------------------------------------------------------

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 5.6.2
_OURS = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect",
        "idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature",
    }
)  # fmt: skip
_SECRET = re.compile(
    r"(^|[-_])(authorization|auth|cookie|token|secret|password|passwd|credentials?|signature|sig|key)$|apikey$"
)
_REFERENCE = "\ue002"  # stands for a reference while the rest of a URL is looked at


def _typed_in(text: str) -> bool:
    """True for a value that is a secret and does not come from the environment."""
    found = references(text)
    return not found or any(default for _, default in found)


def _secret(example: str) -> str:
    return f'a secret is typed in here: use an environment reference such as "${{{example}}}"'


@dataclass(frozen=True)
class UrlType:
    """Where the request goes; parts of it may come from the environment."""

    expected: str = "a URL such as https://crm.example.com/hooks/alur"

    def read(self, node: Node, reader: Reader) -> Any:
        text = node.text if isinstance(node, Scalar) else ""
        if is_template(text):
            return reader.refuse(
                node, "a url is not rendered, so that nobody's data decides where it goes: use the body"
            )
        url = REFERENCE.sub(_REFERENCE, text)
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
            good = good and (parts.port is None or parts.port > 0)
        except ValueError:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if not (good or url.startswith(_REFERENCE)) or not text.isascii() or re.search(r"[\s<>\"'\\]", text):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if "@" in parts.netloc:
            return reader.refuse(node, "a user name in a url is refused: use a header such as Authorization")
        for name, value in parse_qsl(parts.query):
            if _SECRET.search(name.lower()) and _REFERENCE not in value:
                return reader.refuse(node, f"{_secret(name.upper().replace('-', '_'))} for '{name}'")
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class HeadersType:
    """Headers of the author's own."""

    expected: str = "a mapping of header names to text"

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, MappingNode):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        read = [self._header(key, value, reader) for key, value in node]
        names = [key.text.lower() for key, _ in node]
        for number, (key, _) in enumerate(node):
            if key.text.lower() in names[:number]:
                return reader.refuse(key, f"the header '{key.text}' stands twice")
        return INVALID if INVALID in read else tuple(read)

    def _header(self, key: Scalar, node: Node, reader: Reader) -> Any:
        name = key.text.lower()
        if not _HEADER.fullmatch(key.text):
            return reader.refuse(key, f"'{key.text[:60]}' can't be the name of a header")
        if name in _OURS:
            return reader.refuse(key, f"the header '{key.text}' is set by Alur itself: leave it out")
        if not isinstance(node, Scalar) or node.value is None:
            return reader.refuse(node, f"expected the header's text, found {shown(node)}")
        if _SECRET.search(name) and _typed_in(node.text):
            return reader.refuse(node, _secret(re.sub(r"\W", "_", key.text).upper()))
        if is_template(node.text):
            return reader.refuse(node, "a header is not rendered: put what is personal into the body")
        if not node.text.isascii() or "\n" in node.text:
            return reader.refuse(node, "a header is one line of ASCII")
        return key.text, node.text

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": Text().schema()}


@dataclass(frozen=True)
class BodyType:
    """A mapping or list goes out as JSON, text as it is."""

    expected: str = "a mapping or list (sent as JSON), or text"

    def read(self, node: Node, reader: Reader) -> Any:
        if isinstance(node, Scalar) and not isinstance(node.value, str):
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        return plain(node) if check_texts(node, reader) else INVALID

    def schema(self) -> dict[str, Any]:
        return any_of(Text().schema(), {"type": ["object", "array"]})


@dataclass(frozen=True)
class SecretType:
    """The key that signs, from the environment and nowhere else (bad input S31)."""

    expected: str = 'a reference to the environment such as "${CRM_WEBHOOK_SECRET}"'

    def read(self, node: Node, reader: Reader) -> Any:
        if not isinstance(node, Scalar) or node.value is None:
            return reader.refuse(node, f"expected {self.expected}, found {shown(node)}")
        if _typed_in(node.text) or REFERENCE.fullmatch(node.text) is None:
            return reader.refuse(node, _secret("CRM_WEBHOOK_SECRET"))  # never quoted
        return node.text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}


_REQUEST = Shape(
    "webhook",
    {
        "url": Field(UrlType(), "where it goes", required=True, example="https://crm.example.com/hooks/alur"),
        "method": Field(Choice(METHODS, "method"), "the HTTP method", default="POST"),
        "headers": Field(
            HeadersType(), "further headers", default=(), example={"Authorization": "Bearer ${CRM_TOKEN}"}
        ),
        "body": Field(BodyType(), "what it says: JSON or text; text is rendered like a message"),
        "secret": Field(SecretType(), "the key that signs it", example="${CRM_WEBHOOK_SECRET}"),
    },
    Request,
)


@dataclass(frozen=True)
class RequestType:
    """What stands behind `webhook:`."""

    expected: str = "a mapping {url, method, headers, body, secret}"

    def read(self, node: Node, reader: Reader) -> Any:
        request = _REQUEST.read(node, reader)
        if isinstance(request, Request) and request.method == "GET" and request.body is not None:
            assert isinstance(node, MappingNode)
            return reader.refuse(node.key("body") or node, "a GET has no body: use POST")
        return request

    def schema(self) -> dict[str, Any]:
        return _REQUEST.schema()


_SHAPE = Shape(
    "a webhook step",
    {
        "webhook": Field(RequestType(), "the request", required=True),
        "id": Field(StepId(), "the step's name; only named steps are matched across versions"),
        "on_failure": ON_FAILURE,
    },
)


def _read(node: MappingNode, reader: Reader, path: str, steps: StepsReader) -> Any:
    values = _SHAPE.read(node, reader)
    if values is INVALID:
        return INVALID
    spot = Spot(path, node.line, node.column)
    return Webhook(values["id"] or "", spot, values["webhook"], values["on_failure"])


KIND = StepKind(
    "webhook", "a request to another server", _read, _SHAPE,
    """
- webhook:
    url: https://crm.example.com/hooks/alur
    headers: {Authorization: "Bearer ${CRM_TOKEN}"}
    body: {customer: "{{ contact.user_id }}", cart: "{{ event.cart_id }}"}
    secret: ${CRM_WEBHOOK_SECRET}
  on_failure: exit
""",
)  # fmt: skip
