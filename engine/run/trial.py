"""Trial: play one test of a journey on a stage, and tell what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, assert_never

from sqlalchemy import Connection

from engine.catalog import Definitions
from engine.errors import AlurError
from engine.journey.judge import Failure, Left, Record, Sent, Unsent, judge
from engine.journey.trial import (
    Consents,
    Enrolls,
    ExpectContact,
    Given,
    Happens,
    Identifies,
    Observed,
    Reacts,
    Suppresses,
    Trial,
)
from engine.run.apply import apply
from engine.run.deliver import Post
from engine.run.drain import Drain
from engine.run.enroll import enroll
from engine.run.import_contacts import read_contact
from engine.run.incoming import Incoming, Message
from engine.run.ingest import ingest, rules_of
from engine.run.profile import FieldRefusedError
from engine.run.record import record, settle
from engine.run.rehearse import Cue, EndlessError, Movable, rehearse
from engine.run.settle import Running
from engine.run.why import why
from engine.store import contacts, dead_letters, enrollments, observations, sends, verdicts
from engine.store.observations import Observation
from engine.store.verdicts import Subject

SOURCE: Final = "test"
"""Where everything that a test gives comes from."""

_PATIENCE: Final = timedelta(days=400)
"""How long after the last given item a test without `until` may go on."""

_NOBODY: Final = "somebody-in-a-test"
"""The anonymous id of a person to whom the test gives none and no user id either: by it their events find them."""


class Stage(Running, Protocol):
    """The wired engine on a stage, as `engine.app.open_rehearsal` gives it."""

    def post(self) -> AbstractContextManager[Post]: ...


@dataclass(frozen=True)
class Played:
    """How a test ended. `story` is what `why` tells of the person where something failed, by the clocks of `zone`; `errors`
    say why it could not be played.
    """

    outcome: Literal["passed", "failed", "error"]
    failures: tuple[Failure, ...] = ()
    errors: tuple[str, ...] = ()
    story: dict[str, Any] | None = None
    zone: str = "UTC"


class TrialError(AlurError):
    """A test can't be played as it stands; `line` is where."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(f"line {line}: {message}")


def play(stage: Stage, clock: Movable, definitions: Definitions, journey: str, trial: Trial) -> Played:
    """Play the test on a stage on which nobody is and nothing applied; its `clock` must stand at `trial.start`.

    The person is there first, then all definitions are applied, then what is given arrives.
    """
    person = _Person(stage, trial)
    try:
        person.appear()
        apply(stage.engine, definitions, stage.zone, clock(), by="alur test")
        with stage.post() as post:
            drain = Drain(post, 1)
            try:
                with drain.opened() as run:
                    cues = [_cue(stage, person, journey, item, number) for number, item in enumerate(trial.given)]
                    last = trial.given[-1].arrival if trial.given else trial.start
                    rehearse(stage, clock, run, cues, trial.until or last + _PATIENCE)
            finally:
                drain.close()
        if trial.until is not None:
            clock.move_to(trial.until)
    except (TrialError, EndlessError) as error:
        return Played("error", errors=(str(error),))
    with stage.engine.connect() as conn:
        undecided = dead_letters.reasons(conn)
        if undecided:
            return Played("error", errors=tuple(undecided))
        return _judge(conn, stage, person.id(conn), journey, trial, clock())


def _judge(conn: Connection, stage: Stage, contact_id: int, journey: str, trial: Trial, now: datetime) -> Played:
    contact = contacts.get(conn, contact_id)
    zone = (contact.timezone if contact is not None else None) or stage.zone
    failures = judge(trial.expect, _record(conn, contact_id, journey, trial, now, stage.zone), zone)
    if not failures:
        return Played("passed")
    return Played("failed", tuple(failures), story=why(conn, contact_id, journey), zone=zone)


# --- the person -------------------------------------------------------------------------------------------------------


class _Person:
    """Whoever the test is about, as messages name them."""

    def __init__(self, stage: Stage, trial: Trial) -> None:
        self._stage, self._trial = stage, trial
        self._said = dict(trial.contact)
        if not self._said.get("user_id") and not self._said.get("anonymous_id"):
            self._said["anonymous_id"] = _NOBODY
        self._number = 0

    def appear(self) -> None:
        """Write the contact. Its id hangs on the first identity alone, so that draws of lots come out the same in
        every run, and another way for somebody of another name.
        """
        now = self._stage.clock()
        try:
            message = read_contact(self._said, rules_of(self._stage.config), now, SOURCE)
        except FieldRefusedError as error:
            raise TrialError(self._trial.line, f"contact.{error}") from error
        first = next(
            str(self._said[name]) for name in ("user_id", "email", "phone", "anonymous_id") if self._said.get(name)
        )
        number = int.from_bytes(hashlib.sha256(first.encode()).digest()[:4], "big") // 2 + 1
        with self._stage.engine.begin() as conn:
            contacts.number_from(conn, number)
        settle(self._stage.engine, lambda conn: record(conn, [message], now, self._stage.zone))
        self._number = number

    def id(self, conn: Connection) -> int:
        """The contact's id, also after it was merged into another."""
        return contacts.final_id(conn, self._number) or self._number

    def message(self, **said: Any) -> Incoming:
        """A message of the Segment protocol that this person sends."""
        named = {"userId": self._said.get("user_id"), "anonymousId": self._said.get("anonymous_id")}
        return Incoming({**{name: value for name, value in named.items() if value}, **said}, SOURCE)

    def statement(self, said: dict[str, Any], now: datetime) -> Message:
        """A row of an import that names this person."""
        names = {
            name: self._said[name] for name in ("user_id", "anonymous_id", "email", "phone") if self._said.get(name)
        }
        return replace(read_contact({**names, **said}, rules_of(self._stage.config), now, SOURCE), occurred_at=now)


