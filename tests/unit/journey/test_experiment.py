"""An experiment divides people by lot, leaves everybody with what they have, and is won by a test, not by chance."""

from __future__ import annotations

import pytest

from engine.journey.contest import Tally, best, duels
from engine.journey.steps.experiment import ExperimentState
from engine.journey.values import Answer, Assign
from tests.unit.journey.passage import machine_of, passage

SUBJECT = """
- experiment:
    name: subject
    variants:
      a: {weight: 30, do: [{send: first, via: email}]}
      b: {weight: 70, do: [{send: second, via: email}]}
      c: {weight: 0, do: [{send: third, via: email}]}
    winner: {by: clicked, after: 100}
"""
PATH = "steps.0.experiment"


def known(variant: str | None = None, winner: str | None = None) -> Answer:
    return Answer(bool(variant or winner), {"variant": variant, "winner": winner})


def state_of(steps: str) -> ExperimentState:
    state = machine_of(steps).states["subject"]
    assert isinstance(state, ExperimentState)
    return state


def test_the_lot_gives_each_variant_its_share_and_one_of_weight_nought_nobody() -> None:
    drawn = [state_of(SUBJECT).drawn(contact) for contact in range(4000)]
    assert 0.28 < drawn.count("a") / 4000 < 0.32
    assert drawn.count("c") == 0


def test_the_lot_hangs_on_name_and_contact_alone() -> None:
    other = SUBJECT.replace("send: first", "send: quite_another")
    assert [state_of(SUBJECT).drawn(n) for n in range(50)] == [state_of(other).drawn(n) for n in range(50)]


def test_whoever_is_assigned_keeps_the_variant() -> None:
    for variant in "ab":
        ani = passage(SUBJECT, answers={PATH: known(variant, "a")})
        assert ani.standing.variants == {"subject": variant}
        assert not any(isinstance(effect, Assign) for effect in ani.effects)


def test_a_newcomer_follows_the_winner() -> None:
    for winner in "ab":
        ani = passage(SUBJECT, answers={PATH: known(winner=winner)})
        assert ani.effects[0] == Assign("subject", winner)


def test_a_variant_of_weight_nought_or_that_is_gone_is_nobodys_even_if_it_was() -> None:
    for gone in ("c", "d"):
        ani = passage(SUBJECT, answers={PATH: known(gone, gone)})
        assert ani.standing.variants["subject"] in ("a", "b")
        assert isinstance(ani.effects[0], Assign)


def test_a_second_round_has_the_variant_of_the_first_without_asking() -> None:
    body = "".join(f"      {line}\n" for line in SUBJECT.strip().splitlines())
    ani = passage(f"- repeat:\n    up_to: 2\n    every: 1d\n    do:\n{body}", answers={
        "steps.0.repeat.do.0.experiment": known("b")
    })  # fmt: skip
    ani.sent()
    ani.answers.clear()
    ani.later(days=1)
    assert ani.sends == [("second", 1), ("second", 2)]


# --- the test ---------------------------------------------------------------------------------------------------------


def test_the_better_of_two_wins_when_the_difference_is_sure_enough() -> None:
    assert best({"a": Tally(1000, 100), "b": Tally(1000, 130)}, 0.95) == "b"
    assert best({"a": Tally(1000, 100), "b": Tally(1000, 120)}, 0.95) is None
    assert best({"a": Tally(1000, 100), "b": Tally(1000, 120)}, 0.80) == "b"


def test_the_p_value_is_that_of_the_two_sided_test_of_two_proportions() -> None:
    (duel,) = duels({"a": Tally(1000, 100), "b": Tally(1000, 130)})
    assert duel.p == pytest.approx(0.0355, abs=0.0001)  # R: prop.test(c(100, 130), c(1000, 1000), correct=FALSE)


def test_many_variants_need_more_than_two_do() -> None:
    tallies = {"a": Tally(1000, 100), "b": Tally(1000, 130), "c": Tally(1000, 101)}
    assert best(tallies, 0.95) is None
    plain = [duels({"a": tallies["a"], "b": tallies["b"]})[0].p, duels({"b": tallies["b"], "c": tallies["c"]})[0].p]
    corrected = {frozenset((duel.one, duel.other)): duel.p for duel in duels(tallies)}
    assert corrected[frozenset("ab")] == pytest.approx(3 * plain[0])
    assert corrected[frozenset("bc")] == pytest.approx(max(3 * plain[0], 2 * plain[1]))


def test_nobody_wins_where_nothing_happened_or_always_something() -> None:
    assert best({"a": Tally(1000, 0), "b": Tally(1000, 0)}, 0.95) is None
    assert best({"a": Tally(1000, 1000), "b": Tally(1000, 1000)}, 0.95) is None
