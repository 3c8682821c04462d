"""The events for which a rule waits, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Numeric, Select, Text, case, cast, func, select
from sqlalchemy import literal_column as constant

from engine import tables
from engine.audience.event_match import EventMatch
from engine.audience.sql.scope import Scope
from engine.audience.sql.value import at, folded, origin, text_at


def matching(
    match: EventMatch,
    scope: Scope,
    *,
    since: ColumnElement[Any],
    until: ColumnElement[Any] | None = None,
    excluding: ColumnElement[Any] | None = None,
) -> Select[Any]:
    """The matching events of the scope's contact in [since, until], without the one called `excluding`.

    `excluding` is an event's id, NULL for none. Columns id, occurred_at, properties, in the order (occurred_at, id).
    The select refers to the scope's tables from outside: use it as a scalar or EXISTS subquery, or a lateral join.
    Raises ValueError when there is a key to match and the scope has none.
    """
    event = tables.event.alias()
    found = select(event.c.id, event.c.occurred_at, event.c.properties).where(
        event.c.contact_id == scope.contact.c.id, event.c.name == match.name, event.c.occurred_at >= since
    )
    if until is not None:
        found = found.where(event.c.occurred_at <= until)
    if excluding is not None:
        found = found.where(event.c.id.is_distinct_from(excluding))
    if match.key is not None:
        if scope.key is None:
            raise ValueError(f"'{match.name}' is matched by key, and the scope has no key")
        found = found.where(folded(_key_text(event.c.properties, match.key) == scope.key))
    if match.where is not None:
        found = found.where(match.where.verdict(scope.testing(event.c.properties)).holds)
    return found.order_by(event.c.occurred_at, event.c.id).correlate_except(event)


def _key_text(properties: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[Any]:
    """`read_key` in SQL."""
    json, text = at(properties, path), text_at(properties, path)
    came_as = origin(json)
    return case(
        (came_as.in_([constant("'string'"), constant("'boolean'")]), text),
        (came_as == constant("'number'"), cast(func.trim_scale(cast(json, Numeric)), Text)),
    )
