"""Unsubscribe tokens: who, what topic, which channel and send, in a short link that nobody else can make."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import TokenError

_PURPOSE = b"alur unsubscribe 1\0"  # a key signs other links too; a token for one purpose is none for another
_MARK = 16  # bytes of HMAC-SHA256 kept: 128 bits (RFC 2104 5 asks for at least half of it)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{24,400}")
_CLAIMS = re.compile(r"([1-9]\d{0,18})\.([1-9]\d{0,18})\.([a-z]{1,20})\.([a-z][a-z0-9_]{0,99})")


@dataclass(frozen=True)
class UnsubscribeClaims:
    """What a link says: this contact, by the mail of this send, may take back consent to this topic on this channel."""

    contact_id: int
    topic: str
    channel: str
    send_id: int


def sign(claims: UnsubscribeClaims, keys: Sequence[str]) -> str:
    """The token, signed with the newest key (`keys[0]`): about 50 letters, digits, `-` and `_`."""
    if not keys:
        raise TokenError("no key to sign links with: set web.secret_keys in config.yaml")
    said = f"{claims.contact_id}.{claims.send_id}.{claims.channel}.{claims.topic}".encode()
    return base64.urlsafe_b64encode(said + _mark(said, keys[0])).rstrip(b"=").decode()


def read(token: str, keys: Sequence[str]) -> UnsubscribeClaims:
    """The claims of a token signed with any of the keys (older ones keep links of sent mail alive).

    Raises `TokenError` for a token that is cut, altered, or signed with none of them.
    """
    if _TOKEN.fullmatch(token) is None:
        raise TokenError("not a token")
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error as error:
        raise TokenError("not a token") from error
    said, mark = data[:-_MARK], data[-_MARK:]
    if not any(hmac.compare_digest(mark, _mark(said, key)) for key in keys):
        raise TokenError("signed with none of our keys")
    found = _CLAIMS.fullmatch(said.decode("ascii", "replace"))
    if found is None:
        raise TokenError("signed by us, but not an unsubscribe token")
    contact_id, send_id, channel, topic = found.groups()
    return UnsubscribeClaims(int(contact_id), topic, channel, int(send_id))


def unsubscribe_url(public_url: str, claims: UnsubscribeClaims, keys: Sequence[str]) -> str:
    """The link of the page with one button, which also takes the one-click POST of RFC 8058."""
    return f"{public_url.rstrip('/')}/u/{sign(claims, keys)}"


def _mark(said: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), _PURPOSE + said, "sha256")[:_MARK]
