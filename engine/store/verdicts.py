"""Asking many conditions about many people in one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, Integer, Select, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

from engine import tables
from engine.audience.condition import Condition
from engine.audience.sql.scope import Scope
from engine.store.zones import ZONES, zone_values

_MOST_QUESTIONS = 25  # of the longest conditions; a statement of PostgreSQL has at most 65,535 parameters


@dataclass(frozen=True)
class Subject:
    """One person in one situation, named `ix` in the answers; the mappings are properties of events, None without.

    `enrollment_id` is None for somebody who is not under way, or was not yet when this transaction began.
    """

    ix: int
    contact_id: int
    event: Mapping[str, Any] | None = None
    matched: Mapping[str, Any] | None = None
    entered: Mapping[str, Any] | None = None
    key: str | None = None
    enrollment_id: int | None = None


Verdicts = dict[tuple[int, str], tuple[bool, Any]]


def verdicts(
    conn: Connection, questions: Mapping[str, Condition], subjects: Sequence[Subject], now: datetime, zone: str
) -> Verdicts:
    """(holds, found) of each question for each subject, by (ix, question), as of `now`.

    `zone` is the organisation's, for people without one of their own. One query for up to 25 questions. A subject whose contact does not exist has no answers.
    """
    if not questions or not subjects:
        return {}
    given = _given(subjects) | zone_values(conn, zone) | {"now": now}
    answers: Verdicts = {}
    names = list(questions)
    for first in range(0, len(names), _MOST_QUESTIONS):
        asked = names[first : first + _MOST_QUESTIONS]
        rows = conn.execute(_statement(tuple(questions[name] for name in asked)), given)
        for ix, *values in rows:
            for place, name in enumerate(asked):
                answers[ix, name] = (values[2 * place], values[2 * place + 1])
    return answers


def _given(subjects: Sequence[Subject]) -> dict[str, Any]:
    return {
        "ix": [subject.ix for subject in subjects],
        "contact_id": [subject.contact_id for subject in subjects],
        "event": [_json(subject.event) for subject in subjects],
        "matched": [_json(subject.matched) for subject in subjects],
        "entered": [_json(subject.entered) for subject in subjects],
        "key": [subject.key for subject in subjects],
        "enrollment_id": [subject.enrollment_id for subject in subjects],
    }


def _json(properties: Mapping[str, Any] | None) -> str | None:
    return None if properties is None else orjson.dumps(properties).decode()


_GIVEN: Mapping[str, Any] = {
    "ix": Integer(), "contact_id": BigInteger(), "event": Text(), "matched": Text(), "entered": Text(), "key": Text(),
    "enrollment_id": BigInteger(),
}  # fmt: skip
_JSON = ("event", "matched", "entered")


@lru_cache(maxsize=256)
def _statement(questions: tuple[Condition, ...]) -> Select[Any]:
    arrays = [bindparam(name, type_=ARRAY(type_)) for name, type_ in _GIVEN.items()]
    columns_given = [column(name, type_) for name, type_ in _GIVEN.items()]
    given = func.unnest(*arrays).table_valued(*columns_given, name="given").render_derived()
    subject = (  # materialised, so that each JSON text is parsed once
        select(*(cast(each, JSONB).label(each.name) if each.name in _JSON else each for each in given.c))
        .cte("subject")
        .prefix_with("MATERIALIZED")
    )
    contact = tables.contact.alias("contact")
    scope = Scope(
        contact=contact,
        now=bindparam("now", type_=TIMESTAMP(timezone=True)),
        zones=ZONES,
        event=subject.c.event,
        matched=subject.c.matched,
        entered=subject.c.entered,
        key=subject.c.key,
        enrollment=subject.c.enrollment_id,
    )
    columns: list[Any] = []
    for place, question in enumerate(questions):
        answer = question.verdict(scope)
        columns += [answer.holds.label(f"holds_{place}"), answer.found.label(f"found_{place}")]
    return select(subject.c.ix, *columns).join_from(subject, contact, contact.c.id == subject.c.contact_id)
