"""What customers answer to a message: they unsubscribe. Committed under the contact's lock before anybody is told so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine, text

from engine.consent.token import UnsubscribeClaims
from engine.run.record import OvertakenError, settle
from engine.store import consents, contacts, suppressions
from engine.store.consents import ConsentRow
from engine.store.contacts import ContactRow
from engine.store.suppressions import Suppression

How = Literal["one_click", "unsubscribe_link"]
Unsubscribed = Literal["done", "already", "nobody"]

_ADDRESS = text("SELECT address FROM send WHERE id = :id AND contact_id = :contact AND channel = :channel")


def unsubscribe(
    engine: Engine, claims: UnsubscribeClaims, now: datetime, *, everything: bool = False, how: How = "unsubscribe_link"
) -> Unsubscribed:
    """Take back consent to the topic on the channel; with `everything`, also suppress the address for all marketing.

    When this returns it is committed, having held the contact's row lock: from then on no intent for that contact and
    topic is written (promise P4). `already`: it was so before, and no row was added (E5). `nobody`: the contact has been
    erased or never was. A contact that was merged into another one is that one.
    """
    return settle(engine, lambda conn: _unsubscribe(conn, claims, now, everything, how))


def _unsubscribe(
    conn: Connection, claims: UnsubscribeClaims, now: datetime, everything: bool, how: How
) -> Unsubscribed:
    contact_id = contacts.final_id(conn, claims.contact_id)
    rows = contacts.lock(conn, [contact_id] if contact_id is not None else [])
    if not rows or rows[0].erased_at is not None:
        return "nobody"
    contact = rows[0]
    if contact.merged_into is not None:
        raise OvertakenError("the contact was merged into another meanwhile")
    changed = 0
    holds = consents.newest(conn, [contact.id]).get((contact.id, claims.topic, claims.channel))
    if holds is None or holds.given:
        row = ConsentRow(contact.id, claims.topic, claims.channel, False, now, how)
        changed += consents.write(conn, [row])
    if everything:
        found = [
            Suppression(claims.channel, address, "marketing", "unsubscribe", how, now)
            for address in _addresses(conn, contact, claims)
        ]
        changed += suppressions.add(conn, found)
    return "done" if changed else "already"


def _addresses(conn: Connection, contact: ContactRow, claims: UnsubscribeClaims) -> list[str]:
    """Where the message went, and the address that the contact has now."""
    now_at = contact.email if claims.channel == "email" else contact.phone
    went_to = conn.scalar(_ADDRESS, {"id": claims.send_id, "contact": contact.id, "channel": claims.channel})
    return [address for address in (now_at, went_to) if address is not None]


@dataclass(frozen=True)
class Subscription:
    """What the page behind an unsubscribe link may show. `everything`: the address is suppressed for all marketing."""

    topic: str
    channel: str
    address: str | None
    locale: str | None
    given: bool
    everything: bool


def subscription(engine: Engine, claims: UnsubscribeClaims) -> Subscription | None:
    """How things stand with the topic and channel of a link; only reads. None: there is nobody any more."""
    with engine.connect() as conn:
        contact_id = contacts.final_id(conn, claims.contact_id)
        contact = contacts.get(conn, contact_id) if contact_id is not None else None
        if contact is None or contact.erased_at is not None:
            return None
        holds = consents.newest(conn, [contact.id]).get((contact.id, claims.topic, claims.channel))
        address = contact.email if claims.channel == "email" else contact.phone
        suppressed = suppressions.standing(conn, [(claims.channel, address)] if address is not None else [])
    given = holds is not None and holds.given
    return Subscription(claims.topic, claims.channel, address, contact.locale, given, bool(suppressed))
