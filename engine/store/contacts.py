"""Contacts and their identities: who is meant, locked, written and found again. What belongs to two that become one moves
in `engine/store/merge.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from engine.consent.address import email_address, fold_email, phone_number
from engine.errors import AddressError, UnknownNameError
from engine.store.bulk import as_json, next_ids
from engine.tables import contact

IdentityKind = Literal["user_id", "anonymous_id", "email", "phone"]
Identity = tuple[IdentityKind, str]


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact as it stands in the database."""

    id: int
    user_id: str | None
    email: str | None
    phone: str | None
    locale: str | None
    timezone: str | None
    traits: dict[str, Any]
    merged_into: int | None = None
    erased_at: datetime | None = None

    def seen(self) -> dict[str, Any]:
        """What a template sees as `contact`. An address is what was checked on its way in, never a trait called so."""
        person = {name: value for name, value in self.traits.items() if name not in ("email", "phone")}
        columns = {name: getattr(self, name) for name in ("user_id", "email", "phone", "locale", "timezone")}
        return person | {name: value for name, value in columns.items() if value is not None}


_OWNERS = text("""
SELECT i.kind, i.value, i.contact_id FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS w(kind, value)
JOIN identity i ON i.kind = w.kind AND i.value = w.value
""")
_LOCK_NAMED = text("""
SELECT i.kind, i.value, c.id, c.user_id, c.email, c.phone, c.locale, c.timezone, c.traits, c.merged_into, c.erased_at
FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS w(kind, value)
JOIN identity i ON i.kind = w.kind AND i.value = w.value JOIN contact c ON c.id = i.contact_id
ORDER BY c.id FOR UPDATE OF c
""")
_LOCK = text("""
SELECT id, user_id, email, phone, locale, timezone, traits, merged_into, erased_at FROM contact
WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE
""")
_READ = text("""
SELECT id, user_id, email, phone, locale, timezone, traits, merged_into, erased_at FROM contact
WHERE id = ANY(CAST(:ids AS bigint[]))
""")
_GET = text("""
SELECT id, user_id, email, phone, locale, timezone, traits, merged_into, erased_at FROM contact WHERE id = :id
""")
_ATTACH = text("""
INSERT INTO identity (kind, value, contact_id)
SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[]), CAST(:contacts AS bigint[]))
ON CONFLICT DO NOTHING
""")
_DETACH = text("""
DELETE FROM identity i USING unnest(CAST(:kinds AS text[]), CAST(:values AS text[]), CAST(:contacts AS bigint[]))
AS gone(kind, value, contact_id)
WHERE i.kind = gone.kind AND i.value = gone.value AND i.contact_id = gone.contact_id
""")
_ROWS = """
unnest(CAST(:id AS bigint[]), CAST(:user_id AS text[]), CAST(:email AS text[]), CAST(:phone AS text[]),
CAST(:locale AS text[]), CAST(:timezone AS text[]), CAST(:traits AS text[])) AS v(id, user_id, email, phone, locale, timezone, traits)
"""
_CREATE = text(f"""
INSERT INTO contact (id, user_id, email, phone, locale, timezone, traits, created_at, updated_at)
SELECT v.id, v.user_id, v.email, v.phone, v.locale, v.timezone, v.traits::jsonb, :now, :now FROM {_ROWS}
""")
_SAVE = text(f"""
UPDATE contact c SET user_id = v.user_id, email = v.email, phone = v.phone, locale = v.locale, timezone = v.timezone,
traits = v.traits::jsonb, updated_at = :now FROM {_ROWS} WHERE c.id = v.id
""")
_FINAL = text("""
WITH RECURSIVE chain AS (
    SELECT id, merged_into FROM contact WHERE id = :id
    UNION ALL SELECT c.id, c.merged_into FROM contact c JOIN chain ON c.id = chain.merged_into
)
SELECT id FROM chain WHERE merged_into IS NULL
""")


def owners(conn: Connection, identities: Collection[Identity]) -> dict[Identity, int]:
    """Which contact each known identity belongs to; unknown ones are left out."""
    if not identities:
        return {}
    kinds, values = (list(column) for column in zip(*identities, strict=True))
    rows = conn.execute(_OWNERS, {"kinds": kinds, "values": values}).all()
    return {(kind, value): contact_id for kind, value, contact_id in rows}


def lock(conn: Connection, ids: Collection[int]) -> list[ContactRow]:
    """Lock these contacts' rows until the transaction ends, in the order of their ids, and read them.

    Every write of consent, suppression, profile, merge or intent does this first (promise P4). One call per transaction:
    a second could meet another transaction's locks in another order.
    """
    if not ids:
        return []
    return [ContactRow(*row) for row in conn.execute(_LOCK, {"ids": sorted(ids)})]


def read(conn: Connection, ids: Collection[int]) -> dict[int, ContactRow]:
    """These contacts as they stand, by id; to write them back, they must be locked already."""
    if not ids:
        return {}
    return {row[0]: ContactRow(*row) for row in conn.execute(_READ, {"ids": sorted(ids)})}


