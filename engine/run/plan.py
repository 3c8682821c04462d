"""Plan: what applying the files would do, to whom, and what speaks against it; it changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal

from sqlalchemy import Connection, Engine

from engine.audience.segment import in_order
from engine.catalog import Definitions, JourneyFile
from engine.catalog.data import Data, Others
from engine.config import Config
from engine.document import plain, read_document
from engine.errors import WorkspaceError
from engine.journey.diff import Diff, Written, diff
from engine.journey.machine import Machine
from engine.journey.moving import Stranded
from engine.journey.steps.send import Send
from engine.journey.triggers import BroadcastTrigger, DatesTrigger, EntersTrigger, ScheduleTrigger
from engine.run import schedule
from engine.run.changes import Change, Ground, TemplateChange, changes, ground, template_changes
from engine.run.machines import read_source
from engine.run.migrate import Course, courses, read_machine, stranded_label
from engine.run.warn import lacking_data, warnings
from engine.store import journeys, moves, reach, scheduled, segments
from engine.store.journeys import Version
from engine.store.reach import Door, Reach
from engine.templates import Templates


@dataclass(frozen=True)
class LetsIn:
    """Whom the trigger would let in: at `at` (None: as soon as it is applied), by whoever is in its segments now."""

    at: datetime | None
    reach: Reach


@dataclass(frozen=True)
class Standing:
    """People on one step of one version. `goes`: the step of the new version that they go to; None while they stay on theirs."""

    version: str
    step: str | None
    label: str
    people: int
    goes: str | None
    touched: bool


@dataclass(frozen=True)
class JourneyPlan:
    """What becomes of one journey. `before` and `after`: hashes of the version that is live and of the file's."""

    name: str
    how: Literal["new", "changed", "removed"]
    before: str | None
    after: str | None
    diff: Diff | None = None
    rule: Literal["pin", "migrate"] = "pin"
    standing: tuple[Standing, ...] = ()
    lets_in: LetsIn | None = None
    ends: int = 0
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    machine: Machine | None = field(default=None, repr=False, compare=False)

    @property
    def people(self) -> int:
        return sum(each.people for each in self.standing)


@dataclass(frozen=True)
class SegmentPlan:
    """What becomes of one segment; how many are in it, before and after."""

    name: str
    how: Literal["new", "changed", "removed"]
    members_before: int
    members_after: int


