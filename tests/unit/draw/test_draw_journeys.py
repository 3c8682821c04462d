"""Journeys as they are written and compiled, drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.document import read_document
from engine.draw import mermaid, svg
from engine.draw.structure import structure
from engine.grammar import Reader
from engine.journey.journey import read_journey
from engine.journey.machine import Machine, compile_journey

SHIPPED = sorted((Path(__file__).parents[3] / "journeys").glob("*.yaml"))
CART = b"""
journey: cart_abandonment
topic: offers
trigger: {event: cart_updated, where: {event.total: {gte: 50000}}, key: event.cart_id}
entry: {where: {contact.country: ID}}
exit:
  - {event: order_completed, key: event.cart_id, reason: bought}
goal: {event: order_completed, key: event.cart_id, within: 7d}
steps:
  - wait: 1h
  - send: cart_reminder
    via: email
  - wait_for: {event: page_viewed, where: {event.path: /cart}, timeout: 23h}
    then:
      - wait: {until: "09:00", days: [mon, fri]}
    otherwise:
      - branch:
          - when: {contact.phone: {exists: true}}
            do:
              - {send: cart_nudge, via: [whatsapp, sms]}
          - otherwise:
              - exit: not_reachable
  - {send: cart_last_call, via: email}
"""


def compiled(data: bytes, stem: str) -> Machine:
    node, problems = read_document(data, f"{stem}.yaml")
    assert node is not None
    assert problems == []
    reader = Reader(f"{stem}.yaml")
    journey = read_journey(node, reader, stem)
    assert journey is not None, reader.problems
    return compile_journey(journey)


def test_a_compiled_journey_is_drawn_along_its_nesting() -> None:
    machine = compiled(CART, "cart_abandonment")
    assert structure(machine).jumps == ()
    text = svg(machine, {"cart_reminder": 1204}, entered=5000, ended={"bought": 310}, converted=290)
    for part in (">cart_updated<", ">cart_reminder<", ">via whatsapp, else sms<", ">wait 1h<", ">at most 23h<"):
        assert part in text
    for part in (">exit: not_reachable<", ">ends as bought<", ">1,204<", ">5,000 entered<", ">310<", ">290<"):
        assert part in text


def test_a_compiled_journey_has_a_node_for_every_step() -> None:
    machine = compiled(CART, "cart_abandonment")
    lines = mermaid(machine).splitlines()
    assert sum(line.startswith("    s") and "-->" not in line for line in lines) == len(machine.states) == 8


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_journey_that_ships_can_be_drawn(file: Path) -> None:
    machine = compiled(file.read_bytes(), file.stem)
    assert structure(machine).jumps == ()
    text = svg(machine)
    assert all(f"<title>{state.label()}" in text for state in machine.states.values() if state.verb != "exit")
    assert mermaid(machine).startswith("flowchart TD\n")
