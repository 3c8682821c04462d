"""`permit`: whether a due message may go out now, and over which channel. Pure; asked in the transaction of the intent and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from engine.config import Cap, Delivery, QuietHours
from engine.moments import first_outside

SendKind = Literal["marketing", "transactional"]
Scope = Literal["marketing", "all"]

_MAKE_WAY = timedelta(seconds=1)
"""How soon a message asks again that left the last room under a cap to one that goes before it."""


@dataclass(frozen=True)
class Rules:
    """What holds for a marketing message besides consent: quiet hours by the clock of `zone`, and every cap."""

    quiet_hours: QuietHours | None = None
    zone: str = "UTC"
    caps: tuple[Cap, ...] = ()


@dataclass(frozen=True)
class DueSend:
    """The send as it was planned. `refused`: channels whose provider has refused it for good."""

    kind: SendKind
    via: tuple[str, ...]
    refused: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    rules: Rules = Rules()


@dataclass(frozen=True)
class ChannelFacts:
    """What holds for one channel of the contact. `consent_id` is the newest consent row, if it gives consent;
    `held_until`: the channel is paused or slowed down till then.
    """

    has_template: bool
    address: str | None
    suppressed: frozenset[Scope] = frozenset()
    consent_id: int | None = None
    held_until: datetime | None = None


@dataclass(frozen=True)
class SendFacts:
    """`exited`: the enrollment has ended, or one of its exit rules holds at this moment. `intents`: those of the contact's
    other marketing sends, at least as far back as the caps look. `ahead`: how many more of the contact's marketing sends
    are due now and go before this one, but have no intent yet.
    """

    exited: bool
    channels: Mapping[str, ChannelFacts]
    intents: Sequence[datetime] = ()
    ahead: int = 0


@dataclass(frozen=True)
class Allowed:
    """Go, over this channel to this address; `consent_id` is the proof it refers to (None for transactional mail)."""

    channel: str
    address: str
    consent_id: int | None


@dataclass(frozen=True)
class Held:
    """Not now: ask again at `until`."""

    until: datetime
    reason: str


@dataclass(frozen=True)
class Withheld:
    """Never: the one reason why this message was not sent."""

    reason: str


Verdict = Allowed | Held | Withheld


def rules_of(journey: Delivery, defaults: Delivery, contact_zone: str) -> Rules:
    """The rules of a journey over the defaults of config.yaml; of two caps both hold, so that the strictest does.

    `contact_zone`: of the contact, else of the organisation.
    """
    said = journey.timezone or defaults.timezone or "contact"
    return Rules(
        journey.quiet_hours or defaults.quiet_hours,
        contact_zone if said == "contact" else said,
        tuple(cap for cap in (journey.cap, defaults.cap) if cap is not None),
    )


def permit(send: DueSend, facts: SendFacts, now: datetime) -> Verdict:
    """The first channel of `via` that has a template, an address, consent and no suppression, and is not held by a cap, quiet
    hours or its provider.

    If channels are only held, the send waits for the earliest, at most until it expires; if none may be used, the reason is
    that of the first.
    """
    if facts.exited:
        return Withheld("exited")
    if send.expires_at is not None and now >= send.expires_at:
        return Withheld("expired")
    reasons: list[str] = []
    held: list[Held] = []
    for channel in send.via:
        if channel in send.refused:
            continue
        verdict = _channel(send, channel, facts, now)
        match verdict:
            case Allowed():
                return verdict
            case Held():
                held.append(verdict)
            case Withheld(reason=reason):
                reasons.append(reason)
    if held:
        first = min(held, key=lambda hold: hold.until)
        # Whoever waits for what can't come in time any more goes on when it expires, not when the hold ends.
        return first if send.expires_at is None else Held(min(first.until, send.expires_at), first.reason)
    return Withheld(reasons[0] if reasons else "refused")


def _channel(send: DueSend, channel: str, all_facts: SendFacts, now: datetime) -> Verdict:
    facts = all_facts.channels[channel]
    marketing = send.kind == "marketing"
    if not facts.has_template:
        return Withheld("no_template")
    if facts.address is None:
        return Withheld("no_address")
    if "all" in facts.suppressed or (marketing and "marketing" in facts.suppressed):
        return Withheld("suppressed")
    if marketing and facts.consent_id is None:
        return Withheld("no_consent")
    if marketing:
        verdict = _capped(send.rules.caps, all_facts, now) or _quiet(send.rules, channel, now)
        if verdict is not None:
            return verdict
    if facts.held_until is not None and facts.held_until > now:
        return Held(facts.held_until, "channel_held")
    return Allowed(channel, facts.address, facts.consent_id if marketing else None)


def _capped(caps: Sequence[Cap], facts: SendFacts, now: datetime) -> Held | Withheld | None:
    """What the strictest cap says: no before later, and of two 'later' the later one."""
    held: list[datetime] = []
    for cap in caps:
        counted = sorted(at for at in facts.intents if at > now - cap.per)  # one exactly `per` old no longer counts
        if len(counted) >= cap.most:
            if cap.then == "skip":
                return Withheld("cap")
            held.append(counted[-cap.most] + cap.per)  # the instant at which there is room for one
        elif len(counted) + facts.ahead >= cap.most:
            held.append(now + _MAKE_WAY)
    return Held(max(held), "cap") if held else None


def _quiet(rules: Rules, channel: str, now: datetime) -> Held | Withheld | None:
    hours = rules.quiet_hours
    if hours is None or channel not in hours.channels:
        return None
    until = first_outside(now, hours.start, hours.end, rules.zone)
    if until == now:
        return None
    return Withheld("quiet_hours") if hours.then == "skip" else Held(until, "quiet_hours")
