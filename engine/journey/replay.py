"""Replay: a decision made again from what was stored of it. Pure; shows that nothing but the stored inputs decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter

from engine.journey.decide import decide
from engine.journey.machine import Machine
from engine.journey.values import Decision, Effect, Enrollment, Facts, Signal


@dataclass(frozen=True)
class Inputs:
    """All that `decide` was given besides the machine. `enrollment` None: it was asked at the door."""

    now: datetime
    signal: Signal
    enrollment: Enrollment | None
    facts: Facts


@dataclass(frozen=True)
class Decided:
    """What came out, beside the trace."""

    enrollment: Enrollment | None
    effects: tuple[Effect, ...]


_INPUTS = TypeAdapter(Inputs)


@dataclass(frozen=True)
class Replayed:
    """`same`: the decision came out as it did then. `lines` and `decided`: what comes out now, as plain data."""

    same: bool
    lines: list[dict[str, Any]]
    decided: Mapping[str, Any] | None


def replay(machine: Machine, inputs: Mapping[str, Any], decided: Mapping[str, Any], lines: list[Any]) -> Replayed:
    """Decide again from stored inputs and compare with what was stored as decided, and with the lines of the trace.

    Raises ValueError for inputs that this version of Alur can't read any more.
    """
    given = _INPUTS.validate_python(inputs)
    outcome = decide(machine, given.enrollment, given.signal, given.facts, given.now)
    if not isinstance(outcome, Decision):
        return Replayed(False, [], None)
    now = plain(Decided(outcome.enrollment, outcome.effects))
    said = plain(list(outcome.trace))
    return Replayed(said == lines and _but_id(now) == _but_id(decided), said, now)


def plain(value: Any) -> Any:
    """Dataclasses, instants and the like as they come back from the database."""
    return orjson.loads(orjson.dumps(value, default=str))


def _but_id(decided: Mapping[str, Any]) -> Any:
    """An enrollment gets its id when it is saved; `decide` doesn't know it."""
    enrollment = decided["enrollment"]
    return {**decided, "enrollment": {**enrollment, "id": None} if enrollment is not None else None}
