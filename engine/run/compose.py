"""Compose: the message of one send, from the template in the person's language and the data it may see."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict

from channels.base import EmailMessage, TextMessage
from engine.config import Config, Organisation
from engine.consent.token import UnsubscribeClaims, unsubscribe_url
from engine.errors import RenderError, WorkspaceError
from engine.message.cldr import currency_of
from engine.message.formats import Formats
from engine.message.mail_template import EmailTemplate
from engine.message.mime import Mailbox, read_mailbox
from engine.message.program import Program, build
from engine.message.text_template import TextTemplate
from engine.moments import is_zone
from engine.run.machines import Machines
from engine.run.post import Composed
from engine.run.settings import Settings
from engine.store.intents import LockedSend
from engine.templates import Template, Templates


class _FormatArguments(TypedDict):
    locale: str
    timezone: str
    currency: str | None


@dataclass
class TemplateComposer:
    """Renders with the workspace's templates, as they and config.yaml stand when it is asked. `senders`: the sender mailbox of each channel, as its options say."""

    settings: Settings
    templates: Templates
    machines: Machines
    senders: Mapping[str, str | None]
    _programs: dict[tuple[int, str, str], Program] = field(default_factory=dict)

    def has_template(self, channel: str, template: str) -> bool:
        """Whether there is a version that everybody can get."""
        return self.templates.has(channel, template)

    def compose(self, send: LockedSend, channel: str, address: str, now: datetime) -> Composed:
        """The message as it goes over the wire. Raises `RenderError`, whatever is wrong with template or data."""
        try:
            template = self.templates.get(channel, send.template, send.contact.get("locale"))
        except WorkspaceError as error:
            raise RenderError(send.template, f"the template does not compile: {error}") from error
        if template is None:
            raise RenderError(send.template, f"there is no such template for {channel}")
        standing = self.settings()
        values = self._values(send, channel, standing.config)
        if isinstance(template, EmailTemplate):
            made = self._mail(send, template, values, address, now, standing.config)
        else:
            made = self._text(send, template, values, address, standing.config)
        return replace(made, config_hash=standing.hash)

    def _mail(
        self,
        send: LockedSend,
        template: EmailTemplate,
        values: Mapping[str, Any],
        address: str,
        now: datetime,
        config: Config,
    ) -> Composed:
        rendered = template.render(values, **_formats(send, config.organisation))
        sender = template.sender or self._sender(config)
        message_id = send.message_id or _message_id(send, sender, config)
        name = send.contact.get("name") or send.contact.get("first_name")
        data = template.skeleton.assemble(
            rendered,
            to_address=address,
            to_name=name if isinstance(name, str) else None,
            from_=sender,
            reply_to=template.reply_to,
            message_id=message_id,
            date=now,
            list_unsubscribe=values["unsubscribe_url"] if send.kind == "marketing" else None,
        )
        mail = EmailMessage(send.id, send.attempts + 1, address, sender.address, data)
        return Composed(mail, template.hash, message_id)

    def _text(
        self, send: LockedSend, template: Template, values: Mapping[str, Any], address: str, config: Config
    ) -> Composed:
        formats = _formats(send, config.organisation)
        if isinstance(template, TextTemplate):
            text = template.render(values, **formats)
            return Composed(TextMessage(send.id, send.attempts + 1, address, text), template.hash)
        assert not isinstance(template, EmailTemplate)
        text = template.fallback.render(values, **formats)
        filled = {name: variable.render(values, **formats) for name, variable in template.variables.items()}
        message = TextMessage(send.id, send.attempts + 1, address, text, template.content_sid, filled)
        return Composed(message, template.hash)

    # --- what a template sees ---

    def _values(self, send: LockedSend, channel: str, config: Config) -> dict[str, Any]:
        claims = UnsubscribeClaims(send.contact_id, send.topic or "all", channel, send.id)
        organisation = config.organisation
        values: dict[str, Any] = {
            "contact": dict(send.contact),
            "event": dict(send.event),
            "organisation": {"name": organisation.name, "postal_address": organisation.postal_address},
            "unsubscribe_url": unsubscribe_url(config.web.public_url, claims, config.web.secret_keys),
        }
        if send.matched is not None:
            values["matched"] = dict(send.matched)
        values["vars"] = self._vars(send, values, organisation)
        return values

    def _vars(self, send: LockedSend, values: Mapping[str, Any], organisation: Organisation) -> dict[str, Any]:
        """The step's own values; text among them is rendered like a message."""
        step = self._step_vars(send)
        formats = Formats(**_formats(send, organisation))
        return {
            name: self._program(send, name, value).text(values, formats, send.template)
            if isinstance(value, str)
            else value
            for name, value in step.items()
        }

    def _step_vars(self, send: LockedSend) -> Mapping[str, Any]:
        machine = self.machines.known(send.version_id)
        return getattr(machine.states[send.step], "vars", {})

    def _program(self, send: LockedSend, name: str, text: str) -> Program:
        key = (send.version_id, send.step, name)
        if key not in self._programs:
            try:
                self._programs[key] = build(text, escape=False)
            except ValueError as error:
                raise RenderError(send.template, f"the variable '{name}' of step '{send.step}': {error}") from error
        return self._programs[key]

    # --- who it is from ---

    def _sender(self, config: Config) -> Mailbox:
        given = self.senders.get("email")
        if given is None:
            host = config.web.public_url.split("//", 1)[-1].split("/", 1)[0].split(":", 1)[0]
            given = f"no-reply@{host if '.' in host and not host[-1].isdigit() else 'example.com'}"
        mailbox = read_mailbox(given)
        return mailbox if mailbox.name else Mailbox(mailbox.address, config.organisation.name)


def _formats(send: LockedSend, organisation: Organisation) -> _FormatArguments:
    """How amounts, dates and times are written: by the contact's language and zone, else the organisation's."""
    locale, zone = send.contact.get("locale"), send.contact.get("timezone")
    return {
        "locale": locale if isinstance(locale, str) else organisation.locale,
        "timezone": zone if isinstance(zone, str) and is_zone(zone) else organisation.timezone,
        "currency": currency_of(organisation.country) if organisation.country else None,
    }


def _message_id(send: LockedSend, sender: Mailbox, config: Config) -> str:
    """The same for every attempt of a send and for no other send; on the sender's domain (RFC 5322 3.6.4)."""
    said = f"{send.id}|{send.enrollment_id}|{send.step}|{send.round}|{config.web.secret_keys[:1]}"
    return f"<{send.id}.{hashlib.sha256(said.encode()).hexdigest()[:20]}@{sender.address.rpartition('@')[2]}>"
