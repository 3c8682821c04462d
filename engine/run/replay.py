"""Replay: make every stored decision about one contact again; only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from engine.errors import WorkspaceError
from engine.journey import replay as core
from engine.run.machines import Machines
from engine.store import traces

Result = Literal["same", "different", "unreadable"]


@dataclass(frozen=True)
class ReplayedDecision:
    """One decision made again. `detail`: what comes out now where it differs, or why it can't be read any more."""

    at: datetime
    journey: str
    signal: str
    result: Result
    detail: Any = None


def replay(conn: Connection, machines: Machines, contact_id: int, journey: str | None = None) -> list[ReplayedDecision]:
    """Every decision with the inputs and the clock that were stored with it, oldest first (P18).

    `unreadable`: its journey version or its inputs were written by a version of Alur that this one can't read.
    """
    return [_again(conn, machines, stored) for stored in traces.inputs_of_contact(conn, contact_id, journey)]


def _again(conn: Connection, machines: Machines, stored: dict[str, Any]) -> ReplayedDecision:
    known = (stored["at"], stored["journey"], stored["signal"])
    try:
        machine = machines.version(conn, stored["version_id"])
        replayed = core.replay(machine, stored["inputs"], stored["decided"], stored["lines"])
    except (WorkspaceError, ValueError) as error:
        return ReplayedDecision(*known, "unreadable", str(error))
    if replayed.same:
        return ReplayedDecision(*known, "same")
    return ReplayedDecision(*known, "different", replayed.lines)
