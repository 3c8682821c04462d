"""Replay: a decision made again from what was stored of it. Pure; shows that nothing but the stored inputs decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import TypeAdapter

from engine.journey.decide import decide
from engine.journey.machine import Machine
from engine.journey.values import Decision, Enrollment, Facts, Signal


@dataclass(frozen=True)
class Inputs:
    """All that `decide` was given besides the machine. `enrollment` None: it was asked at the door."""

    now: datetime
    signal: Signal
    enrollment: Enrollment | None
    facts: Facts


_INPUTS = TypeAdapter(Inputs)


def written(inputs: Inputs) -> str:
    """The inputs as the database keeps them."""
    return orjson.dumps(inputs, default=str).decode()


def digest(decision: Decision) -> str:
    """Stands for what came out beside the trace: where the enrollment stands, and the effects."""
    enrollment = decision.enrollment
    # It gets its id when it is saved; `decide` doesn't know it.
    out = orjson.dumps((enrollment.but(id=None) if enrollment is not None else None, decision.effects), default=str)
    return blake2b(out, digest_size=12).hexdigest()


@dataclass(frozen=True)
class Replayed:
    """`same`: the decision came out as it did then. `lines`: the trace of what comes out now, as plain data; None: facts are
    missing.
    """

    same: bool
    lines: list[dict[str, Any]] | None


def replay(machine: Machine, inputs: str, decided: str, lines: list[Any]) -> Replayed:
    """Decide again from stored inputs and compare with the digest of what was decided, and with the lines of the trace.

    Raises ValueError for inputs that this version of Alur can't read any more.
    """
    given = _INPUTS.validate_json(inputs)
    outcome = decide(machine, given.enrollment, given.signal, given.facts, given.now)
    if not isinstance(outcome, Decision):
        return Replayed(False, None)
    said = orjson.loads(orjson.dumps(outcome.trace, default=str))
    return Replayed(said == lines and digest(outcome) == decided, said)
