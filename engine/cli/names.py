"""What a name on the command line means, or the error that says which name was meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from sqlalchemy import Connection

from engine.catalog import load_config
from engine.cli.workspace import Opened
from engine.document import read_document
from engine.errors import UnknownNameError, WorkspaceError
from engine.grammar import suggestion
from engine.journey.journey import Journey
from engine.run.machines import read_source
from engine.store import contacts, holds, journeys, runs
from engine.store.contacts import ContactRow
from engine.store.holds import HoldScope

_RUN = re.compile(r"[0-9]{1,18}")


def journey_in_files(root: Path, name: str) -> Journey:
    """The journey of `journeys/NAME.yaml`. Raises `UnknownNameError`, or `WorkspaceError` with the file's problems."""
    config = load_config(root)
    known = {path.stem: path for path in (root / "journeys").glob("*.yaml")}
    if name not in known:
        raise _unknown("journey", name, known, "journeys/ holds none")
    data = known[name].read_bytes()
    node, problems = read_document(data, f"journeys/{name}.yaml")
    if node is None or problems:
        raise WorkspaceError(problems)
    return read_source(name, data.decode(), config.fields)


def applied_journey(conn: Connection, name: str) -> str:
    """The name of a journey that is applied or once was. Raises `UnknownNameError`."""
    known = _applied(conn)
    if name not in known:
        raise _unknown("journey", name, known, "nothing is applied yet: run `alur apply`")
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
    raise _unknown("journey", word, [*known, *channels], "nothing is applied yet: run `alur apply`")


def held(conn: Connection, at: Opened, word: str) -> tuple[HoldScope, str]:
    """Like `holdable`, of any scope; whatever is held is known, even if it is nowhere else any more."""
    standing = next(((hold.scope, hold.name) for hold in holds.standing(conn) if hold.name == word), None)
    return standing or holdable(conn, at, word, ("journey", "channel", "run"))


def _applied(conn: Connection) -> list[str]:
    return [journey.name for journey in journeys.all_applied(conn)]


def _unknown(what: str, name: str, known: Iterable[str], none: str) -> UnknownNameError:
    """`no journey 'welcom' (did you mean 'welcome'?)`, with all that there are when none is close."""
    names = sorted(known)
    listed = f"; there are {', '.join(names)}" if names else f"; {none}"
    return UnknownNameError(f"no {what} '{name}'{suggestion(name, names) or listed}")