@dataclass(frozen=True)
class Plan:
    """All of it. `refusals`: why it can't be applied as it is; those of single journeys are among them. `ending`: people of
    journeys that were removed before, who would leave now. `warnings` are about what runs already. `templates` are live
    without being applied; the plan only tells of them.
    """

    made_at: datetime
    ground: Ground
    changes: tuple[Change, ...]
    journeys: tuple[JourneyPlan, ...]
    segments: tuple[SegmentPlan, ...]
    end: bool = False
    ending: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    templates: tuple[TemplateChange, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.changes and not self.ending


def make_plan(
    engine: Engine,
    files: Definitions,
    config: Config,
    now: datetime,
    templates: Templates | None = None,
    *,
    end: bool = False,
) -> Plan:
    """What `apply` would do at `now`. Segments are filled to count their people, in a transaction that is given up."""
    with engine.connect() as conn:
        try:
            return _Planning(conn, files, config, now, templates, end).plan()
        finally:
            conn.rollback()


@dataclass
class _Planning:
    conn: Connection
    files: Definitions
    config: Config
    now: datetime
    templates: Templates | None
    end: bool

    @property
    def zone(self) -> str:
        return self.config.organisation.timezone

    def plan(self) -> Plan:
        compared = ground(self.conn, self.files)
        every = changes(self.conn, self.files)
        found = tuple(change for change in every if change.how != "unchanged")
        parts = tuple(self._segments([change for change in found if change.what == "segment"]))
        planned = tuple(self._journey(change) for change in found if change.what == "journey")
        going = {journey.name: journey.ends for journey in planned if journey.how == "removed"}
        running = _Running()
        self._running({change.name for change in found}, running)
        refusals = [*(line for journey in planned for line in journey.refusals), *running.refusals]
        return Plan(
            self.now,
            compared,
            found,
            planned,
            parts,
            self.end,
            self._ending(going) if self.end else {},
            tuple(refusals),
            tuple(running.warnings),
            tuple(self._templates()),
        )

    # --- segments ---

    def _segments(self, found: list[Change]) -> Iterator[SegmentPlan]:
        names = {change.name for change in found}
        before = {name: reach.members(self.conn, name) for name in names}
        for segment in in_order(file.segment for file in self.files.segments.values()):
            if segment.name in names:
                segments.refresh(self.conn, segment, self.files.segments[segment.name].hash, self.now, self.zone)
        for change in found:
            after = reach.members(self.conn, change.name) if change.how != "removed" else 0
            assert change.how != "unchanged"
            yield SegmentPlan(change.name, change.how, before[change.name], after)

    # --- journeys ---

    def _journey(self, change: Change) -> JourneyPlan:
        live = {journey.name: journey for journey in journeys.all_applied(self.conn)}.get(change.name)
        known = journeys.versions(self.conn, change.name)
        before = live.hash if live is not None and live.state == "live" else None
        if change.how == "removed":
            people = sum(count.people for count in moves.standing(self.conn, change.name))
            staying = tuple(self._staying(change.name, known))
            return JourneyPlan(change.name, "removed", before, None, standing=staying, ends=people if self.end else 0)
        file = self.files.journeys[change.name]
        after = Written.of(file.journey, plain(file.node))
        old = self._written(change.name, known, before)
        changed = diff(old, after) if old is not None else None
        going = courses(self.conn, file.journey, self.config.declared)
        lets_in = self._lets_in(after.machine, first=not known)
        refused = tuple(stranded_label(change.name, course) for course in going if isinstance(course.way, Stranded))
        assert change.how != "unchanged"
        return JourneyPlan(
            name=change.name,
            how=change.how,
            before=before,
            after=file.journey.hash,
            diff=changed,
            rule=file.journey.in_flight.rule,
            standing=tuple(self._going(change.name, known, changed, going)),
            lets_in=lets_in,
            warnings=tuple(
                warnings(self.conn, file.journey, old, changed, going, lets_in.reach if lets_in else None, self.now)
            ),
            refusals=refused,
            machine=after.machine,
        )

    def _written(self, name: str, known: list[Version], hash_: str | None) -> Written | None:
        """The version that is live now; None when there is none, or none that can be read any more."""
        version = next((version for version in known if version.hash == hash_), None)
        if version is None:
            return None
        try:
            journey = read_source(name, version.source, self.config.declared)
        except WorkspaceError:
            return None
        node, _ = read_document(version.source.encode(), f"journeys/{name}.yaml")
        return Written.of(journey, plain(node)) if node is not None else None

    def _going(self, name: str, known: list[Version], changed: Diff | None, going: list[Course]) -> Iterator[Standing]:
        touched = {step.before for step in changed.steps} if changed is not None else set()
        machines = {version.hash: read_machine(name, version.source, self.config.declared) for version in known}
        for course in going:
            step = course.standing.step
            to = getattr(course.way, "to", None) if course.way is not None else None
            label = _label(machines.get(course.version), step)
            yield Standing(
                course.version, step, label, course.standing.people, to, step in touched or to not in (None, step)
            )

    def _staying(self, name: str, known: list[Version]) -> Iterator[Standing]:
        by_id = {version.id: version for version in known}
        for count in moves.standing(self.conn, name):
            version = by_id[count.version_id]
            label = _label(read_machine(name, version.source, self.config.declared), count.step)
            yield Standing(version.hash, count.step, label, count.people, None, touched=False)

    def _ending(self, going: Mapping[str, int]) -> dict[str, int]:
        """People of journeys that were removed by an earlier apply."""
        gone = [each.name for each in journeys.all_applied(self.conn) if each.state == "removed"]
        gone = [name for name in gone if name not in self.files.journeys and name not in going]
        counts = {name: sum(count.people for count in moves.standing(self.conn, name)) for name in gone}
        return {name: people for name, people in counts.items() if people}

    # --- the door ---

    def _lets_in(self, machine: Machine, *, first: bool) -> LetsIn | None:
        """Whom the clock, or a backfill, would bring in next; None when only what people do brings them in."""
        trigger = machine.trigger
        match trigger:
            case EntersTrigger() | ScheduleTrigger() | BroadcastTrigger():
                schedule.arm(self.conn, machine, self.zone, self.now, first=first)
                firing = next(iter(scheduled.coming(self.conn, machine.journey)), None)
                if firing is None:
                    return None if isinstance(trigger, EntersTrigger) else LetsIn(None, Reach(0, 0))
                backfill = firing.occurrence == schedule.BACKFILL
                return self._reach(machine, None if backfill else firing.due_at, "" if backfill else firing.occurrence)
            case DatesTrigger():
                coming = trigger.next_after(self.now, self.zone)
                if coming is None:
                    return LetsIn(None, Reach(0, 0))
                return self._reach(machine, coming[1], coming[0].isoformat())
            case _:
                return None

    def _reach(self, machine: Machine, at: datetime | None, key: str) -> LetsIn:
        channels = sorted({channel for send in first_sends(machine) for channel in send.via})
        topic = machine.topic if machine.kind == "marketing" else None
        entry = machine.entry
        door = Door(machine.journey, machine.trigger.segments, entry.where, entry.reentry, key, channels, topic)
        return LetsIn(at, reach.reach(self.conn, door, self.zone, self.now))

    # --- what runs ---

    def _running(self, changed: Collection[str], found: _Running) -> None:
        """What is to be said of the versions on which people stay, other than the files' own."""
        for live in journeys.all_applied(self.conn):
            file: JourneyFile | None = self.files.journeys.get(live.name)
            by_id = {version.id: version for version in journeys.versions(self.conn, live.name)}
            moving = live.name in changed and file is not None and file.journey.in_flight.rule == "migrate"
            standing: dict[str, dict[str | None, int]] = {}
            for count in moves.standing(self.conn, live.name):
                version = by_id[count.version_id]
                if not moving or (file is not None and version.hash == file.journey.hash):
                    steps = standing.setdefault(version.hash, {})
                    steps[count.step] = steps.get(count.step, 0) + count.people
            for version in by_id.values():
                if version.hash in standing and (file is None or version.hash != file.journey.hash):
                    self._version(live.name, version, standing[version.hash], found)

    def _version(self, name: str, version: Version, standing: Mapping[str | None, int], found: _Running) -> None:
        """Templates are live: one that wants what a version lacks would fail for each of its people."""
        try:
            journey = read_source(name, version.source, self.config.declared)
        except WorkspaceError as error:
            people = sum(standing.values())
            stand = f"{people:,} {'person stands' if people == 1 else 'people stand'}"
            found.warnings.append(
                f"journey '{name}': {stand} on the version {version.hash[:8]}, which can't be read with this config.yaml and this "
                f"Alur, and stay{'s' if people == 1 else ''} there ({error})"
            )
            return
        if self.templates is not None:
            data = Data.of(journey.draft(), self._others, self.config)
            found.refusals += lacking_data(journey, standing, self.templates, data)

    @cached_property
    def _others(self) -> Others:
        return Others.of({name: file.journey for name, file in self.files.journeys.items()})

    def _templates(self) -> Iterator[TemplateChange]:
        if self.templates is None:
            return
        sends = {name: file.journey for name, file in self.files.journeys.items()}
        for change in template_changes(self.conn, self.templates.hashes()):
            channel, _, template = change.path.removeprefix("templates/").partition("/")
            named = template.partition(".")[0]
            users = (
                name for name, journey in sends.items()
                if any(send.template == named and channel in send.via for send in journey.sends())
            )  # fmt: skip
            yield replace(change, journeys=tuple(sorted(users)))


@dataclass
class _Running:
    """What is said of versions on which people stay."""

    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def first_sends(machine: Machine) -> list[Send]:
    """The sends that somebody who enters can come to before any other send."""
    found: list[Send] = []
    seen: set[str] = set()
    ahead = [machine.start]
    while ahead:
        name = ahead.pop()
        if name is None or name in seen:
            continue
        seen.add(name)
        state = machine.states[name]
        if isinstance(state, Send):
            found.append(state)
        else:
            ahead += [target for _, target in state.targets()]
    return found


def _label(machine: Machine | None, step: str | None) -> str:
    if step is None:
        return "at the door"
    state = machine.states.get(step) if machine is not None else None
    return state.label() if state is not None else ""
