"""Moves: what a signal `profile` says of a contact who lives in another time zone now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

Move = tuple[str, str, datetime]
"""From this zone to that one, at this instant."""


def changes(names: Iterable[str], moves: Sequence[Move]) -> dict[str, Any]:
    """The data of the signal: the names of what is other than before, and the moves in their order, if any."""
    told: dict[str, Any] = {"changed": list(names)}
    if moves:
        told["zones"] = [{"from": old, "to": new, "at": at.isoformat()} for old, new, at in moves]
    return told
