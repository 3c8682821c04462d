"""Short ways to compile a mail, render it and read it back, for the tests beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest

from engine.errors import WorkspaceError
from engine.message.mail_compile import compile_email
from engine.message.mail_template import EmailTemplate
from engine.message.mime import Mailbox, RenderedEmail, Skeleton

FROM = Mailbox("halo@toko.example", "Toko Nada")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
UNSUBSCRIBE = "https://toko.example/u/abc"

VALUES: dict[str, Any] = {
    "contact": {"first_name": "Ani", "tags": ["jazz", "pop"]},
    "event": {
        "total": 1500000,
        "at": "2026-11-22T09:00:00+07:00",
        "items": [{"name": "Kind of Blue", "price": 250000}],
    },
    "vars": {},
    "organisation": {"name": "Toko Nada", "postal_address": "Jl. Braga 1, Bandung"},
    "unsubscribe_url": UNSUBSCRIBE,
}


def page(content: str, head: str = "") -> str:
    """A whole MJML document around the content of one text."""
    return f"<mjml>{head}<mj-body><mj-section><mj-column>\n<mj-text>{content}</mj-text>\n</mj-column></mj-section></mj-body></mjml>"


def compiled(
    mjml: str,
    front: str = "subject: Halo",
    text: str | None = None,
    files: Mapping[str, str] | None = None,
    locale: str | None = "id",
) -> EmailTemplate:
    return compile_email("promo", locale, f"---\n{front}\n---\n{mjml}", text, (files or {}).__getitem__)


def problems(
    mjml: str, front: str = "subject: Halo", text: str | None = None, files: Mapping[str, str] | None = None
) -> list[str]:
    with pytest.raises(WorkspaceError) as refused:
        compiled(mjml, front, text, files)
    return [str(problem) for problem in refused.value.problems]


def rendered(template: EmailTemplate, values: Mapping[str, Any] | None = None, locale: str = "id") -> RenderedEmail:
    return template.render({**VALUES, **(values or {})}, locale=locale, timezone="Asia/Jakarta", currency="IDR")


def assembled(skeleton: Skeleton, mail: RenderedEmail, **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "to_address": "ani@example.com", "to_name": "Ani", "from_": FROM, "reply_to": None,
        "message_id": "<1.promo@toko.example>", "date": NOW, "list_unsubscribe": UNSUBSCRIBE,
    }  # fmt: skip
    return skeleton.assemble(mail, **{**arguments, **changes})


def parsed(data: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(data)
    assert isinstance(message, EmailMessage)
    return message


def all_defects(message: EmailMessage) -> list[object]:
    return [
        defect
        for part in message.walk()
        for defect in (*part.defects, *(d for value in part.values() for d in getattr(value, "defects", ())))
    ]


def contents(message: EmailMessage) -> tuple[str, str]:
    """The text part and the HTML part."""
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")
