"""Suppressions: addresses that must not be used, whoever they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from engine.consent.address import fold_address

Scope = Literal["marketing", "all"]
Reason = Literal["unsubscribe", "complaint", "hard_bounce", "stop", "manual"]


@dataclass(frozen=True, slots=True)
class Suppression:
    """`address` may be written in any way; it is kept and compared folded (E19). Scope `all` stops transactional mail too."""

    channel: str
    address: str
    scope: Scope
    reason: Reason
    source: str
    at: datetime


_ADD = text("""
INSERT INTO suppression (channel, address, scope, reason, source, at)
SELECT * FROM unnest(
    CAST(:channel AS text[]), CAST(:address AS text[]), CAST(:scope AS text[]), CAST(:reason AS text[]),
    CAST(:source AS text[]), CAST(:at AS timestamptz[])
) ON CONFLICT (channel, address, scope) DO NOTHING
""")
_STANDING = text("""
SELECT s.channel, s.address, s.scope, s.reason, s.source, s.at FROM unnest(CAST(:channels AS text[]), CAST(:addresses AS text[])) AS w(channel, address)
JOIN suppression s USING (channel, address)
""")


def add(conn: Connection, suppressions: Iterable[Suppression]) -> int:
    """Suppress addresses; one that is suppressed already keeps its first reason. Gives how many are new.

    Written in sorted order, so that two transactions never wait for each other in a circle. Where the address is a
    contact's, the caller has locked that contact (promise P4).
    """
    rows = sorted({(s.channel, fold_address(s.channel, s.address), s.scope): s for s in suppressions}.items())
    if not rows:
        return 0
    columns = {
        "channel": [channel for (channel, _, _), _ in rows],
        "address": [address for (_, address, _), _ in rows],
        "scope": [scope for (_, _, scope), _ in rows],
        "reason": [row.reason for _, row in rows],
        "source": [row.source for _, row in rows],
        "at": [row.at for _, row in rows],
    }
    return conn.execute(_ADD, columns).rowcount


def standing(conn: Connection, addresses: Collection[tuple[str, str]]) -> dict[tuple[str, str], frozenset[Scope]]:
    """The scopes in which each (channel, address) is suppressed; those that are not are left out."""
    if not addresses:
        return {}
    folded = {(channel, address): fold_address(channel, address) for channel, address in addresses}
    columns = {"channels": [channel for channel, _ in folded], "addresses": list(folded.values())}
    scopes: dict[tuple[str, str], set[Scope]] = {}
    for row in conn.execute(_STANDING, columns):
        scopes.setdefault((row.channel, row.address), set()).add(row.scope)
    found = {key: scopes.get((key[0], address)) for key, address in folded.items()}
    return {key: frozenset(standing) for key, standing in found.items() if standing}


def of_addresses(conn: Connection, addresses: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    """The suppressions of (channel, address) with their reasons, oldest first."""
    if not addresses:
        return []
    columns = {"channels": [c for c, _ in addresses], "addresses": [fold_address(c, a) for c, a in addresses]}
    found = [dict(row._mapping) for row in conn.execute(_STANDING, columns)]
    return sorted(found, key=lambda row: (row["at"], row["channel"], row["scope"]))
