"""Warn: what an author should know before an edit runs, and what a template wants that a running version lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engine.catalog.data import Data
from engine.journey.diff import Diff, Written
from engine.journey.journey import Journey
from engine.journey.machine import Machine, compile_journey
from engine.journey.moving import Stranded
from engine.journey.reach import walk
from engine.journey.steps.send import Send
from engine.journey.steps.wait_for import WaitFor
from engine.journey.triggers import (
    BroadcastTrigger,
    ClockTrigger,
    DatesTrigger,
    EntersTrigger,
    EventTrigger,
    ScheduleTrigger,
)
from engine.run.migrate import Course
from engine.store import reach, scheduled
from engine.store.reach import Reach
from engine.templates import Templates

_SLOW = timedelta(hours=24)
"""A throttle under which one firing takes longer than this gets a word, even if nothing expires."""


def warnings(
    conn: Connection,
    journey: Journey,
    before: Written | None,
    changed: Diff | None,
    going: Sequence[Course],
    lets_in: Reach | None,
    now: datetime,
) -> Iterator[str]:
    """Sentences about one journey that is new or changed; none of them forbids anything."""
    yield from _door(conn, journey, lets_in, now)
    yield from _throttle(journey, lets_in)
    yield from _keyless(journey)
    if before is not None and changed is not None:
        yield from _renamed(journey, changed, going)
        yield from _experiments(before, changed, going)
    yield from _unused_map(journey, going)


def _door(conn: Connection, journey: Journey, lets_in: Reach | None, now: datetime) -> Iterator[str]:
    entry, trigger = journey.entry, journey.trigger
    if entry.end is not None and entry.end <= now:
        yield f"nobody can enter: entry.end was {entry.end.isoformat()}"
    match trigger:
        case EventTrigger(match=match):
            seen = reach.recent_events(conn)
            if seen and match.name not in seen:
                yield f"no event '{match.name}' is among the last {reach.RECENT:,} that came: is that its name?"
        case BroadcastTrigger() if (gone := scheduled.went_out(conn, journey.name)) is not None:
            yield _gone_out(journey, trigger, gone, now)
        case BroadcastTrigger(at=at) if at <= now:
            yield f"nobody will enter: its instant, {at.isoformat()}, is past"
        case BroadcastTrigger() | ScheduleTrigger() | DatesTrigger() if lets_in is not None and not lets_in.people:
            unreached = f", and {lets_in.unreached:,} who could not be reached" if lets_in.unreached else ""
            yield f"nobody would enter now: {' and '.join(trigger.segments)} hold nobody who may{unreached}"
        case EntersTrigger(segment=segment) if entry.backfill and lets_in is not None and not lets_in.people:
            yield f"the backfill lets nobody in: '{segment}' holds nobody who could be reached"
        case _:
            pass


def _keyless(journey: Journey) -> Iterator[str]:
    """What compares events with a key that no enrollment has."""
    trigger = journey.trigger
    if isinstance(trigger, ClockTrigger) or (isinstance(trigger, EventTrigger) and trigger.match.key is not None):
        return
    keyed = [(rule.path, rule.match) for rule in journey.exits]
    keyed += [("goal", journey.goal.match)] if journey.goal is not None else []
    keyed += [(step.id, step.awaited.match) for step in walk(journey.steps) if isinstance(step, WaitFor)]
    for where, match in keyed:
        if match is not None and match.key is not None:
            yield f"'{where}' looks for '{match.name}' by 'key', and the trigger gives no key: no event ever matches"


def _gone_out(journey: Journey, trigger: BroadcastTrigger, gone: tuple[datetime, int], now: datetime) -> str:
    at, people = gone
    said = f"this broadcast has gone out at {at.isoformat()} to {people:,} {'person' if people == 1 else 'people'}"
    if journey.entry.reentry.rule == "never":
        return f"{said}: it does not go out again, whatever its 'at' says, unless entry.reentry lets people come back"
    if trigger.at > now:
        return f"{said}, and goes out again: entry.reentry lets people come back"
    return f"{said}: it goes out again only at an instant that is not past"


def _throttle(journey: Journey, lets_in: Reach | None) -> Iterator[str]:
    rate = journey.delivery.throttle
    if rate is None or lets_in is None or not lets_in.people:
        return
    takes = rate.per * (lets_in.people / rate.count)
    windows = [send.expires for send in journey.sends() if send.expires is not None]
    shortest = min(windows, key=lambda window: window.delta, default=None)
    if shortest is not None and takes > shortest.delta:
        yield f"at {rate.text} the first {lets_in.people:,} messages take {_span(takes)}: longer than 'expires: {shortest.text}', so that some will be withheld"
    elif takes > _SLOW:
        yield f"at {rate.text} the first {lets_in.people:,} messages take {_span(takes)}"


def _span(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours / 24:,.1f} days" if hours >= 48 else f"{hours:,.1f} hours"


def _renamed(journey: Journey, changed: Diff, going: Sequence[Course]) -> Iterator[str]:
    """A step that is gone while the same words stand under another id is most likely a new name for it."""
    gone = {step.label: step for step in changed.steps if step.how == "removed" and "." not in step.step}
    people: dict[str | None, int] = defaultdict(int)
    for course in going:
        people[course.standing.step] += course.standing.people
    for step in changed.steps:
        old = gone.get(step.label) if step.how == "added" and "." not in step.step else None
        if old is not None and old.step not in journey.in_flight.steps:
            stay = (
                f"; {people[old.step]:,} on it stay on their version"
                if people[old.step] and journey.in_flight.rule == "pin"
                else ""
            )
            yield f"'{old.step}' seems to be called '{step.step}' now: reports and migrations take it for another step{stay}"


def _experiments(before: Written, changed: Diff, going: Sequence[Course]) -> Iterator[str]:
    """Only while it runs: somebody is under way in the journey."""
    under_way = sum(course.standing.people for course in going)
    experiments = {name for name, state in before.machine.states.items() if state.verb == "experiment"}
    for step in changed.steps:
        if under_way and step.before in experiments and step.how in ("changed", "removed"):
            what = "is gone" if step.how == "removed" else f"changes while it runs ({'; '.join(step.what)})"
            yield f"the experiment '{step.before}' {what}: everybody keeps the variant they have, so that its numbers no longer compare like with like"


def _unused_map(journey: Journey, going: Sequence[Course]) -> Iterator[str]:
    standing = {course.standing.step for course in going if not isinstance(course.way, Stranded)}
    for old in journey.in_flight.steps:
        if going and old not in standing:
            yield f"in_flight.migrate names '{old}', and nobody stands on such a step"


# --- templates ---------------------------------------------------------------------------------------------------------


def lacking_data(journey: Journey, standing: Collection[str | None], templates: Templates, data: Data) -> Iterator[str]:
    """Each thing that a template wants and this version does not give to a send that people on `standing` may still come to.
    `data`: what its steps can count on.
    """
    for send in _ahead(compile_journey(journey), standing):
        wanted = sorted({path for channel in send.via for path in templates.wants(channel, send.template)})
        for path in wanted:
            unmet = data.unmet(path, send)
            if unmet is not None:
                yield (
                    f"journey '{journey.name}': the template '{send.template}' wants {path}, and the version "
                    f"{journey.hash[:8]}, on which people are under way, does not give it to '{send.id}' ({unmet.why}): give it a "
                    "default in the template, or keep the old template under its name"
                )


def _ahead(machine: Machine, standing: Collection[str | None]) -> list[Send]:
    """The sends that people on these steps stand on or may come to, in file order."""
    seen: set[str] = set()
    ahead = [machine.start if step is None else step for step in standing]
    while ahead:
        name = ahead.pop()
        if name is not None and name not in seen and name in machine.states:
            seen.add(name)
            ahead += [target for _, target in machine.states[name].targets()]
    return [state for name, state in machine.states.items() if name in seen and isinstance(state, Send)]
