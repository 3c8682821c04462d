"""Contest: which variant of an experiment is better than all the others, by a statistical test. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import erfc, sqrt


@dataclass(frozen=True)
class Tally:
    """Of one variant: people whose window has closed, and with how many of them it was a success."""

    people: int
    successes: int

    @property
    def rate(self) -> float:
        return self.successes / self.people if self.people else 0.0


@dataclass(frozen=True)
class Duel:
    """Two variants compared; `p` is corrected for the number of duels."""

    one: str
    other: str
    p: float


def duels(tallies: Mapping[str, Tally]) -> tuple[Duel, ...]:
    """Every pair by the two-sided test of two proportions (pooled variance), surest first; corrected after Holm (1979), so
    that many variants are no more likely to give a winner by chance than two.
    """
    plain = sorted((_two_sided(tallies[one], tallies[other]), one, other) for one, other in combinations(tallies, 2))
    found: list[Duel] = []
    before = 0.0
    for number, (p, one, other) in enumerate(plain):
        before = max(before, min(1.0, p * (len(plain) - number)))
        found.append(Duel(one, other, before))
    return tuple(found)


def best(tallies: Mapping[str, Tally], confidence: float) -> str | None:
    """The variant with the highest rate, if it differs from each other one at this confidence (0.95 is 95 %)."""
    if len(tallies) < 2:
        return None
    first = max(tallies, key=lambda name: tallies[name].rate)
    against = [duel.p for duel in duels(tallies) if first in (duel.one, duel.other)]
    return first if all(p <= 1 - confidence for p in against) else None


def _two_sided(one: Tally, other: Tally) -> float:
    if not one.people or not other.people:
        return 1.0
    pooled = (one.successes + other.successes) / (one.people + other.people)
    spread = sqrt(pooled * (1 - pooled) * (1 / one.people + 1 / other.people))
    return erfc(abs(one.rate - other.rate) / spread / sqrt(2)) if spread else 1.0
