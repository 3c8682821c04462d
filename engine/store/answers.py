"""Answers to what decisions ask: one query for conditions, one per event match and so on, for a whole batch of people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Connection,
    Integer,
    Select,
    Text,
    all_,
    bindparam,
    cast,
    func,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from engine.audience.event_match import EventMatch
from engine.audience.sql.event_match import matching
from engine.audience.sql.scope import Scope
from engine.journey.values import Answer, Assigned, Enrollment, Happened, Holds, Left, Properties, Question
from engine.store.bulk import as_json
from engine.store.verdicts import Subject, verdicts
from engine.store.zones import ZONES, zone_values
from engine.tables import contact


@dataclass(frozen=True)
class Case:
    """One person for whom questions are asked. `group` keeps cases apart that use the same paths for different
    conditions (the journey version). `event` is what would be `event` in the journey, if `enrollment` is None.
    """

    ix: int
    group: int
    contact_id: int
    enrollment: Enrollment | None
    event: Properties | None
    questions: Sequence[Question]
    journey: str = ""


Answers = dict[tuple[int, str], Answer]


def answer(conn: Connection, cases: Iterable[Case], now: datetime, zone: str) -> Answers:
    """The answer to every question of every case, under (case.ix, question.path); `zone` is the organisation's."""
    holds: dict[int, list[Case]] = defaultdict(list)
    happened: dict[EventMatch, list[tuple[Case, Happened]]] = defaultdict(list)  # exits and goals often match alike
    left: list[tuple[Case, Left]] = []
    assigned: list[tuple[Case, Assigned]] = []
    for case in cases:
        if any(isinstance(question, Holds) for question in case.questions):
            holds[case.group].append(case)
        for question in case.questions:
            if isinstance(question, Happened):
                happened[question.match].append((case, question))
            elif isinstance(question, Left):
                left.append((case, question))
            elif isinstance(question, Assigned):
                assigned.append((case, question))
    found: Answers = {}
    for group in holds.values():
        found |= _conditions(conn, group, now, zone)
    for match, asked in happened.items():
        found |= _earliest(conn, match, asked, now, zone)
    if left:
        found |= _memberships(conn, left)
    if assigned:
        found |= _variants(conn, assigned)
    return found


def _conditions(conn: Connection, cases: Sequence[Case], now: datetime, zone: str) -> Answers:
    conditions = {q.path: q.condition for case in cases for q in case.questions if isinstance(q, Holds)}
    subjects = [_subject(case) for case in cases]
    rows = verdicts(conn, conditions, subjects, now, zone)
    return {(ix, path): Answer(holds, found) for (ix, path), (holds, found) in rows.items()}


def _subject(case: Case) -> Subject:
    enrollment = case.enrollment
    if enrollment is None:  # asked at the door: the event that knocks is both tested and starting
        event = dict(case.event) if case.event is not None else None
        return Subject(case.ix, case.contact_id, event, None, event, None)
    event = dict(enrollment.event)
    matched = dict(enrollment.matched) if enrollment.matched is not None else None
    return Subject(case.ix, case.contact_id, event, matched, event, enrollment.key, enrollment.id)


_INSTANT = TIMESTAMP(timezone=True)


_TYPES: Mapping[str, Any] = {
    "ix": Integer(), "contact_id": BigInteger(), "entered": Text(), "key": Text(),
    "since": _INSTANT, "until": _INSTANT, "trigger": BigInteger(), "matched": Text(), "taken": Text(),
    "enrollment": BigInteger(),
}  # fmt: skip


