"""Winner: looks at the experiments that want one, and writes which variant newcomers follow from then on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from engine.journey.contest import Tally, best, duels
from engine.journey.machine import Machine
from engine.journey.steps.experiment import ExperimentState, Winning
from engine.run.machines import Machines
from engine.store import experiments

CLICK_WINDOW = timedelta(days=7)
"""How long after somebody got a variant a click still counts: as long as a goal counts by default."""

_TICK = timedelta(microseconds=1)  # a window holds its last instant


def crown_winners(engine: Engine, machines: Machines, now: datetime) -> int:
    """Look at every experiment of the live journeys that has no winner yet; gives how many have one now.

    Meant for once a day. Safe in any number of processes: the first winner stays.
    """
    with engine.begin() as conn:
        return sum(_look_at(conn, open_, now) for open_ in _undecided(conn, machines))


def next_look(engine: Engine, machines: Machines, now: datetime) -> datetime | None:
    """The first instant later than `now` at which one more window of an experiment without a winner has closed, so that
    there may be one; None while nobody's is open.
    """
    with engine.begin() as conn:
        closings = [
            experiments.next_closing(conn, open_.journey, open_.experiment, open_.rule.by, open_.window, now)
            for open_ in _undecided(conn, machines)
        ]
    return min((closing + _TICK for closing in closings if closing is not None), default=None)


def any_wanted(conn: Connection, machines: Machines) -> bool:
    """Whether any journey that is applied has an experiment that wants a winner."""
    return any(True for _ in _undecided(conn, machines))


@dataclass(frozen=True)
class _Undecided:
    """An experiment that wants a winner and has none; `window` is how long a success counts, `variants` those that people can get."""

    journey: str
    experiment: str
    rule: Winning
    window: timedelta
    variants: tuple[str, ...]


def _undecided(conn: Connection, machines: Machines) -> Iterator[_Undecided]:
    for running in machines.applied(conn):
        wanted = list(_wanting(running.machine)) if running.live.state == "live" else []
        done = experiments.won(conn, running.live.name) if wanted else {}
        yield from (each for each in wanted if each.experiment not in done)


def _wanting(machine: Machine) -> Iterator[_Undecided]:
    for state in machine.states.values():
        if isinstance(state, ExperimentState) and state.winner is not None:
            by_goal = machine.goal.within.delta if machine.goal is not None else None
            window = by_goal if state.winner.by == "goal" else CLICK_WINDOW
            variants = tuple(name for name, weight, _ in state.ways if weight)
            if window is not None:
                yield _Undecided(machine.journey, state.name, state.winner, window, variants)


def _look_at(conn: Connection, open_: _Undecided, now: datetime) -> bool:
    """Write the winner if there is one."""
    rule, count = open_.rule, experiments.by_goal if open_.rule.by == "goal" else experiments.by_click
    counted = count(conn, open_.journey, open_.experiment, open_.window, now)
    tallies = {name: counted.get(name, Tally(0, 0)) for name in open_.variants}
    if any(tally.people < rule.after for tally in tallies.values()):
        return False
    first = best(tallies, rule.confidence)
    if first is None:
        return False
    numbers = {
        "variants": {name: asdict(tally) for name, tally in tallies.items()},
        "duels": [asdict(duel) for duel in duels(tallies)],
    }
    experiments.crown(conn, open_.journey, open_.experiment, first, numbers, now)
    return True