def lock_named(conn: Connection, identities: Collection[Identity]) -> tuple[dict[Identity, int], dict[int, ContactRow]]:
    """Lock the contacts that these identities belong to, as `lock` does; gives the owner of each known identity, and the
    contacts by their ids. An identity that changes hands meanwhile belongs to a contact whose `merged_into` is set.
    """
    if not identities:
        return {}, {}
    kinds, values = (list(column) for column in zip(*identities, strict=True))
    owners: dict[Identity, int] = {}
    rows: dict[int, ContactRow] = {}
    for kind, value, *row in conn.execute(_LOCK_NAMED, {"kinds": kinds, "values": values}).all():
        owners[kind, value] = row[0]
        if row[0] not in rows:
            rows[row[0]] = ContactRow(*row)
    return owners, rows


def reserve_ids(conn: Connection, count: int) -> list[int]:
    """Ids for contacts that are about to be created."""
    return next_ids(conn, contact, count)


def number_from(conn: Connection, number: int) -> None:
    """Let the next new contact have this id; for scratch databases, where it must be the same in every run."""
    conn.execute(text("SELECT setval(pg_get_serial_sequence('contact', 'id'), :number, false)"), {"number": number})


def create(conn: Connection, rows: Sequence[ContactRow], now: datetime) -> None:
    """Write new contacts; their ids are reserved before."""
    if rows:
        conn.execute(_CREATE, {**_columns(rows), "now": now})


def save(conn: Connection, rows: Sequence[ContactRow], now: datetime) -> None:
    """Write back contacts that this transaction has locked."""
    if rows:
        conn.execute(_SAVE, {**_columns(rows), "now": now})


def attach(conn: Connection, identities: Iterable[tuple[Identity, int]]) -> bool:
    """Give identities to contacts. False if somebody else has taken one of them since `owners` was asked: then the
    transaction rests on what is no longer so, and must begin again.

    Written in sorted order, so that two transactions that want the same ones wait for each other and never in a circle.
    """
    wanted = sorted(identities)
    if not wanted:
        return True
    return conn.execute(_ATTACH, _identity_columns(wanted)).rowcount == len(wanted)


def detach(conn: Connection, identities: Iterable[tuple[Identity, int]]) -> None:
    """Take identities away from contacts that no longer have them (a changed e-mail address)."""
    gone = sorted(identities)
    if gone:
        conn.execute(_DETACH, _identity_columns(gone))


def final_id(conn: Connection, contact_id: int) -> int | None:
    """The contact that this one has become by merges, or itself; None if there is no such contact."""
    found: int | None = conn.scalar(_FINAL, {"id": contact_id})
    return found


def get(conn: Connection, contact_id: int) -> ContactRow | None:
    """The contact as it stands, unlocked."""
    row = conn.execute(_GET, {"id": contact_id}).one_or_none()
    return ContactRow(*row) if row else None


def find(conn: Connection, word: str, region: str | None) -> ContactRow:
    """CONTACT of the command line: a user id, else an e-mail address, else a phone number (national ones of `region`),
    else an anonymous id. Raises `UnknownNameError`.
    """
    wanted: list[Identity] = [("user_id", word)]
    with suppress(AddressError):  # no address: then it is meant as something else
        wanted.append(("email", fold_email(email_address(word))))
    with suppress(AddressError):
        wanted.append(("phone", phone_number(word, region)))
    wanted.append(("anonymous_id", word))
    known = owners(conn, wanted)
    for identity in wanted:
        found = get(conn, known[identity]) if identity in known else None
        if found is not None:
            return found
    raise UnknownNameError(
        f"no contact '{word}': give a user id, an e-mail address or a phone number that Alur has seen"
    )


def identities(conn: Connection, contact_id: int) -> list[Identity]:
    """Everything that the contact is known by, merged ones' included."""
    query = text("SELECT kind, value FROM identity WHERE contact_id = :contact ORDER BY kind DESC, value")
    return [(row.kind, row.value) for row in conn.execute(query, {"contact": contact_id})]


def count_unreal_zones(conn: Connection) -> int:
    """How many contacts have named a time zone that does not exist (it stays in their traits)."""
    query = text(
        "SELECT count(*) FROM contact WHERE timezone IS NULL AND merged_into IS NULL AND jsonb_exists(traits, 'timezone')"
    )
    return conn.scalar(query) or 0


def _columns(rows: Sequence[ContactRow]) -> dict[str, list[Any]]:
    names = ("id", "user_id", "email", "phone", "locale", "timezone")
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in names}
    columns["traits"] = [as_json(row.traits) for row in rows]
    return columns


def _identity_columns(rows: Sequence[tuple[Identity, int]]) -> dict[str, list[Any]]:
    return {
        "kinds": [kind for (kind, _), _ in rows],
        "values": [value for (_, value), _ in rows],
        "contacts": [contact_id for _, contact_id in rows],
    }
