"""Why: everything that was decided about one contact, and for each message not sent its one reason; only reads."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engine.run.known import addresses
from engine.store import calls, consents, contacts, enrollments, events, holds, sends, suppressions, traces, waiting

REASONS = {
    "no_template": "there is no template for this channel",
    "no_address": "the contact has no address for this channel",
    "suppressed": "the address is suppressed",
    "no_consent": "the contact has not consented to this topic on this channel, or has taken it back",
    "exited": "the contact had left the journey",
    "expired": "it was not begun in time",
    "cap": "the contact has had as many messages as the cap allows",
    "quiet_hours": "it is night where the contact lives, or whatever hours are quiet",
    "throttle": "the journey sends only so many in a time, and others are before it",
    "channel_held": "the channel is paused, or its provider has asked for patience",
    "paused": "the journey or the send run is paused",
    "unreadable": "this version of Alur can't read the version of the journey",
    "refused": "every channel refused it",
    "render": "the message could not be made from this contact's data",
    "ambiguous": "the connection broke after the last byte: it may have arrived, and is never sent twice",
    "lease_lapsed": "the process died while it was on the wire: it may have arrived, and is never sent twice",
    "reconciling": "the provider is being asked whether it arrived",
    "gave_up": "the provider put it off for three days",
}
"""What each reason means, in a sentence that follows 'because'."""

CALL_REASONS = {
    "exited": "the contact had left the journey",
    "render": "the body could not be made from this contact's data",
    "rejected": "the server refused it",
    "redirected": "the server sent it elsewhere, and redirects are not followed",
    "internal": "the url leads to an internal address, which config.yaml does not allow",
    "gave_up": "nobody took it for a day",
}
"""The same for the calls of webhooks."""


def why(conn: Connection, contact_id: int, journey: str | None = None) -> dict[str, Any]:
    """`journeys`: each passage with its decisions in order; `not_entered`: decisions at the door of others; `messages`: each
    send, with its reason if it was not sent; `calls`: each webhook likewise; `events`, `consents`, `suppressions`: what came in, in order; `holds`: what
    keeps the contact's steps or messages back now.

    With `journey`, only what it did, and only the events that it decided about.
    """
    passages: list[dict[str, Any]] = [
        {
            "journey": standing.journey,
            "enrollment_id": standing.enrollment.id,
            "key": standing.enrollment.key,
            "state": standing.enrollment.state,
            "step": standing.enrollment.step,
            "reason": standing.enrollment.reason,
            "entered_at": standing.enrollment.entered_at,
            "due_at": standing.enrollment.due_at,
            "ended_at": standing.enrollment.ended_at,
            "goal_at": standing.enrollment.goal_at,
            "goal_value": standing.enrollment.goal_value,
            "decisions": [],
        }
        for standing in enrollments.of_contact(conn, contact_id)
        if journey in (None, standing.journey)
    ]
    by_id = {passage["enrollment_id"]: passage for passage in passages}
    turned_away = []
    for trace in traces.of_contact(conn, contact_id, journey):
        decision = {"at": trace["at"], "signal": trace["signal"], "lines": trace["lines"]}
        passage = by_id.get(trace["enrollment_id"])
        if passage is not None:
            passage["decisions"].append(decision)
        else:
            turned_away.append({"journey": trace["journey"], **decision})
    messages = [
        {**send, "because": because(send["state"], send["held"] or send["reason"])}
        for send in sends.of_contact(conn, contact_id)
        if journey in (None, send["journey"])
    ]
    decisions = [*turned_away, *(decision for passage in passages for decision in passage["decisions"])]
    decided = {decision["at"] for decision in decisions if decision["signal"] == "event"}
    contact = contacts.get(conn, contact_id)
    return {
        "journeys": passages,
        "not_entered": turned_away,
        "messages": messages,
        "calls": [
            {**call, "because": CALL_REASONS.get(call["reason"], call["reason"])}
            for call in calls.of_contact(conn, contact_id)
            if journey in (None, call["journey"])
        ],
        "events": [e for e in events.of_contact(conn, contact_id) if journey is None or e["at"] in decided],
        "consents": consents.of_contact(conn, contact_id),
        "suppressions": suppressions.of_addresses(conn, addresses(contact) if contact is not None else []),
        "holds": _holds(conn, passages, messages),
    }


def still_waiting(conn: Connection, contact_id: int, now: datetime, journey: str | None = None) -> list[dict[str, Any]]:
    """What is due and not taken up yet, oldest first: an enrolling by hand, an event, a wait that is over, while nothing runs
    or all workers are busy. With `journey`, what may concern it.
    """
    paused = [hold.name for hold in holds.standing(conn) if hold.scope == "journey"]
    found = waiting.of_contact(conn, contact_id, now, paused)
    return [signal for signal in found if journey is None or signal["journey"] in (None, journey)]


def _holds(conn: Connection, passages: list[dict[str, Any]], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Holds on journeys in which the contact is under way, and on channels by which a message of theirs may go."""
    journeys = {passage["journey"] for passage in passages if passage["state"] == "active"}
    channels = {channel for message in messages if message["state"] == "planned" for channel in message["via"]}
    concerned = {*(("journey", name) for name in journeys), *(("channel", name) for name in channels)}
    return [asdict(hold) for hold in holds.standing(conn) if (hold.scope, hold.name) in concerned]


def because(state: str, reason: str | None) -> str | None:
    """What a send's reason means, in a sentence that follows 'because'; None when there is nothing to explain."""
    if reason is None or state in ("accepted", "delivered"):
        return None
    if reason.startswith("rejected_"):
        return f"the provider refused it ({reason.removeprefix('rejected_')})"
    return REASONS.get(reason, reason)