@lru_cache(maxsize=1024)
def _earliest_statement(match: EventMatch) -> Select[Any]:
    """Put together once for each rule: that takes longer than a small claim's whole transaction."""
    arrays: list[Any] = [cast(bindparam(name), ARRAY(type_)) for name, type_ in _TYPES.items()]
    subject = func.unnest(*arrays).table_valued(*_TYPES).render_derived(name="subject")
    person = contact.alias("person")
    scope = Scope(
        contact=person,
        event=None,
        entered=cast(subject.c.entered, JSONB),
        matched=cast(subject.c.matched, JSONB),
        key=cast(subject.c.key, Text),
        enrollment=cast(subject.c.enrollment, BigInteger),
        now=bindparam("now", type_=_INSTANT),
        zones=ZONES,
    )
    since, until = cast(subject.c.since, _INSTANT), cast(subject.c.until, _INSTANT)
    rows = matching(
        match, scope, since=since, until=until, excluding=func.coalesce(cast(subject.c.trigger, BigInteger), -1)
    )
    taken = cast(subject.c.taken, ARRAY(BigInteger))
    first = rows.where(rows.selected_columns.id != all_(taken)).limit(1).lateral("first")
    return (
        select(subject.c.ix, first.c.id, first.c.occurred_at, first.c.properties)
        .select_from(subject)
        .join(person, person.c.id == cast(subject.c.contact_id, BigInteger))
        .outerjoin(first, true())
    )


def _earliest(
    conn: Connection, match: EventMatch, asked: Sequence[tuple[Case, Happened]], now: datetime, zone: str
) -> Answers:
    values: dict[str, list[Any]] = {name: [] for name in _TYPES}
    for number, (case, question) in enumerate(asked):
        enrollment = case.enrollment
        row = (
            number,
            case.contact_id,
            as_json(dict(enrollment.event)) if enrollment is not None else None,
            enrollment.key if enrollment is not None else None,
            question.since,
            question.until,
            enrollment.trigger_event_id if enrollment is not None else None,
            as_json(dict(enrollment.matched)) if enrollment is not None and enrollment.matched is not None else None,
            "{"
            + ",".join(map(str, enrollment.matched_ids if question.unused and enrollment is not None else ()))
            + "}",
            enrollment.id if enrollment is not None else None,
        )
        for column, value in zip(values.values(), row, strict=True):
            column.append(value)
    found: Answers = {}
    rows = conn.execute(_earliest_statement(match), {**values, **zone_values(conn, zone), "now": now})
    for number, event_id, occurred_at, properties in rows:
        what = (
            {"id": event_id, "occurred_at": occurred_at.isoformat(), "properties": properties}
            if event_id is not None
            else None
        )
        case, question = asked[number]
        found[case.ix, question.path] = Answer(event_id is not None, what)
    return found


_LEFT = text("""
SELECT s.ix, min(m.at) AS at
FROM unnest(CAST(:ix AS int[]), CAST(:contact AS bigint[]), CAST(:segment AS text[]), CAST(:since AS timestamptz[]))
     AS s(ix, contact_id, segment, since)
JOIN membership_change m ON m.contact_id = s.contact_id AND m.segment = s.segment AND NOT m.entered AND m.at >= s.since
GROUP BY s.ix, s.segment
""")


def _memberships(conn: Connection, asked: Sequence[tuple[Case, Left]]) -> Answers:
    numbered = list(enumerate(asked))
    rows = conn.execute(
        _LEFT,
        {
            "ix": [number for number, _ in numbered],
            "contact": [case.contact_id for _, (case, _) in numbered],
            "segment": [question.segment for _, (_, question) in numbered],
            "since": [question.since for _, (_, question) in numbered],
        },
    )
    ended = {row.ix: row.at for row in rows}
    return {
        (case.ix, question.path): Answer(number in ended, ended[number].isoformat() if number in ended else None)
        for number, (case, question) in numbered
    }


_VARIANTS = text("""
SELECT s.ix, a.variant, w.variant AS winner
FROM unnest(CAST(:ix AS int[]), CAST(:contact AS bigint[]), CAST(:journey AS text[]), CAST(:experiment AS text[]))
     AS s(ix, contact_id, journey, experiment)
LEFT JOIN assignment a USING (journey, experiment, contact_id)
LEFT JOIN winner w USING (journey, experiment)
""")


def _variants(conn: Connection, asked: Sequence[tuple[Case, Assigned]]) -> Answers:
    rows = conn.execute(
        _VARIANTS,
        {
            "ix": list(range(len(asked))),
            "contact": [case.contact_id for case, _ in asked],
            "journey": [case.journey for case, _ in asked],
            "experiment": [question.experiment for _, question in asked],
        },
    )
    found: Answers = {}
    for ix, variant, winner in rows:
        case, question = asked[ix]
        what = {"variant": variant, "winner": winner}
        found[case.ix, question.path] = Answer(variant is not None or winner is not None, what)
    return found
