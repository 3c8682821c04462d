"""Relocate: somebody lives in another time zone now, and what waits for a time of their clock goes along; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.journey.machine import Machine
from engine.journey.steps.repeat import RepeatState
from engine.journey.steps.wait import ClockTime, Elapse, Wait
from engine.journey.values import Enrollment, Lap, Signal
from engine.moments import same_clock


def relocated(machine: Machine, enrollment: Enrollment, signal: Signal) -> Enrollment:
    """The enrollment as if the waits under way had begun at the same local time in the zone that the person lives in now.

    That holds for the clock time or calendar wait it stands on, and for the rounds of a repeat that come by the calendar.
    What counts elapsed time stays as it is; so does what began no earlier than the move. `signal.data.zones` says the
    moves, in order: {from, to, at}.
    """
    if signal.kind != "profile" or enrollment.arriving or enrollment.state != "active":
        return enrollment
    for move in signal.data.get("zones") or ():
        enrollment = _moved(machine, enrollment, _Move(move, signal.at))
    return enrollment


class _Move:
    """From one zone to another."""

    def __init__(self, said: Mapping[str, Any], told_at: datetime) -> None:
        self._old, self._new = said["from"], said["to"]
        self._at, self._told_at = datetime.fromisoformat(said["at"]), told_at

    def concerns(self, begun: datetime) -> bool:
        """False for what began with the move or after it, and was decided before we were told. Later than that nothing has
        begun: there stands what an earlier move has taken along.
        """
        return not self._at <= begun <= self._told_at

    def apply(self, begun: datetime) -> datetime:
        return same_clock(begun, self._old, self._new)


def _moved(machine: Machine, enrollment: Enrollment, move: _Move) -> Enrollment:
    laps: dict[str, Lap] = {}
    for step, lap in enrollment.loops.items():
        state = machine.states.get(step)
        if isinstance(state, RepeatState) and state.by_calendar and lap.since is not None and move.concerns(lap.since):
            laps[step] = Lap(lap.total, lap.round, move.apply(lap.since))
    if laps:
        enrollment = enrollment.but(loops={**enrollment.loops, **laps})
    state = machine.states.get(enrollment.step or "")
    if isinstance(state, Wait) and _goes_by_the_clock(state) and move.concerns(enrollment.arrived_at):
        enrollment = enrollment.but(arrived_at=move.apply(enrollment.arrived_at))
    return enrollment


def _goes_by_the_clock(wait: Wait) -> bool:
    """A date or instant that a field holds says by itself when it is; an elapsed span knows no clock."""
    match wait.span:
        case ClockTime():
            return True
        case Elapse(duration=duration):
            return not duration.seconds
        case _:
            return False
