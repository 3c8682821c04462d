"""A repeat is drawn as a circle, and a wait that may leave out a step with the way around it."""

from __future__ import annotations

import re

from engine.draw import mermaid, svg
from engine.draw.structure import Jump, structure
from tests.unit.journey.passage import machine_of

STEPS = """
- id: laps
  repeat:
    up_to: 3
    every: 7d
    do:
      - {send: tip, via: email}
      - branch:
          - when: {contact.city: Jakarta}
            do: [{send: local, via: email}]
          - otherwise: []
- wait: {until: contact.renewal}
- {send: soon, via: email}
- {send: after, via: email}
"""


def test_the_body_of_a_repeat_leads_back_to_it_and_not_on() -> None:
    found = structure(machine_of(STEPS))
    each_round, then = found.blocks[0].arms
    assert (each_round.label, each_round.back, each_round.onward) == ("each round", True, False)
    assert (then.label, then.back, then.onward, then.body) == ("then", False, True, ())
    assert found.blocks[0].onward
    assert [jump for jump in found.jumps if jump.source == "laps"] == []


def test_the_way_around_a_step_that_is_left_out_is_a_jump() -> None:
    assert structure(machine_of(STEPS)).jumps == (Jump("steps.1", "past or missing", "after"),)


def test_mermaid_has_the_edge_back() -> None:
    assert re.search(r"s2 --> s3\n.*s3 -->\|\"otherwise\"\| s1", mermaid(machine_of(STEPS)), re.DOTALL)


def test_the_circle_stays_within_the_picture() -> None:
    drawn = svg(machine_of(STEPS))
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', drawn)[1])  # type: ignore[index]
    across = [
        float(x)
        for path in re.findall(r'class="line[^"]*" d="([^"]+)"', drawn)
        for x in re.findall(r"[ML]([\d.-]+)", path)
    ]
    assert across
    assert 0 <= min(across) <= max(across) <= width
