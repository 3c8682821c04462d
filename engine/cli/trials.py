"""Plays many tests at once, each on a stage with nobody else on it, and tells how each ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Literal

from engine.app import Rehearsal, open_rehearsal
from engine.catalog import Catalog
from engine.cli.output import moment
from engine.cli.story import Line, tell
from engine.errors import AlurError, DatabaseUnavailableError
from engine.journey.trial import Trial
from engine.run.trial import Played, play

_MOST = 4  # stages at once; more only wait for each other


@dataclass(frozen=True)
class Chosen:
    """A test that is to be played."""

    journey: str
    trial: Trial

    @property
    def file(self) -> str:
        return f"journeys/{self.journey}.yaml"


@dataclass(frozen=True)
class Result:
    """How one test ended. `failures` say where, what was expected and what happened; `story` is the person's."""

    journey: str
    test: str
    outcome: Literal["passed", "failed", "error"]
    failures: tuple[str, ...] = ()
    seconds: float = 0.0
    story: tuple[str, ...] = ()


def run_trials(catalog: Catalog, chosen: Sequence[Chosen], told: Callable[[Result], object]) -> list[Result]:
    """Play them all, in parallel; the results in the order of `chosen`. `told` hears of each as it ends, from any thread.

    Raises `DatabaseUnavailableError`; whatever else goes wrong is the fault of one test, and its result.
    """
    if not chosen:
        return []
    waiting: SimpleQueue[int] = SimpleQueue()
    for place in range(len(chosen)):
        waiting.put(place)
    results: dict[int, Result] = {}

    def work(_: int) -> None:
        start = chosen[0].trial.start
        with open_rehearsal(catalog.root, start, catalog.config, catalog.templates) as stage:
            for place in _taken(waiting):
                results[place] = _play(stage, catalog, chosen[place])
                told(results[place])

    crew = min(len(chosen), os.cpu_count() or 1, _MOST)
    with ThreadPoolExecutor(crew, "trial") as pool:
        try:
            list(pool.map(work, range(crew)))
        finally:  # an outage or Ctrl-C: let nobody begin another one
            list(_taken(waiting))
    return [results[place] for place in range(len(chosen))]


def _taken(waiting: SimpleQueue[int]) -> Iterator[int]:
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return


def _play(stage: Rehearsal, catalog: Catalog, chosen: Chosen) -> Result:
    began = monotonic()
    try:
        fresh = stage.anew(chosen.trial.start)
        played = play(fresh.app, fresh.clock, catalog.definitions, chosen.journey, chosen.trial)
    except DatabaseUnavailableError:
        raise
    except AlurError as error:
        played = Played("error", errors=(str(error),))
    except Exception as error:  # noqa: BLE001  as promise P11: one bad test never stops the others
        played = Played("error", errors=(f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:500]}",))
    return _result(chosen, played, monotonic() - began)


def _result(chosen: Chosen, played: Played, seconds: float) -> Result:
    failures = [f"{chosen.file}:{each.line}: expected {each.expected}, got {each.got}" for each in played.failures]
    failures += [f"{chosen.file}:{chosen.trial.line}: {error}" for error in played.errors]
    return Result(
        chosen.journey, chosen.trial.name, played.outcome, tuple(failures), round(seconds, 3), tuple(_story(played))
    )


def _story(played: Played) -> Iterator[str]:
    """What happened to the person and why, in the order of time."""
    if played.story is None:
        return
    entries = tell(played.story, played.zone)
    yield f"what happened (times in {played.zone}):" if entries else "nothing happened to the person"
    for entry in entries:
        yield f"  {moment(entry.at, played.zone)}  {entry.kind:<11} {entry.text}"
        yield from (f"  {'':19}  {'':<11}   {_line(line)}" for line in entry.lines)


def _line(line: Line) -> str:
    asides = [f"{word} {value}" for word, value in (("wanted", line.wanted), ("found", line.found)) if value]
    return f"{line.path}  {line.result}" + (f"  ({'; '.join(asides)})" if asides else "")
