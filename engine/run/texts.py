"""Texts: what a journey's own words say to or about one person, rendered like a message."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from engine.config import Organisation
from engine.document import Plain
from engine.errors import RenderError
from engine.journey.rendered import render
from engine.message.cldr import currency_of
from engine.message.formats import Formats
from engine.message.program import Program, build
from engine.moments import is_zone


class Texts:
    """Renders for one organisation: it is what `organisation` shows, and its language and zone hold for whoever has none."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self._currency = currency_of(organisation.country) if organisation.country else None

    def fill(
        self,
        value: Plain,
        where: str,
        contact: Mapping[str, Any],
        event: Mapping[str, Any],
        matched: Mapping[str, Any] | None,
    ) -> Plain:
        """The value with every text in it rendered. Raises `RenderError`, which names `where`, if this person's data lacks
        something.
        """
        us = self.organisation
        seen: dict[str, Any] = {
            "contact": dict(contact),
            "event": dict(event),
            "organisation": {"name": us.name, "postal_address": us.postal_address},
        }
        if matched is not None:
            seen["matched"] = dict(matched)
        formats = self._formats(contact)
        return render(value, lambda text: _program(text, where).text(seen, formats, where))

    def _formats(self, contact: Mapping[str, Any]) -> Formats:
        us, locale, zone = self.organisation, contact.get("locale"), contact.get("timezone")
        return Formats(
            locale if isinstance(locale, str) else us.locale,
            zone if isinstance(zone, str) and is_zone(zone) else us.timezone,
            self._currency,
        )


def _program(text: str, where: str) -> Program:
    try:
        return _built(text)
    except ValueError as error:  # a stored version may hold what a later Alur refuses
        raise RenderError(where, str(error)) from error


@lru_cache(maxsize=1024)
def _built(text: str) -> Program:
    return build(text, escape=False)
