"""What an SMTP server's reply means for one mail: pure, stage by stage (RFC 5321 section 4.2, RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from channels.base import Accepted, Ambiguous, Receipt, Rejected, Throttled, Unreachable

Stage = Literal["RSET", "MAIL", "RCPT", "DATA", "dot"]

# SMTP names no time. A recipient's 4xx is mostly greylisting (opens after 5 minutes), a sender's 421 passes sooner.
RECIPIENT_LATER: Final = 300.0
CHANNEL_LATER: Final = 60.0

_LOGIN_CODES: Final = frozenset({530, 534, 535, 538})  # RFC 4954: log in first, or the log-in is refused
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
_QUEUE_ID: Final = re.compile(r"(?:queued as|queued mail|\bid=)\s*<?([^\s<>,;]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """One whole reply; `text` holds its lines without the codes, joined by line feeds."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The status of RFC 3463 such as `5.1.1`, or nothing."""
        found = _ENHANCED.match(self.text)
        return found.group() if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".replace("\n", " / ")


def goes_on(stage: Stage, reply: Reply) -> bool:
    """Whether this is the reply with which the dialogue continues (after the dot: the acceptance)."""
    return reply.code == 354 if stage == "DATA" else 200 <= reply.code < 300


def is_refusal(reply: Reply) -> bool:
    """Whether the server says no, for now or for good; other codes that don't go on make no sense."""
    return 400 <= reply.code < 600


def acceptance(reply: Reply) -> Accepted:
    """The receipt of a mail whose final dot was answered by 2xx; `provider_id` is the queue id, where one is told."""
    found = _QUEUE_ID.search(reply.text)
    return Accepted(found.group(1) if found else "", str(reply))


def refusal(stage: Stage, reply: Reply) -> Rejected | Throttled | Unreachable:
    """The receipt of a definite refusal at this stage; the mail was not accepted, whatever the stage.

    MAIL is about us, the sender, and not about the person: what is refused there would be refused for everybody,
    so it closes the channel instead of failing person after person. Only the size is the mail's own fault.
    """
    if (
        reply.code == 503 and stage != "dot"
    ):  # bad sequence of commands: the two sides have lost each other, nothing is said of the mail
        return Unreachable(f"{stage}: {reply}")
    if reply.code < 500:
        ours = reply.code == 421 or stage == "MAIL" or reply.enhanced.startswith("4.3.")
        return Throttled(CHANNEL_LATER if ours else RECIPIENT_LATER, str(reply), whole_channel=ours)
    if reply.code in _LOGIN_CODES:
        return Unreachable(f"{stage}: {reply}", closed=True)
    reason = _reason(stage, reply)
    if stage == "MAIL" and reason != "content":
        return Unreachable(f"{stage}: {reply}", closed=True)
    return Rejected(reason, str(reply))


def opening_refusal(reply: Reply) -> Throttled | Unreachable:
    """The receipt when the greeting, EHLO, STARTTLS or the log-in is refused; no mail was spoken of."""
    if reply.code == 421:
        return Throttled(CHANNEL_LATER, str(reply), whole_channel=True)
    return Unreachable(str(reply), closed=500 <= reply.code < 600)


def nonsense(stage: Stage, reply: Reply) -> Receipt:
    """The receipt for a code that is neither yes nor no; only after the dot it leaves the mail's fate open."""
    detail = f"the server answered {stage} with {reply}"
    return Ambiguous(detail) if stage == "dot" else Unreachable(detail)


def speaks_for_all(receipt: Receipt) -> bool:
    """Whether the next mail would get the same, so that it must not be tried now."""
    match receipt:
        case Throttled(whole_channel=True) | Unreachable(closed=True):
            return True
        case _:
            return False


def _reason(stage: Stage, reply: Reply) -> str:
    """The stable word for a 5xx: by the enhanced status, which tells a bad address from a blocked sender, or stage."""
    subject = reply.enhanced.partition(".")[2].partition(".")[0]
    if reply.enhanced in ("5.2.3", "5.3.4") or subject == "6":
        return "content"
    if subject in ("1", "2"):
        return "address"
    if subject == "7":
        return "policy"
    if reply.code == 552 and stage != "RCPT":
        return "content"
    return {"RCPT": "address", "DATA": "content", "dot": "content"}.get(stage, "other")
