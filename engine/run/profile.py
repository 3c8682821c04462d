"""What an `identify`, an imported row or a test's contact says of a person, read into columns, traits and consent; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from engine.consent.address import email_address, phone_number
from engine.consent.statement import ConsentUnreadableError, Statement, read_statements
from engine.errors import AddressError, AlurError
from engine.moments import is_zone

COLUMNS: Final = ("email", "phone", "locale", "timezone")

# Traits with a meaning of their own, in the spelling that conditions and templates use. Segment's reserved traits
# (segment.com/docs/connections/spec/identify/#traits) come in camel case; any other trait keeps its spelling.
_WELL_KNOWN: Final = frozenset(
    {
        "address", "age", "avatar", "birthday", "company", "created_at", "description", "email", "first_name", "gender",
        "last_name", "name", "phone", "title", "username", "website", "locale", "timezone", "tags", "consent", "consent_wording",
    }
)  # fmt: skip
_SPELLED_OTHERWISE: Final = {"time_zone": "timezone"}

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GAP = re.compile(r"[\W_]+")

# ISO 639 codes that old Java and Android versions still send.
_RENAMED_LANGUAGES: Final = {"in": "id", "iw": "he", "ji": "yi"}
_LANGUAGE_TAG = re.compile(r"([A-Za-z]{2,3})([-_.@][A-Za-z0-9_.@-]{0,30})?")


class FieldRefusedError(AlurError):
    """A message or row can't be taken because of one field; `field` names it as the sender wrote it."""

    def __init__(self, name: str, reason: str) -> None:
        self.field = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")


@dataclass(frozen=True)
class Rules:
    """What reading depends on: the topics of the workspace, the country whose national phone numbers are meant, and the zone
    of whoever has none.
    """

    topics: frozenset[str]
    region: str | None
    zone: str = "UTC"


@dataclass(frozen=True)
class ConsentWord:
    """Consent as it was stated, with its proof; `at` None: no time of its own (a list that is imported)."""

    statements: tuple[Statement, ...]
    at: datetime | None
    wording: str | None


@dataclass(frozen=True)
class Profile:
    """What is said of a person. A null in `columns` or `traits` removes what is there; what is not named stays.

    `fills` are columns to set only where nothing is known yet. `suppressed` names channels whose address must not be used.
    """

    columns: Mapping[str, str | None] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    fills: Mapping[str, str] = field(default_factory=dict)
    consent: ConsentWord | None = None
    suppressed: tuple[str, ...] = ()


@lru_cache(maxsize=16384)
def fold_name(name: str) -> str:
    """The one spelling of an event's or well-known trait's name: words in lower case, joined by `_`.

    A new word begins after anything but a letter or digit, at a capital after a small letter or digit, and at the last
    capital of a run before a small letter: `Order Completed`, `order-completed` and `orderCompleted` are
    `order_completed`, `SMSSent` is `sms_sent`. A name without letters and digits folds to nothing.
    """
    return _GAP.sub("_", _HUMP.sub("_", name)).strip("_").lower()


@lru_cache(maxsize=4096)
def language(tag: str) -> str | None:
    """The language of a locale (`id-ID`, `id_ID.UTF-8`, `in` are all `id`), or None for what is no locale.

    Only the language is kept, so that `contact.locale: id` and the choice of a template don't hang on how each
    device spells it.
    """
    found = _LANGUAGE_TAG.fullmatch(tag.strip())
    if found is None:
        return None
    code = found.group(1).lower()
    return _RENAMED_LANGUAGES.get(code, code)


def read_profile(said: Mapping[str, Any], rules: Rules, at: datetime | None, *, may_consent: bool = True) -> Profile:
    """The traits of an `identify`, well-known ones folded.

    An e-mail address or phone number that can't be one, and consent that can't be read, refuse the whole
    (`FieldRefusedError`). A zone or locale that does not exist stays among the traits and the column is emptied: so it
    can be counted. Without `may_consent` consent is left out.
    """
    traits = _folded(said)
    spelled = {folded: original for original, folded in _spellings(said).items()}
    consent = traits.pop("consent", None)
    wording = traits.pop("consent_wording", None)
    columns: dict[str, str | None] = {}
    for name in COLUMNS:
        if name in traits:
            _read_column(name, traits, columns, rules, f"traits.{spelled[name]}")
    word = _consent(consent, wording, rules, at, f"traits.{spelled.get('consent', 'consent')}") if may_consent else None
    return Profile(columns=columns, traits=traits, consent=word)


def fills(context: Mapping[str, Any]) -> dict[str, str]:
    """What a message's context tells of the person where no trait does: `locale` and `timezone`, if they are real."""
    found: dict[str, str] = {}
    locale = context.get("locale")
    if isinstance(locale, str) and (code := language(locale)) is not None:
        found["locale"] = code
    zone = context.get("timezone")
    if isinstance(zone, str) and is_zone(zone):
        found["timezone"] = zone
    return found


def _spellings(said: Mapping[str, Any]) -> dict[str, str]:
    """Each trait's own spelling and the one it is kept under."""
    return {name: _kept_name(name) for name in said}


@lru_cache(maxsize=16384)
def _kept_name(name: str) -> str:
    folded = fold_name(name)
    folded = _SPELLED_OTHERWISE.get(folded, folded)
    return folded if folded in _WELL_KNOWN else name


def _folded(said: Mapping[str, Any]) -> dict[str, Any]:
    traits = {_kept_name(name): value for name, value in said.items()}
    # Where both spellings are given, the plain one is meant.
    return traits | {name: value for name, value in said.items() if name in traits}


def _read_column(name: str, traits: dict[str, Any], columns: dict[str, str | None], rules: Rules, where: str) -> None:
    value = traits.pop(name)
    if isinstance(value, str) and not value.strip():
        value = None
    if name in {"locale", "timezone"}:
        columns[name] = _real(name, value)
        traits[name] = value if columns[name] is None else None
        return
    if name == "phone" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise FieldRefusedError(where, "expected text")
    try:
        columns[name] = value and (email_address(value) if name == "email" else phone_number(value, rules.region))
    except AddressError as error:
        raise FieldRefusedError(where, str(error)) from error


def _real(name: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if name == "locale":
        return language(value)
    return value if is_zone(value) else None


def _consent(value: Any, wording: Any, rules: Rules, at: datetime | None, where: str) -> ConsentWord | None:
    if wording is not None and not isinstance(wording, str):
        raise FieldRefusedError("traits.consent_wording", "expected text")
    try:
        statements = read_statements(value, rules.topics)
    except ConsentUnreadableError as error:
        raise FieldRefusedError(where, str(error)) from error
    return ConsentWord(statements, at, wording) if statements else None
