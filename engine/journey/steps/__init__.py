"""The step kinds: one file each, one line here."""

from __future__ import annotations

from engine.journey.steps import branch, emit, exit, experiment, repeat, send, start, update, wait, wait_for, webhook
from engine.journey.steps.base import StepKind

KINDS: dict[str, StepKind] = {kind.verb: kind for kind in (send.KIND, wait.KIND, wait_for.KIND, branch.KIND, exit.KIND)}
KINDS |= {kind.verb: kind for kind in (update.KIND, emit.KIND, webhook.KIND, start.KIND)}
KINDS |= {kind.verb: kind for kind in (repeat.KIND, experiment.KIND)}
