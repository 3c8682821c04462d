"""Which language of a template a contact gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

# Codes that Java, and so Android, still sends for languages renamed in 1989.
RENAMED = {"in": "id", "iw": "he", "ji": "yi"}


def choose(
    templates: Mapping[tuple[str, str | None], T],
    name: str,
    contact_locale: str | None,
    organisation_locale: str | None,
) -> T | None:
    """By the contact's locale, then the organisation's, then the plain one; None if the name has none of these.

    Keys are (name, locale of the file's name or None). `id-ID`, `id_ID` and Android's `in_ID` find `id`, if there is no `id_ID`.
    """
    known = {
        "_".join(language_names(locale)[:1]): template
        for (other, locale), template in templates.items()
        if other == name and locale is not None
    }
    for wanted in (contact_locale, organisation_locale):
        for language in language_names(wanted or ""):
            if language in known:
                return known[language]
    return templates.get((name, None))


def language_names(name: str) -> tuple[str, ...]:
    """The names under which a template for this locale may stand, the most exact first: `id_ID` gives `id_id` and `id`."""
    parts = [part for part in re.split(r"[-_]", name.strip().lower()) if part]
    if not parts:
        return ()
    parts[0] = RENAMED.get(parts[0], parts[0])
    return tuple("_".join(parts[:count]) for count in range(len(parts), 0, -1))
