"""Reactions: invented people who open and click, by chance that comes out the same for the same seed; for simulations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from engine.journey.lot import lot
from engine.store import observations
from engine.store.observations import Observation

_SOONEST: Final = timedelta(minutes=2)
_SPREAD: Final = timedelta(hours=12)
"""People react within half a day, most of them early."""

_SENT = text("""
SELECT id, contact_id, journey, step, round, channel, intent_at FROM send
WHERE state = 'accepted' AND journey = ANY(SELECT name FROM journey) AND intent_at = :now ORDER BY id
""")


@dataclass(frozen=True)
class Reactions:
    """Shares from 0 to 1 of the messages that are opened (mails only) and clicked; `seed` names the chance."""

    opens: float = 0.0
    clicks: float = 0.0
    seed: int = 0

    def __bool__(self) -> bool:
        return self.opens > 0 or self.clicks > 0


def react(conn: Connection, reactions: Reactions, now: datetime) -> int:
    """Let people react to what was sent at `now`, each at a later time of their own; gives how many things they do."""
    coming = [seen for row in conn.execute(_SENT, {"now": now}) for seen in _of_one(row, reactions)]
    return observations.record(conn, coming, now)


def _of_one(row: Any, reactions: Reactions) -> Iterator[Observation]:
    """Whoever clicks a mail has opened it."""

    def chance(what: str) -> float:
        names = (str(reactions.seed), what, row.journey, row.step, str(row.round), row.intent_at.isoformat())
        return lot(*names, contact_id=row.contact_id)

    clicked = chance("click") < reactions.clicks
    opened = row.channel == "email" and (clicked or chance("open") < reactions.opens)
    at = row.intent_at + _SOONEST + _SPREAD * chance("delay") ** 3
    if opened:
        yield Observation(row.id, "opened", at)
    if clicked:
        yield Observation(row.id, "clicked", at + timedelta(seconds=20))
