"""Journey versions and what is applied: immutable sources under their hash, and which of them is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from engine.tables import applied, journey, journey_version


@dataclass(frozen=True)
class LiveJourney:
    """The version that newcomers enter. `removed`: nobody enters, those under way finish."""

    name: str
    version_id: int
    hash: str
    state: Literal["live", "removed"]
    live_since: datetime


@dataclass(frozen=True)
class Version:
    """A stored version of a journey, with the text that it was last applied from."""

    id: int
    hash: str
    source: str
    created_at: datetime


@dataclass(frozen=True)
class Application:
    """One entry of the history. `changes`: per change what, name, how, and the hashes `before` and `after` (None: not there)."""

    id: int
    at: datetime
    by: str
    note: str | None
    changes: list[dict[str, Any]]


def lock(conn: Connection) -> None:
    """One apply at a time: wait for another's transaction and for every `share`, and keep others out until ours ends."""
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('alur.apply'))"))


def share(conn: Connection) -> None:
    """What is applied stays as it is until the end of this transaction; taken first, before anything else is locked."""
    conn.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('alur.apply'))"))


def all_applied(conn: Connection) -> list[LiveJourney]:
    """Every journey that was ever applied, by name."""
    query = (
        select(journey.c.name, journey.c.version_id, journey_version.c.hash, journey.c.state, journey.c.live_since)
        .join(journey_version, journey_version.c.id == journey.c.version_id)
        .order_by(journey.c.name)
    )
    return [LiveJourney(*row) for row in conn.execute(query)]


def is_known(conn: Connection, name: str) -> bool:
    """True for a journey that is applied or once was."""
    return conn.execute(select(journey.c.name).where(journey.c.name == name)).first() is not None


def version_ids(conn: Connection) -> dict[str, list[int]]:
    """The ids of all stored versions, by journey."""
    query = text("SELECT journey, array_agg(id ORDER BY id) AS ids FROM journey_version GROUP BY journey")
    return {row.journey: list(row.ids) for row in conn.execute(query)}


def version_source(conn: Connection, version_id: int) -> tuple[str, str]:
    """Name and source text of a stored version."""
    query = select(journey_version.c.journey, journey_version.c.source).where(journey_version.c.id == version_id)
    name, source = conn.execute(query).one()
    return name, source


def store_version(conn: Connection, name: str, hash_: str, source: str, now: datetime) -> int:
    """The id of the version with this hash, stored if it is new."""
    row = {"journey": name, "hash": hash_, "source": source, "created_at": now}
    conn.execute(upsert(journey_version).values(row).on_conflict_do_nothing())
    keep_source(conn, name, hash_, source)
    same = select(journey_version.c.id).where(journey_version.c.journey == name, journey_version.c.hash == hash_)
    return int(conn.execute(same).scalar_one())


def keep_source(conn: Connection, name: str, hash_: str, source: str) -> None:
    """Keep the text of a version that has the same meaning in other words: comments, description, tests."""
    same = (journey_version.c.journey == name, journey_version.c.hash == hash_, journey_version.c.source != source)
    conn.execute(update(journey_version).where(*same).values(source=source))


def versions(conn: Connection, name: str) -> list[Version]:
    """Every version of the journey that was ever applied, oldest first."""
    columns = (journey_version.c.id, journey_version.c.hash, journey_version.c.source, journey_version.c.created_at)
    query = select(*columns).where(journey_version.c.journey == name).order_by(journey_version.c.id)
    return [Version(*row) for row in conn.execute(query)]


def set_live(conn: Connection, name: str, version_id: int, now: datetime) -> None:
    """Newcomers enter this version from now on; `live_since` is kept while the journey stays live."""
    row = {"name": name, "version_id": version_id, "state": "live", "live_since": now}
    statement = upsert(journey).values(row)
    kept = text("CASE WHEN journey.state = 'live' THEN journey.live_since ELSE excluded.live_since END")
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"version_id": version_id, "state": "live", "live_since": kept}
        )
    )


def set_removed(conn: Connection, name: str) -> None:
    """Nobody enters any more."""
    conn.execute(update(journey).where(journey.c.name == name).values(state="removed"))


_TEMPLATES = "templates"  # what an entry notes of them beside its changes, which are live without it


def record_applied(
    conn: Connection,
    at: datetime,
    by: str,
    note: str | None,
    changes: list[dict[str, Any]],
    templates: Mapping[str, str] | None = None,
) -> int:
    """Enter it into the history; gives its number there. `templates`: the hash of each of their files then."""
    if templates is not None:
        changes = [*changes, {"what": _TEMPLATES, "name": "", "how": "noted", "hashes": dict(templates)}]
    query = insert(applied).values(at=at, by=by, note=note, changes=changes).returning(applied.c.id)
    return int(conn.execute(query).scalar_one())


def noted_templates(conn: Connection) -> dict[str, str] | None:
    """The hash of each template's file when something was last applied; None when nobody has noted them."""
    query = text("""
        SELECT c->'hashes' FROM applied, jsonb_array_elements(changes) AS c WHERE c->>'what' = :what
        ORDER BY id DESC LIMIT 1
    """)
    found: dict[str, str] | None = conn.scalar(query, {"what": _TEMPLATES})
    return found


def applications(conn: Connection, name: str | None = None) -> list[Application]:
    """The history, newest first; with a name only what changed that journey, and of it only that change."""
    query = select(applied.c.id, applied.c.at, applied.c.by, applied.c.note, applied.c.changes).order_by(
        applied.c.id.desc()
    )
    found = [
        Application(id_, at, by, note, [change for change in changes if change["what"] != _TEMPLATES])
        for id_, at, by, note, changes in conn.execute(query)
    ]
    if name is None:
        return found
    mine = ((entry, [c for c in entry.changes if (c["what"], c["name"]) == ("journey", name)]) for entry in found)
    return [replace(entry, changes=changes) for entry, changes in mine if changes]
