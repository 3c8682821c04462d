"""Membership of segments: who is in, who came and went; the tables segment, segment_member and membership_change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from engine import tables
from engine.audience.segment import Segment
from engine.audience.sql.scope import Scope
from engine.store.everybody import over_everybody
from engine.store.zones import ZONES, zone_values

_segment, _member, _contact = tables.segment, tables.segment_member, tables.contact
_NOW: ColumnElement[Any] = bindparam("now", type_=TIMESTAMP(timezone=True))


@dataclass(frozen=True)
class RefreshResult:
    """How many came and went. `silent`: a new or edited segment was filled, which is recorded as no change."""

    entered: int
    left: int
    silent: bool


def members_select(segment: Segment) -> Select[Any]:
    """The ids of the contacts for whom the condition holds at `now`; never of merged or erased ones.

    To be executed with `now` and `zone_values` among its parameters.
    """
    contact = _contact.alias("contact")
    scope = Scope(contact=contact, now=_NOW, zones=ZONES, beside=[])
    holds = segment.where.verdict(scope).holds
    here = (contact.c.merged_into.is_(None), contact.c.erased_at.is_(None))
    return select(contact.c.id).select_from(scope.everybody()).where(*here, holds)


def refresh(conn: Connection, segment: Segment, hash: str, now: datetime, zone: str) -> RefreshResult:
    """Bring the membership up to date, in the caller's transaction; `zone` is the organisation's.

    Each change is recorded once and wakes the contact by a signal, unless the segment is new or has another hash than
    it was last filled with. Safe from several processes at once: the segment's row is locked until the end of the
    transaction, and a refresh that comes with an earlier `now` than the last one changes nothing.
    """
    known = _lock(conn, segment, hash)
    silent = known.filled_at is None or known.hash != hash
    if not silent and known.refreshed_at is not None and known.refreshed_at > now:
        return RefreshResult(0, 0, silent=False)
    given = {"now": now, **zone_values(conn, zone)}
    with over_everybody(conn):
        entered, left = conn.execute(_change(segment, silent=silent), given).one()
    values: dict[str, Any] = {"refreshed_at": now}
    if silent:
        values |= {"filled_at": now, "hash": hash}
    conn.execute(update(_segment).where(_segment.c.name == segment.name).values(values))
    return RefreshResult(entered, left, silent)


def _lock(conn: Connection, segment: Segment, hash: str) -> Row[Any]:
    new = postgresql.insert(_segment).values(name=segment.name, hash=hash)
    conn.execute(new.on_conflict_do_nothing())
    return conn.execute(select(_segment).where(_segment.c.name == segment.name).with_for_update()).one()


@lru_cache(maxsize=1024)
def _change(segment: Segment, *, silent: bool) -> Select[Any]:
    """One statement: members in and out, and, unless silent, the change and the signal of each."""
    members = members_select(segment).cte("members")
    joined, gone = _joined(segment, members), _gone(segment, members)
    columns: list[Any] = [_count(joined), _count(gone)]
    counts = select(*columns)
    if silent:
        return counts
    changes = _changes(joined, gone)
    return counts.add_cte(*_recorded(segment, changes))


def _joined(segment: Segment, members: CTE) -> CTE:
    there = exists().where(_member.c.segment == segment.name, _member.c.contact_id == members.c.id)
    rows = select(literal(segment.name, Text), members.c.id, _NOW).where(~there)
    add = postgresql.insert(_member).from_select(["segment", "contact_id", "since"], rows)
    return add.on_conflict_do_nothing().returning(_member.c.contact_id).cte("joined")


def _gone(segment: Segment, members: CTE) -> CTE:
    still = exists().where(members.c.id == _member.c.contact_id)
    out = delete(_member).where(_member.c.segment == segment.name, ~still)
    return out.returning(_member.c.contact_id).cte("gone")


def _changes(joined: CTE, gone: CTE) -> CTE:
    """Who came (true) and who left (false). Merged and erased people go without a word: nobody is there to be told."""
    left = select(gone.c.contact_id, literal(False, Boolean)).join_from(
        gone,
        _contact,
        (_contact.c.id == gone.c.contact_id) & _contact.c.merged_into.is_(None) & _contact.c.erased_at.is_(None),
    )
    return union_all(select(joined.c.contact_id, literal(True, Boolean).label("entered")), left).cte("changes")


def _recorded(segment: Segment, changes: CTE) -> tuple[CTE, CTE]:
    name, entered = literal(segment.name, Text), changes.c.entered
    change = insert(tables.membership_change).from_select(
        ["contact_id", "segment", "entered", "at"], select(changes.c.contact_id, name, entered, _NOW)
    )
    data = func.jsonb_build_object(literal("segment", Text), name, literal("entered", Text), entered, type_=JSONB)
    signal = insert(tables.signal).from_select(
        ["contact_id", "kind", "at", "data"],
        select(changes.c.contact_id, literal("segment", Text), _NOW, data),
    )
    return change.cte("recorded"), signal.cte("signalled")


def _count(rows: CTE) -> ColumnElement[int]:
    return select(func.count()).select_from(rows).scalar_subquery()


def applied(conn: Connection) -> dict[str, str]:
    """The hash of every segment that is applied, by name."""
    rows = conn.execute(select(_segment.c.name, _segment.c.hash).where(_segment.c.filled_at.is_not(None)))
    return {row.name: row.hash for row in rows}


def hash_of(conn: Connection, name: str) -> str | None:
    """The hash of an applied segment; None when there is no such segment."""
    found: str | None = conn.scalar(select(_segment.c.hash).where(_segment.c.name == name))
    return found


def of_contact(conn: Connection, contact_id: int) -> list[dict[str, Any]]:
    """The segments that a contact is in, and since when."""
    rows = select(_member.c.segment, _member.c.since).where(_member.c.contact_id == contact_id)
    return [dict(row._mapping) for row in conn.execute(rows.order_by(_member.c.segment))]


def behind(conn: Connection, instants: Mapping[str, datetime]) -> list[str]:
    """Which of these segments were not refreshed since the instant given with each; unknown ones are left out."""
    rows = conn.execute(select(_segment.c.name, _segment.c.refreshed_at).where(_segment.c.name.in_(instants)))
    return [row.name for row in rows if row.refreshed_at is None or row.refreshed_at < instants[row.name]]


def members_among(conn: Connection, name: str, contacts: Sequence[int]) -> set[int]:
    """Those of the contacts who are in the segment."""
    query = select(_member.c.contact_id).where(_member.c.segment == name, _member.c.contact_id.in_(contacts))
    return set(conn.scalars(query))


def sources(conn: Connection) -> dict[str, tuple[str, str]]:
    """Hash and source text of every segment that is applied, by name."""
    return {row.name: (row.hash, row.source) for row in conn.execute(select(_segment).order_by(_segment.c.name))}


def keep_source(conn: Connection, name: str, source: str) -> None:
    """Keep the text that a segment was applied from."""
    conn.execute(update(_segment).where(_segment.c.name == name).values(source=source))


def remove(conn: Connection, name: str) -> None:
    """Forget a segment and its members; what its changes set off stays."""
    conn.execute(delete(_member).where(_member.c.segment == name))
    conn.execute(delete(_segment).where(_segment.c.name == name))
