"""What holds of every journey and every life: whoever enters ends or waits, nothing is done twice, and all ways to play agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from engine.app import Rehearsal, open_rehearsal
from tests.integration.language.plays import (
    Played,
    Way,
    by_the_minute,
    definitions_of,
    found_workspace,
    from_instant_to_instant,
    in_small_claims,
    outcome,
)
from tests.integration.language.random_journeys import STARTS, Scenario, scenarios


@dataclass
class Theatre:
    """A stage on which one scenario after the other is played."""

    root: Path
    stage: Rehearsal

    def plays(self, scenario: Scenario, way: Way) -> Played:
        self.stage = self.stage.anew(scenario.start)
        way(self.stage, scenario, definitions_of(self.root, scenario))
        played = outcome(self.stage)
        assert not played.faults
        return replace(played, faults=[])


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory, alur_folder: Path) -> Iterator[Theatre]:
    root = found_workspace(tmp_path_factory.mktemp("theatre"))
    (root / ".alur").symlink_to(alur_folder)
    with open_rehearsal(root, STARTS[0]) as stage:
        yield Theatre(root, stage)


@settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # shrinking would take minutes; a failure prints the scenario
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenario=scenarios())
def test_everybody_ends_or_waits_nothing_is_done_twice_and_every_way_of_playing_gives_the_same(
    theatre: Theatre, scenario: Scenario
) -> None:
    live = theatre.plays(scenario, from_instant_to_instant)
    assert theatre.plays(scenario, by_the_minute) == live
    assert theatre.plays(scenario, in_small_claims) == live
