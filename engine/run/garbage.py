"""Garbage: how often Python looks for circles of forgotten objects, in processes that make many objects and few circles."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Pass over what is there now, and look at the rest a hundred times less often.

    A claim makes thousands of small objects that live until its commit and hold no circles; by default Python walks
    through them dozens of times, a tenth to a fifth of all time. Memory stays bounded: the next look still comes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 20, 100)
