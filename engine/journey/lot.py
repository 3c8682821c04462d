"""Lot: where a contact falls when people are divided by chance, the same at every look; for holdouts and experiments."""

from __future__ import annotations

import hashlib


def lot(*names: str, contact_id: int) -> float:
    """A number in [0, 1), evenly spread over contacts and unrelated from one list of names to the next.

    It hangs on nothing but its arguments, so that whoever asks again, on any machine and in any version, gets the same.
    """
    said = "\0".join((*names, str(contact_id))).encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:6], "big") / 2**48
