"""Claim: the people of one transaction; gathers what is to be decided for them, and asks in rounds until all is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from engine.errors import WorkspaceError
from engine.journey.decide import concerns, decide
from engine.journey.entry import entry_key, handed, triggered_by
from engine.journey.triggers import FinishedTrigger
from engine.journey.values import Decision, Facts, Previous, Undecided
from engine.run.machines import Machines, Running
from engine.run.outcome import Item, Outcome
from engine.store import enrollments
from engine.store.answers import Case, answer
from engine.store.signals import ClaimedContact, DueSignal


class Claim:
    """The people of one claim. `undecidable`: signals for versions that can't be read any more."""

    def __init__(
        self,
        conn: Connection,
        machines: Machines,
        running: list[Running],
        people: list[ClaimedContact],
        due: Mapping[int, Sequence[DueSignal]],
        paused: list[str],
        zone: str,
        now: datetime,
    ) -> None:
        self._conn, self._machines, self._running, self._zone, self._now = conn, machines, running, zone, now
        self._paused = frozenset(paused)
        self._people = {person.id: person for person in people}
        past = [item.signal.event.occurred_at for queue in due.values() for item in queue if item.signal.event]
        open_ = enrollments.open_for(conn, list(self._people), min(past, default=None))
        self.outcome = Outcome(conn, len(people), now, open_, machines.texts, _heard(running))
        self.undecidable: list[tuple[int, DueSignal, WorkspaceError]] = []

    def decide(self, wave: dict[int, DueSignal]) -> None:
        """Decide one signal per contact: for those under way first, then at the doors it may open."""
        self._settle([item for contact, due in wave.items() for item in self._under_way(self._people[contact], due)])
        doors = [item for contact, due in wave.items() for item in self._doors(self._people[contact], due)]
        self._look_back(doors)
        self._settle(doors)

    def _under_way(self, person: ClaimedContact, due: DueSignal) -> Iterator[Item]:
        for standing in self.outcome.open.get(person.id, ()):
            if due.enrollment_id is not None and due.enrollment_id != standing.enrollment.id:
                continue
            try:
                machine = self._machines.version(self._conn, standing.version_id)
            except WorkspaceError as error:
                if due.enrollment_id is not None:  # what happens is also found later, in the history
                    self.undecidable.append((person.id, due, error))
                continue
            if due.signal.kind == "timer" and due.enrollment_id is not None:
                self.outcome.fired(due.enrollment_id)
            if concerns(machine, standing.enrollment, due.signal):
                yield Item(person, standing.journey, standing.version_id, machine, standing, due.signal)

    def _doors(self, person: ClaimedContact, due: DueSignal) -> Iterator[Item]:
        for journey in self._running:
            if journey.live.state == "live" and triggered_by(journey.machine, due.signal):
                yield Item(person, journey.live.name, journey.live.version_id, journey.machine, None, due.signal)

    def _look_back(self, doors: list[Item]) -> None:
        """Fetch for every door who is, and when somebody last was, inside under the same key."""
        wanted = {}
        for item in doors:
            key = entry_key(item.machine, item.signal, item.contact.timezone or self._zone)
            if key is not None:
                wanted[id(item)] = (item.contact.id, item.journey, key)
        past = enrollments.last_entries(self._conn, sorted(set(wanted.values())))
        for item in doors:
            triple = wanted.get(id(item))
            if triple is None:
                continue
            here = self.outcome.entered_here.get(triple)
            last = max((t for t in (past.get(triple), here) if t is not None), default=None)
            item.previous = Previous(self.outcome.active(*triple), last)

    def _settle(self, items: list[Item]) -> None:
        """Ask and decide in rounds until every item is decided; the same questions are asked for all at once.

        A decision that wants to go on with what it has changed is carried out and taken up again in the next round.
        """
        while items:
            undecided: list[tuple[Item, Undecided]] = []
            again: list[Item] = []
            for item in items:
                outcome = self._decide(item)
                match outcome:
                    case Undecided():
                        undecided.append((item, outcome))
                    case Decision():
                        enrollment_id = self.outcome.note(item, outcome)
                        if outcome.again and enrollment_id is not None:
                            standing = self.outcome.standing(item.contact.id, enrollment_id)
                            again.append(replace(item, standing=standing, answers={}))
                    case _:
                        assert_never(outcome)
            if again:
                self.outcome.apply_now()
            cases = [
                Case(
                    ix,
                    item.version_id,
                    item.contact.id,
                    outcome.about,
                    handed(item.signal),
                    outcome.questions,
                    item.journey,
                )
                for ix, (item, outcome) in enumerate(undecided)
            ]
            answers = answer(self._conn, cases, self._now, self._zone) if cases else {}
            for ix, (item, outcome) in enumerate(undecided):
                item.answers.update({question.path: answers[ix, question.path] for question in outcome.questions})
            items = [item for item, _ in undecided] + again

    def _decide(self, item: Item) -> Decision | Undecided:
        zone, paused = self.outcome.zone(item.contact) or self._zone, item.journey in self._paused
        facts = item.facts = Facts(item.contact.id, zone, item.answers, item.previous, paused, self._machines.holdout)
        inside = item.standing.enrollment if item.standing is not None else None
        return decide(item.machine, inside, item.signal, facts, self._now)


def _heard(running: list[Running]) -> frozenset[str]:
    """Journeys whose end starts another one that is live."""
    triggers = [each.machine.trigger for each in running if each.live.state == "live"]
    return frozenset(trigger.journey for trigger in triggers if isinstance(trigger, FinishedTrigger))
