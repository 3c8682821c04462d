"""Journey versions and what is applied: immutable sources under their hash, and which of them is live."""

from __future__ import annotations

from dataclasses import dataclass
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


def lock(conn: Connection) -> None:
    """One apply at a time: wait for another's transaction, and keep others out until ours ends."""
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('alur.apply'))"))


def all_applied(conn: Connection) -> list[LiveJourney]:
    """Every journey that was ever applied, by name."""
    query = (
        select(journey.c.name, journey.c.version_id, journey_version.c.hash, journey.c.state, journey.c.live_since)
        .join(journey_version, journey_version.c.id == journey.c.version_id)
        .order_by(journey.c.name)
    )
    return [LiveJourney(*row) for row in conn.execute(query)]


def version_source(conn: Connection, version_id: int) -> tuple[str, str]:
    """Name and source text of a stored version."""
    query = select(journey_version.c.journey, journey_version.c.source).where(journey_version.c.id == version_id)
    name, source = conn.execute(query).one()
    return name, source


def store_version(conn: Connection, name: str, hash_: str, source: str, now: datetime) -> int:
    """The id of the version with this hash, stored if it is new."""
    row = {"journey": name, "hash": hash_, "source": source, "created_at": now}
    conn.execute(upsert(journey_version).values(row).on_conflict_do_nothing())
    same = select(journey_version.c.id).where(journey_version.c.journey == name, journey_version.c.hash == hash_)
    return int(conn.execute(same).scalar_one())


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


def record_applied(conn: Connection, at: datetime, by: str, note: str | None, changes: list[dict[str, Any]]) -> None:
    conn.execute(insert(applied).values(at=at, by=by, note=note, changes=changes))
