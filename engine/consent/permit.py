"""`permit`: whether a due message may go out now, and over which channel. Pure; asked in the transaction of the intent and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SendKind = Literal["marketing", "transactional"]
Scope = Literal["marketing", "all"]


@dataclass(frozen=True)
class DueSend:
    """The send as it was planned. `refused`: channels whose provider has refused it for good."""

    kind: SendKind
    via: tuple[str, ...]
    refused: frozenset[str] = frozenset()
    expires_at: datetime | None = None


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
    """`exited`: the enrollment has ended, or one of its exit rules holds at this moment."""

    exited: bool
    channels: Mapping[str, ChannelFacts]


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


def permit(send: DueSend, facts: SendFacts, now: datetime) -> Allowed | Held | Withheld:
    """The first channel of `via` that has a template, an address, consent and no suppression, and is not held.

    If channels are only held, the send waits for the earliest; if none may be used, the reason is that of the first.
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
        verdict = _channel(send.kind, channel, facts.channels[channel], now)
        match verdict:
            case Allowed():
                return verdict
            case Held():
                held.append(verdict)
            case Withheld(reason=reason):
                reasons.append(reason)
    if held:
        return min(held, key=lambda hold: hold.until)
    return Withheld(reasons[0] if reasons else "refused")


def _channel(kind: SendKind, channel: str, facts: ChannelFacts, now: datetime) -> Allowed | Held | Withheld:
    if not facts.has_template:
        return Withheld("no_template")
    if facts.address is None:
        return Withheld("no_address")
    marketing = kind == "marketing"
    if "all" in facts.suppressed or (marketing and "marketing" in facts.suppressed):
        return Withheld("suppressed")
    if marketing and facts.consent_id is None:
        return Withheld("no_consent")
    if facts.held_until is not None and facts.held_until > now:
        return Held(facts.held_until, "channel_held")
    return Allowed(channel, facts.address, facts.consent_id if marketing else None)
