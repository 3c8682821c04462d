"""Winner: looks at the experiments that want one, and writes which variant newcomers follow from then on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from engine.journey.contest import Tally, best, duels
from engine.journey.machine import Machine
from engine.journey.steps.experiment import ExperimentState
from engine.run.machines import Machines
from engine.store import experiments

CLICK_WINDOW = timedelta(days=7)
"""How long after somebody got a variant a click still counts: as long as a goal counts by default."""


def crown_winners(engine: Engine, machines: Machines, now: datetime) -> int:
    """Look at every experiment of the live journeys that has no winner yet; gives how many have one now.

    Meant for once a day. Safe in any number of processes: the first winner stays.
    """
    crowned = 0
    with engine.begin() as conn:
        for running in machines.applied(conn):
            wanted = _wanting(running.machine) if running.live.state == "live" else []
            done = experiments.won(conn, running.live.name) if wanted else {}
            crowned += sum(_look_at(conn, running.machine, state, now) for state in wanted if state.name not in done)
    return crowned


def _wanting(machine: Machine) -> list[ExperimentState]:
    return [s for s in machine.states.values() if isinstance(s, ExperimentState) and s.winner is not None]


def _look_at(conn: Connection, machine: Machine, state: ExperimentState, now: datetime) -> bool:
    """Write the winner if there is one among the variants that people can get."""
    rule = state.winner
    assert rule is not None
    if rule.by == "goal":
        if machine.goal is None:
            return False
        counted = experiments.by_goal(conn, machine.journey, state.name, machine.goal.within.delta, now)
    else:
        counted = experiments.by_click(conn, machine.journey, state.name, CLICK_WINDOW, now)
    tallies = {name: counted.get(name, Tally(0, 0)) for name, weight, _ in state.ways if weight}
    if any(tally.people < rule.after for tally in tallies.values()):
        return False
    first = best(tallies, rule.confidence)
    if first is None:
        return False
    numbers = {
        "variants": {name: asdict(tally) for name, tally in tallies.items()},
        "duels": [asdict(duel) for duel in duels(tallies)],
    }
    experiments.crown(conn, machine.journey, state.name, first, numbers, now)
    return True
