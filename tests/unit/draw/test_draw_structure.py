"""The nesting is found again from the paths, and every way out of a step is in it exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hypothesis import given

from engine.draw.structure import Block, structure
from tests.unit.draw.drawn_machines import DrawnMachine, branch, leave, machine, send, wait, wait_for
from tests.unit.draw.nested_journeys import machines, tangles

Way = tuple[str | None, str | None]


def ways(blocks: tuple[Block, ...], after: str | None) -> Iterator[Way]:
    for number, block in enumerate(blocks):
        following = blocks[number + 1].stop.id if number + 1 < len(blocks) else after
        for arm in block.arms:
            if arm.reached:
                yield block.stop.id, arm.body[0].stop.id if arm.body else following
            yield from ways(arm.body, following)
        if not block.arms and block.onward:
            yield block.stop.id, following


def drawn(machine: DrawnMachine) -> Counter[Way]:
    nesting = structure(machine)
    return Counter(ways(nesting.blocks, None)) + Counter((jump.source, jump.target) for jump in nesting.jumps)


def meant(machine: DrawnMachine) -> Counter[Way]:
    every = Counter[Way]()
    for state in machine.states.values():
        targets = [target for _, target in state.targets()]
        every.update((state.id, target) for target in (set(targets) if len(set(targets)) == 1 else targets))
    return every


def test_arms_are_found_under_their_step_in_the_order_of_its_ways_out() -> None:
    nesting = structure(
        machine("j", branch(("big", (send("a"), wait("1d"))), ("small", ()), otherwise=(leave("x"),)), send("b"))
    )
    fork, last = nesting.blocks
    assert [(arm.label, [block.stop.verb for block in arm.body], arm.onward) for arm in fork.arms] == [
        ("big", ["send", "wait"], True),
        ("small", [], True),
        ("otherwise", ["exit"], False),
    ]
    assert (fork.onward, last.stop.id, nesting.completes, nesting.jumps) == (True, "b", True, ())


def test_a_wait_for_without_steps_of_its_own_is_a_plain_step() -> None:
    assert structure(machine("j", wait_for("order_completed", "1d"), send("a"))).blocks[0].arms == ()


def test_a_journey_whose_arms_all_leave_has_no_end_of_its_own() -> None:
    nesting = structure(machine("j", branch(("a", (leave("x"),)), otherwise=(leave("y"),))))
    assert not nesting.completes


def test_a_journey_without_steps_leads_from_the_trigger_to_the_end() -> None:
    assert structure(machine("j")).completes


def test_the_tenth_step_stands_behind_the_ninth() -> None:
    nesting = structure(machine("j", *(send(f"m{number}") for number in range(12))))
    assert [block.stop.id for block in nesting.blocks] == [f"m{number}" for number in range(12)]


@given(machines())
def test_nested_steps_need_no_jumps(drawing: DrawnMachine) -> None:
    assert structure(drawing).jumps == ()
    assert drawn(drawing) == meant(drawing)


@given(tangles())
def test_every_way_out_is_drawn_and_none_invented_however_the_states_are_joined(drawing: DrawnMachine) -> None:
    assert set(drawn(drawing)) - {(None, drawing.start)} == set(meant(drawing))