# --- what is given ----------------------------------------------------------------------------------------------------


def _cue(stage: Stage, person: _Person, journey: str, item: Given, number: int) -> Cue:
    return Cue(item.arrival, lambda: _bring(stage, person, journey, item, number), isinstance(item.act, Reacts))


def _bring(stage: Stage, person: _Person, journey: str, item: Given, number: int) -> None:
    """Let one item arrive, in the way it would arrive at the live engine."""
    now, timestamp = stage.clock(), item.at.isoformat()
    given = {"messageId": f"given-{number}", "timestamp": timestamp}
    match item.act:
        case Happens(event=event, properties=properties, message_id=message_id):
            given["messageId"] = message_id or given["messageId"]
            _take(stage, item, person.message(type="track", event=event, properties=properties, **given))
        case Identifies(traits=traits, message_id=message_id):
            given["messageId"] = message_id or given["messageId"]
            _take(stage, item, person.message(type="identify", traits=traits, **given))
        case Consents(topics=topics):
            _take(stage, item, person.message(type="identify", traits={"consent": topics}, **given))
        case Suppresses(channel=channel):
            statement = person.statement({"suppressed": [channel]}, now)
            settle(stage.engine, lambda conn: record(conn, [statement], now, stage.zone))
        case Reacts(step=step, was=was):
            _react(stage, person, journey, item, step, was)
        case Enrolls(properties=properties):
            with stage.engine.begin() as conn:
                enroll(conn, journey, person.id(conn), properties, SOURCE, now)
        case _:
            assert_never(item.act)


def _react(stage: Stage, person: _Person, journey: str, item: Given, step: str, was: Observed) -> None:
    with stage.engine.begin() as conn:
        sent = observations.newest_send(conn, person.id(conn), journey, step)
        if sent is None:
            raise TrialError(item.line, f"step '{step}' has sent nothing yet that could be {was}")
        seen = Observation(sent, was, item.at, hard=was == "bounced")
        observations.record(conn, [seen], stage.clock())


def _take(stage: Stage, item: Given, message: Incoming) -> None:
    if ingest(stage.engine, stage.config, [message], stage.clock()).dead:
        with stage.engine.connect() as conn:
            raise TrialError(item.line, "; ".join(dead_letters.reasons(conn)))


# --- what came of it --------------------------------------------------------------------------------------------------

_OUT = ("accepted", "delivered", "bounced", "complained")


def _record(conn: Connection, contact_id: int, journey: str, trial: Trial, now: datetime, zone: str) -> Record:
    passages = [s.enrollment for s in enrollments.of_contact(conn, contact_id) if s.journey == journey]
    variants = {p.id: tuple(p.variants.values()) for p in passages}
    messages = [send for send in sends.of_contact(conn, contact_id) if send["journey"] == journey]
    return Record(
        sent=tuple(
            Sent(m["step"], m["channel"], m["intent_at"], variants.get(m["enrollment_id"], ()))
            for m in messages
            if m["state"] in _OUT
        ),
        unsent=tuple(
            Unsent(m["step"], m["state"], m["reason"], m["ended_at"] or m["due_at"])
            for m in messages
            if m["state"] not in _OUT
        ),
        left=tuple(Left(p.reason, p.ended_at) for p in passages if p.reason is not None and p.ended_at is not None),
        goals=sum(p.goal_at is not None for p in passages),
        entries=len(passages),
        about_contact=dict(_about_contact(conn, contact_id, trial, now, zone)),
        standing=tuple(_standing(p.state, p.step) for p in passages if p.state != "ended"),
    )


def _standing(state: str, step: str | None) -> str:
    return (
        f"the person stands on {step}" if state == "active" else "the person is held out (another user_id may not be)"
    )


def _about_contact(
    conn: Connection, contact_id: int, trial: Trial, now: datetime, zone: str
) -> Iterator[tuple[int, tuple[bool, Any]]]:
    wanted = {place: each for place, each in enumerate(trial.expect) if isinstance(each, ExpectContact)}
    asked = {str(place): each.condition for place, each in wanted.items()}
    found = verdicts.verdicts(conn, asked, [Subject(0, contact_id)], now, zone)
    for place in wanted:
        yield place, found[0, str(place)]
