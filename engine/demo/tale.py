"""One person's story: from the sign-up over the goodbye to the message that was not sent, as `alur why` tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from engine.cli.story import Entry, Line, tell
from engine.demo.goodbye import contact_id
from engine.demo.shop import Customer
from engine.demo.stage import Stage
from engine.run.why import why

if TYPE_CHECKING:
    from engine.demo.play import Played

_AFTERWARDS: Final = 2
"""How many of the withheld messages the story goes on to."""


@dataclass(frozen=True)
class Happening:
    """One thing that happened. `kind`: as in `alur why`, or `page` for a request, or `withheld` for a message not sent."""

    kind: str
    text: str
    lines: Sequence[Line] = ()


@dataclass(frozen=True)
class Moment:
    """All that happened at one instant, in the person's local time."""

    at: datetime
    happenings: Sequence[Happening]


@dataclass(frozen=True)
class Tale:
    """`zone` is the person's."""

    person: Customer
    zone: str
    moments: Sequence[Moment]


def tell_tale(stage: Stage, played: Played) -> Tale:
    """Everything on record about the one who left, between the sign-up and the last of the first withheld messages."""
    person, zone = played.leaver, played.leaver.timezone
    with stage.app.engine.connect() as conn:
        entries = tell(why(conn, contact_id(conn, person)), zone)
    assert person.joins is not None
    last = max(send["ended_at"] for send in played.silence[:_AFTERWARDS])
    told = [entry for entry in entries if person.joins <= entry.at <= last and not _repeats(entry)]
    # The requests stand before what they changed at the same instant; sorting keeps the order of equals.
    happened = [*_visits(played), *((entry.at, _happening(entry)) for entry in told)]
    by_instant = groupby(sorted(happened, key=itemgetter(0)), key=itemgetter(0))
    moments = [Moment(at.astimezone(ZoneInfo(zone)), [what for _, what in group]) for at, group in by_instant]
    return Tale(person, zone, moments)


def _happening(entry: Entry) -> Happening:
    withheld = entry.kind == "send" and "was not sent" in entry.text
    return Happening("withheld" if withheld else entry.kind, entry.text, entry.lines)


def _repeats(entry: Entry) -> bool:
    """The decision that takes note of a send's end says again what the send has said."""
    return entry.kind == "decision" and all(line.wanted == "the end of the send" for line in entry.lines)


def _visits(played: Played) -> Iterable[tuple[datetime, Happening]]:
    """The two requests of the goodbye."""
    said, name = played.goodbye, played.leaver.first_name
    looked = (
        f"{name} follows the List-Unsubscribe of mails/{said.mail.name}: GET {said.get_status}, a page with one button"
    )
    yield said.at, Happening("page", f"{looked}. Nothing has changed: scanners follow links, too.")
    yield said.at, Happening("page", f"{name} unsubscribes: POST {said.post_status}, List-Unsubscribe=One-Click")
