"""What a name on the command line means among what is applied and on record."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import Connection

from engine.cli.unknown import unknown
from engine.cli.workspace import Opened
from engine.errors import UnknownNameError
from engine.store import contacts, holds, journeys, runs
from engine.store.contacts import ContactRow
from engine.store.holds import HoldScope

_RUN = re.compile(r"[0-9]{1,18}")


def applied_journey(conn: Connection, name: str) -> str:
    """The name of a journey that is applied or once was. Raises `UnknownNameError`."""
    known = _applied(conn)
    if name not in known:
        raise unknown("journey", name, known, "nothing is applied yet: run `alur apply`")
    return name


def contact(conn: Connection, at: Opened, word: str) -> ContactRow:
    """CONTACT: a user id, else an e-mail address, else a phone number. Raises `UnknownNameError`."""
    return contacts.find(conn, word, at.config.organisation.country)


def holdable(conn: Connection, at: Opened, word: str, scopes: Collection[HoldScope]) -> tuple[HoldScope, str]:
    """The applied journey, the channel or the send run (its number) of this name. Raises `UnknownNameError`."""
    if "run" in scopes and _RUN.fullmatch(word):
        if runs.state(conn, int(word)) is None:
            raise UnknownNameError(f"no send run {word}: `alur status` shows the latest")
        return "run", str(int(word))
    known = _applied(conn)
    if word in known:
        return "journey", word
    if "channel" in scopes and word in at.config.channels:
        return "channel", word
    channels = at.config.channels if "channel" in scopes else ()
    raise unknown("journey", word, [*known, *channels], "nothing is applied yet: run `alur apply`")


def held(conn: Connection, at: Opened, word: str) -> tuple[HoldScope, str]:
    """Like `holdable`, of any scope; whatever is held is known, even if it is nowhere else any more."""
    standing = next(((hold.scope, hold.name) for hold in holds.standing(conn) if hold.name == word), None)
    return standing or holdable(conn, at, word, ("journey", "channel", "run"))


def _applied(conn: Connection) -> list[str]:
    return [journey.name for journey in journeys.all_applied(conn)]
