"""Intend: the transaction before the wire. Locks the people, asks `permit` about each send, and commits to those that go."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection

from engine.config import Delivery
from engine.consent.permit import Allowed, ChannelFacts, DueSend, Held, Rules, SendFacts, Withheld, permit, rules_of
from engine.errors import RenderError, WorkspaceError
from engine.journey.decide import exit_questions
from engine.journey.values import Enrollment
from engine.moments import is_zone
from engine.run import brake
from engine.run.post import Counts, Post, Ready
from engine.store import buckets, intents
from engine.store.answers import Case, answer
from engine.store.intents import Crowd, Ending, Intent, LockedSend, Postponed
from engine.store.sends import Claimed

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(seconds=30)
"""How soon a send is looked at again that is held by something which tells no end: its channel, a version that can't be read."""


def intend(post: Post, group: Sequence[Claimed], fence: int) -> tuple[list[Ready], Counts]:
    """Commit intents for those of the group that may go; the others end, or go back into the outbox.

    Every fact is read under the lock on the contact's row, in this transaction, for the group as a whole. Raises database
    errors; then nothing has happened.
    """
    now = post.clock()
    with post.engine.begin() as conn:
        return _Group(conn, post, fence, now).intend(group)


@dataclass
class _Group:
    """The sends of one transaction."""

    conn: Connection
    post: Post
    fence: int
    now: datetime
    ready: list[Ready] = field(default_factory=list)
    later: list[Postponed] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def intend(self, group: Sequence[Claimed]) -> tuple[list[Ready], Counts]:
        people = {c.contact_id for c in group}
        locked = intents.lock(self.conn, [c.id for c in group], sorted(people), self.fence)
        # One whose contact was merged meanwhile now belongs to somebody whose row is not locked (promise P4).
        mine = [send for send in locked if send.ours and send.contact_id in people]
        self.later += [Postponed(send.id, self.now) for send in locked if send.ours and send.contact_id not in people]
        self._judge(self._within_steps(self._readable(self._not_paused(mine))))
        begun = intents.intend(self.conn, [item.intent for item in self.ready], self.post.worker, self.fence, self.now)
        intents.postpone(self.conn, self.later, self.fence)
        intents.end(self.conn, self.endings, self.fence, self.now)
        self._give_back([claimed for claimed in group if claimed.throttled and claimed.id not in begun])
        ready = [item for item in self.ready if item.send.id in begun]
        return ready, Counts(dict(Counter(ending.state for ending in self.endings)))

    def _give_back(self, unused: Sequence[Claimed]) -> None:
        buckets.give_back(self.conn, Counter(claimed.journey for claimed in unused))

    # --- what stops a send before anybody asks whether it may go ---

    def _not_paused(self, group: Sequence[LockedSend]) -> list[LockedSend]:
        self.later += [Postponed(send.id, self.now, "paused") for send in group if send.held]
        return [send for send in group if not send.held]

    def _readable(self, group: Sequence[LockedSend]) -> list[LockedSend]:
        """Without those of stored versions that this Alur can't read; they stay in the outbox for one that can."""
        unreadable = set()
        for version_id in {send.version_id for send in group}:
            try:
                self.post.machines.version(self.conn, version_id)
            except WorkspaceError:
                unreadable.add(version_id)
        lost = [send for send in group if send.version_id in unreadable]
        self.later += [Postponed(send.id, self.now + LOOK_AGAIN, "unreadable") for send in lost]
        return [send for send in group if send.version_id not in unreadable]

    def _within_steps(self, group: Sequence[LockedSend]) -> list[LockedSend]:
        """Without those of journeys that would send somebody more than their steps allow: the brake."""
        over = [send for send in group if send.begun >= self.post.machines.known(send.version_id).most_sends]
        stopped = {name for name in {send.journey for send in over} if brake.one_too_many(self.conn, name, self.now)}
        self.later += [Postponed(send.id, self.now, "paused") for send in group if send.journey in stopped]
        return [send for send in group if send.journey not in stopped]

    # --- whether it may go ---

    def _judge(self, group: Sequence[LockedSend]) -> None:
        defaults = self.post.settings().config.delivery
        exited = self._exited(group)
        rules = {send.id: self._rules(send, defaults) for send in group}
        crowd = self._crowd(group, rules)
        intended: dict[int, dict[int, datetime]] = defaultdict(
            dict, {c: dict(found) for c, found in crowd.intents.items()}
        )
        for send in sorted(group, key=_precedence):
            counted = [at for id_, at in intended[send.contact_id].items() if id_ != send.id]
            ahead = sum(_precedence(other) < _precedence(send) for other in crowd.due.get(send.contact_id, ()))
            facts = SendFacts(send.id in exited, self._channels(send), counted, ahead)
            due = DueSend(send.kind, send.via, send.refused, send.expires_at, rules[send.id])  # type: ignore[arg-type]
            if self._settle(send, permit(due, facts, self.now)) and send.kind == "marketing":
                intended[send.contact_id][send.id] = self.now

    def _settle(self, send: LockedSend, verdict: Allowed | Held | Withheld) -> bool:
        """True when it goes."""
        match verdict:
            case Allowed():
                made = self._compose(send, verdict)
                if isinstance(made, Ready):
                    self.ready.append(made)
                    return True
                self.endings.append(made)
            case Held(until=until, reason=reason):
                self.later.append(Postponed(send.id, until, reason))
            case Withheld(reason=reason):
                state = "failed" if send.refused else "withheld"
                self.endings.append(Ending(send.id, state, "refused" if send.refused else reason))
            case _:
                assert_never(verdict)
        return False

    # --- facts ---

    def _exited(self, group: Sequence[LockedSend]) -> set[int]:
        """Sends whose enrollment has ended, or one of whose exit rules holds at this moment."""
        gone = {send.id for send in group if not send.enrolled}
        cases = []
        for ix, send in enumerate(group):
            machine = self.post.machines.known(send.version_id)
            if send.id not in gone and machine.exits:
                standing = _standing(send)
                questions = exit_questions(machine, standing, self.now)
                cases.append(Case(ix, send.version_id, send.contact_id, standing, None, questions))
        answers = answer(self.conn, cases, self.now, self.post.zone) if cases else {}
        return gone | {group[ix].id for (ix, _), found in answers.items() if found.holds}

    def _rules(self, send: LockedSend, defaults: Delivery) -> Rules:
        if send.kind != "marketing":
            return Rules()
        zone = send.contact.get("timezone")
        zone = zone if isinstance(zone, str) and is_zone(zone) else self.post.zone
        return rules_of(self.post.machines.known(send.version_id).delivery, defaults, zone)

    def _crowd(self, group: Sequence[LockedSend], rules: dict[int, Rules]) -> Crowd:
        """What else the people under a cap got, and are about to get, as far back as any of the caps looks."""
        spans = [cap.per for send in group for cap in rules[send.id].caps]
        if not spans:
            return Crowd({}, {})
        people = sorted({send.contact_id for send in group if rules[send.id].caps})
        return intents.crowd(self.conn, people, [send.id for send in group], self.now - max(spans), self.now)

    def _channels(self, send: LockedSend) -> dict[str, ChannelFacts]:
        return {
            channel: ChannelFacts(
                has_template=channel in self.post.adapters and self.post.composer.has_template(channel, send.template),
                address=send.contact.get("email" if channel == "email" else "phone"),
                suppressed=frozenset(send.suppressed.get(channel, ())),  # type: ignore[arg-type]
                consent_id=send.consents.get(channel),
                held_until=self._held_until(send, channel),
            )
            for channel in send.via
        }

    def _held_until(self, send: LockedSend, channel: str) -> datetime | None:
        if channel in send.shut_channels:
            return self.now + LOOK_AGAIN
        gate = self.post.gates.get(channel)
        return gate.closed_until(self.now) if gate is not None else None

    def _compose(self, send: LockedSend, verdict: Allowed) -> Ready | Ending:
        try:
            made = self.post.composer.compose(send, verdict.channel, verdict.address, self.now)
        except RenderError as error:
            return Ending(send.id, "failed", "render", detail=str(error))
        except Exception as error:
            log.exception("send %d could not be composed", send.id)
            return Ending(send.id, "failed", "render", detail=f"unexpected {type(error).__name__}")
        intent = Intent(
            send.id, send.attempts + 1, verdict.channel, verdict.address, verdict.consent_id,
            made.template_hash, made.config_hash, made.message_id,
        )  # fmt: skip
        return Ready(send, intent, made.message)


def _precedence(send: LockedSend | intents.Due) -> tuple[int, datetime, str, int]:
    """Who goes first of several that are due together."""
    return -send.priority, send.due_at, send.journey, send.id


def _standing(send: LockedSend) -> Enrollment:
    return Enrollment(
        id=send.enrollment_id, contact_id=send.contact_id, key=send.key, state="active", step=send.step, visit=send.visit,
        round=send.round, entered_at=send.entered_at, enrolled_at=send.entered_at, arrived_at=send.entered_at,
        trigger_event_id=send.trigger_event_id, event=send.event, matched=send.matched,
    )  # fmt: skip
