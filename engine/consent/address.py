"""Addresses: what an e-mail address or phone number must look like before it enters, and how two of them compare."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from engine.errors import AddressError

_LONGEST_EMAIL = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
_LONGEST_PHONE = 40

# SMS reaches these and no others; a voice-only fixed line silently swallows it.
_TEXTABLE = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
    }
)


@lru_cache(maxsize=8192)
def email_address(text: str) -> str:
    """The address as it can be written on an envelope: local part as given, domain in lower case and ASCII.

    Refused with `AddressError`: anything but exactly one plain address (no display name, list, comment, quoting, IP
    literal), a local part outside ASCII, a domain without a dot or reserved by RFC 6761. Nothing is looked up in DNS.
    """
    if len(text) > _LONGEST_EMAIL:
        raise AddressError(f"an e-mail address has at most {_LONGEST_EMAIL} characters, this has {len(text)}")
    try:
        checked = validate_email(text.strip(" \t"), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise AddressError(f"{text!r} is no e-mail address: {error}") from error
    address = checked.ascii_email
    if address is None:
        raise AddressError(f"{text!r} is no e-mail address: characters outside ASCII before the @-sign")
    return address


def fold_email(address: str) -> str:
    """How two addresses are compared: all in lower case (no mailbox in use tells `Ani@` from `ani@`)."""
    return address.strip(" \t").lower()


@lru_cache(maxsize=8192)
def phone_number(text: str, region: str | None) -> str:
    """The number in E.164 (`+6281234567890`); a national number is read as one of `region` (`ID`), if there is one.

    Refused with `AddressError`: what the numbering plans do not know, short and emergency numbers included.
    """
    if len(text) > _LONGEST_PHONE:
        raise AddressError(f"a phone number has at most {_LONGEST_PHONE} characters, this has {len(text)}")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        hint = "" if region else " (without organisation.country it needs a + and the country's code)"
        raise AddressError(f"{text!r} is no phone number: {error}{hint}") from error
    if number.extension or not phonenumbers.is_valid_number(number):
        where = f" (read as one of {region})" if region else ""
        raise AddressError(f"{text!r} is no phone number that anybody could have{where}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=8192)
def can_receive_text(number: str) -> bool:
    """Whether an E.164 number can be a mobile one; a fixed line gets no SMS."""
    return phonenumbers.number_type(phonenumbers.parse(number, None)) in _TEXTABLE


def fold_address(channel: str, address: str) -> str:
    """The form in which suppressions and identities hold an address of this channel."""
    return fold_email(address) if channel == "email" else address
