"""Known: everything that is on record about one person, as it stands; only reads."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from engine.store import consents, contacts, enrollments, segments, suppressions
from engine.store.contacts import ContactRow


def addresses(contact: ContactRow) -> list[tuple[str, str]]:
    """Where the person can be reached: (channel, address). The phone serves SMS and WhatsApp."""
    phone = [(channel, contact.phone) for channel in ("sms", "whatsapp")]
    return [(channel, address) for channel, address in [("email", contact.email), *phone] if address is not None]


def known(conn: Connection, contact: ContactRow) -> dict[str, Any]:
    """`identities`, columns and `traits`; `consents`: the newest word on each topic and channel; `suppressions` of the
    person's addresses; `segments`; `journeys`: each passage and where it stands.
    """
    newest = {(row["topic"], row["channel"]): row for row in consents.of_contact(conn, contact.id)}
    passages = enrollments.of_contact(conn, contact.id)
    return {
        "id": contact.id,
        "user_id": contact.user_id,
        "email": contact.email,
        "phone": contact.phone,
        "locale": contact.locale,
        "timezone": contact.timezone,
        "identities": [{"kind": kind, "value": value} for kind, value in contacts.identities(conn, contact.id)],
        "traits": contact.traits,
        "consents": [newest[key] for key in sorted(newest)],
        "suppressions": suppressions.of_addresses(conn, addresses(contact)),
        "segments": segments.of_contact(conn, contact.id),
        "journeys": [
            {
                "journey": passage.journey,
                "key": passage.enrollment.key,
                "state": passage.enrollment.state,
                "step": passage.enrollment.step,
                "reason": passage.enrollment.reason,
                "entered_at": passage.enrollment.entered_at,
                "due_at": passage.enrollment.due_at,
                "ended_at": passage.enrollment.ended_at,
            }
            for passage in passages
        ],
    }
