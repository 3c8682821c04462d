"""One person's goodbye: a real mail's unsubscribe link, followed as a mail program and a person would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from sqlalchemy import Connection

from engine.consent.token import read
from engine.demo.shop import Customer
from engine.demo.stage import Stage
from engine.errors import AlurError
from engine.moments import yearly
from engine.store import consents, contacts, sends

_AFTER: Final = timedelta(days=1)
"""How long after the sign-up the person leaves: after the first mail, before the second."""
_TIME_TO_TELL: Final = timedelta(days=6)
"""After the sign-up: by then the second mail has fallen due."""
_SOON: Final = timedelta(days=28)
_ONE_CLICK: Final = {"List-Unsubscribe": "One-Click"}  # RFC 8058 section 3.1


class PromiseBrokenError(AlurError):
    """Something that Alur promises was not so in this demonstration."""


@dataclass(frozen=True)
class Goodbye:
    """What was done and what came back. `mail` is the file whose link was followed, `topic` what that link is about."""

    at: datetime
    mail: Path
    topic: str
    url: str
    get_status: int
    post_status: int
    consents_before: int
    consents_after_get: int
    consents_after_post: int


def who_leaves(people: Sequence[Customer], start: datetime, end: datetime) -> Customer:
    """The one to tell about: signs up, allows mail and no texts, buys nothing for two weeks; best with a birthday soon."""
    candidates = [
        customer
        for customer in people
        if customer.mail
        and not customer.texts
        and customer.joins is not None
        and start <= customer.joins < end - _TIME_TO_TELL
        and not customer.buys(customer.joins, customer.joins + timedelta(days=14))
    ]
    if not candidates:
        raise PromiseBrokenError("nobody signs up in these weeks whose goodbye could be told; play more of them")
    return min(candidates, key=lambda customer: (not _birthday_follows(customer, end), customer.joins, customer.id))


def _birthday_follows(customer: Customer, end: datetime) -> bool:
    assert customer.joins is not None
    birthday = datetime.combine(yearly(customer.birthday, end.year, "feb28"), customer.joins.timetz())
    return _TIME_TO_TELL <= birthday - customer.joins <= _SOON and birthday < end


def when_leaving(customer: Customer) -> datetime:
    """The instant of the goodbye."""
    assert customer.joins is not None
    return customer.joins + _AFTER


def say_goodbye(stage: Stage, customer: Customer) -> Goodbye:
    """Take the first mail that this person has got, look at the page behind its List-Unsubscribe, then post one-click.

    Raises `PromiseBrokenError` when the GET changes anything, or the POST does not answer 200.
    """
    path, mail = _first_mail(stage.mails, customer.email)
    url = _at_edge(str(mail["List-Unsubscribe"]).strip("<> "), stage.url)
    claims = read(url.rpartition("/")[2], stage.app.config.web.secret_keys)
    before = _consents(stage, customer)
    with requests.Session() as session:
        session.trust_env = False
        page = session.get(url, timeout=10, allow_redirects=False)
        seen = _consents(stage, customer)
        answer = session.post(url, data=_ONE_CLICK, timeout=10, allow_redirects=False)
    after = _consents(stage, customer)
    if page.status_code != 200 or seen != before:
        raise PromiseBrokenError(f"looking at {url} answered {page.status_code} and changed the consent")
    if answer.status_code != 200 or len(after) != len(before) + 1 or after[-1]["given"]:
        raise PromiseBrokenError(
            f"one-click unsubscribe at {url} answered {answer.status_code} and recorded no withdrawal"
        )
    said = (page.status_code, answer.status_code)
    return Goodbye(stage.clock(), path, claims.topic, url, *said, len(before), len(seen), len(after))


def check_silence(stage: Stage, customer: Customer, said: Goodbye) -> list[dict[str, Any]]:
    """The messages of the topic that fell due after the goodbye: each withheld for want of consent, and at least one.

    Raises `PromiseBrokenError` if that is not so.
    """
    topical = {name for name, file in stage.definitions.journeys.items() if file.journey.topic == said.topic}
    with stage.app.engine.connect() as conn:
        mine = sends.of_contact(conn, contact_id(conn, customer))
    later = [send for send in mine if send["due_at"] > said.at and send["journey"] in topical]
    if not later or any((send["state"], send["reason"]) != ("withheld", "no_consent") for send in later):
        raise PromiseBrokenError(f"after the goodbye of {customer.email} not every message was withheld")
    return later


def _first_mail(folder: Path, address: str) -> tuple[Path, EmailMessage]:
    """The oldest mail to this address, parsed."""
    mine: list[tuple[Path, EmailMessage]] = []
    for path in sorted(folder.glob("*.eml")):
        mail = BytesParser(policy=default).parsebytes(path.read_bytes(), headersonly=True)
        assert isinstance(mail, EmailMessage)
        if address in str(mail["To"]):
            mine.append((path, mail))
    if not mine:
        raise PromiseBrokenError(f"no mail has reached {address}")
    return min(mine, key=lambda item: str(item[1]["Date"].datetime))


def _at_edge(url: str, edge: str) -> str:
    """The same page on the local edge, wherever the mail says it is."""
    return urlunsplit((*urlsplit(edge)[:2], *urlsplit(url)[2:]))


def contact_id(conn: Connection, customer: Customer) -> int:
    """The number under which the database knows a customer."""
    found = contacts.owners(conn, [("user_id", customer.user_id)])
    return found["user_id", customer.user_id]


def _consents(stage: Stage, customer: Customer) -> list[dict[str, Any]]:
    with stage.app.engine.connect() as conn:
        return consents.of_contact(conn, contact_id(conn, customer))
