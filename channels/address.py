"""Which recipients an adapter may put on a wire at all: the last fence against an address that smuggles commands."""

from __future__ import annotations

import re
from typing import Final

from channels.base import EmailMessage, Message, Rejected

# Refused on purpose: white space and controls (they end the SMTP command), angle brackets, lists, comments, quoted
# local parts and address literals; a person's address holds none of them.
_EMAIL: Final = re.compile(r"""[^\s\x00-\x20\x7f<>()\[\],;:\\"@]{1,64}@[^\s\x00-\x20\x7f<>()\[\],;:\\"@]{1,255}""")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{5,14}")  # E.164


def is_plain_email(text: str) -> bool:
    """Whether the text is one address, `name@domain`, that can stand between `<` and `>` of an SMTP command."""
    return _EMAIL.fullmatch(text) is not None


def refused_address(message: Message) -> Rejected | None:
    """`Rejected('address')` when nothing of this message may be written to a provider, else None."""
    if not isinstance(message, EmailMessage):
        return None if _PHONE.fullmatch(message.recipient) else Rejected("address", "not a phone number in E.164")
    if not is_plain_email(message.recipient):
        return Rejected("address", "not one plain e-mail address")
    if not is_plain_email(message.sender):
        return Rejected("other", "the sender is not one plain e-mail address")
    return None
