"""What holds of every journey and every life: whoever enters ends or waits, nothing is done twice, and all ways to play agree."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings

from tests.integration.language.plays import (
    Theatre,
    by_the_minute,
    from_instant_to_instant,
    in_small_claims,
    with_pauses,
)
from tests.integration.language.random_lives import Scenario, scenarios

RANDOM = settings(
    max_examples=14,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # a failure prints the scenario as it stands: shrinking it would take minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@RANDOM
@given(scenario=scenarios())
def test_everybody_ends_or_waits_nothing_is_done_twice_and_every_way_of_playing_gives_the_same(
    theatre: Theatre, scenario: Scenario
) -> None:
    live, minutes, small = theatre.plays(scenario, from_instant_to_instant, by_the_minute, in_small_claims)
    assert minutes == live
    assert small == live


@settings(RANDOM, max_examples=6)
@given(scenario=scenarios())
def test_after_pauses_everybody_still_ends_or_waits_and_nothing_is_done_twice(
    theatre: Theatre, scenario: Scenario
) -> None:
    theatre.plays(scenario, with_pauses)
