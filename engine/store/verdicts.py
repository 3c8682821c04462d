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
from engine.audience.condition import Condition, Scope

_MOST_QUESTIONS = 25  # of the longest conditions; a statement of PostgreSQL has at most 65,535 parameters


@dataclass(frozen=True)
class Subject:
    """One person in one situation, named `ix` in the answers; the mappings are properties of events, None without."""

    ix: int
    contact_id: int
    event: Mapping[str, Any] | None = None
    matched: Mapping[str, Any] | None = None
    entered: Mapping[str, Any] | None = None
    key: str | None = None


Verdicts = dict[tuple[int, str], tuple[bool, Any]]


def verdicts(
    conn: Connection, questions: Mapping[str, Condition], subjects: Sequence[Subject], now: datetime
) -> Verdicts:
    """(holds, found) of each question for each subject, by (ix, question), as of `now`.

    One query for up to 25 questions. A subject whose contact does not exist has no answers.
    """
    if not questions or not subjects:
        return {}
    given = _given(subjects, now)
    answers: Verdicts = {}
    names = list(questions)
    for first in range(0, len(names), _MOST_QUESTIONS):
        asked = names[first : first + _MOST_QUESTIONS]
        rows = conn.execute(_statement(tuple(questions[name] for name in asked)), given)
        for ix, *values in rows:
            for place, name in enumerate(asked):
                answers[ix, name] = (values[2 * place], values[2 * place + 1])
    return answers


def _given(subjects: Sequence[Subject], now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "ix": [subject.ix for subject in subjects],
        "contact_id": [subject.contact_id for subject in subjects],
        "event": [_json(subject.event) for subject in subjects],
        "matched": [_json(subject.matched) for subject in subjects],
        "entered": [_json(subject.entered) for subject in subjects],
        "key": [subject.key for subject in subjects],
    }


def _json(properties: Mapping[str, Any] | None) -> str | None:
    return None if properties is None else orjson.dumps(properties).decode()


@lru_cache(maxsize=256)
def _statement(questions: tuple[Condition, ...]) -> Select[Any]:
    texts = [bindparam(name, type_=ARRAY(Text)) for name in ("event", "matched", "entered", "key")]
    arrays = [bindparam("ix", type_=ARRAY(Integer)), bindparam("contact_id", type_=ARRAY(BigInteger)), *texts]
    given = (
        func.unnest(*arrays)
        .table_valued(
            column("ix", Integer),
            column("contact_id", BigInteger),
            *(column(name, Text) for name in ("event", "matched", "entered", "key")),
            name="given",
        )
        .render_derived()
    )
    subject = (  # materialised, so that each JSON text is parsed once
        select(
            given.c.ix,
            given.c.contact_id,
            *(cast(given.c[name], JSONB).label(name) for name in ("event", "matched", "entered")),
            given.c.key,
        )
        .cte("subject")
        .prefix_with("MATERIALIZED")
    )
    contact = tables.contact.alias("contact")
    scope = Scope(
        contact=contact,
        now=bindparam("now", type_=TIMESTAMP(timezone=True)),
        event=subject.c.event,
        matched=subject.c.matched,
        entered=subject.c.entered,
        key=subject.c.key,
    )
    columns: list[Any] = []
    for place, question in enumerate(questions):
        verdict = question.verdict(scope)
        columns += [verdict.holds.label(f"holds_{place}"), verdict.found.label(f"found_{place}")]
    return select(subject.c.ix, *columns).join_from(subject, contact, contact.c.id == subject.c.contact_id)
