"""The step kinds: one file each, one line here."""

from __future__ import annotations

from engine.journey.steps import branch, exit, send, wait, wait_for
from engine.journey.steps.base import StepKind, later

KINDS: dict[str, StepKind] = {kind.verb: kind for kind in (send.KIND, wait.KIND, wait_for.KIND, branch.KIND, exit.KIND)}
KINDS |= {verb: later(verb) for verb in ("experiment", "repeat", "update", "emit", "webhook", "start")}
